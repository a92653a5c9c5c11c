//! Environment variables → a layer over a [`Node`] tree: `PREFIX__SECTION__KEY=value`, letter case ignored.
//!
//! As eKuiper types them: trimmed of spaces; `[a,b]` is a list; whole number, else bool (`t`, `T`, `true` …), else float, else
//! text. Unlike there, a value may contain `=`, a key that takes a text keeps its digits, and a descent through a scalar is an
//! error that names the variable.

use std::sync::Arc;

use super::tree::{Entry, Node, Origin, Tree};

/// A variable that takes part: `PUSHGATE__BASIC__RESTPORT` is `["basic", "restport"]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Var {
    pub(super) name: Arc<str>,
    pub(super) path: Vec<String>,
    pub(super) value: String,
}

/// The variables whose name starts with `prefix` and two underscores, sorted by name so that the outcome does not depend on
/// the order of the environment.
pub(super) fn vars(env: &[(String, String)], prefix: &str) -> Vec<Var> {
    let mut out: Vec<Var> = env
        .iter()
        .filter_map(|(name, value)| {
            let (head, tail) = name.split_at_checked(prefix.len())?;
            let tail = tail.strip_prefix("__").filter(|_| head.eq_ignore_ascii_case(prefix))?;
            let path = tail.to_lowercase().split("__").map(str::to_owned).collect();
            Some(Var { name: name.as_str().into(), path, value: value.clone() })
        })
        .collect();
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

/// Lays one variable over `root`. `is_text` says whether the key at a path takes a text.
///
/// # Errors
/// The variable's path runs through a value that is no map; the text says which.
pub(super) fn overlay(root: &mut Node, var: &Var, is_text: impl Fn(&[String]) -> bool) -> Result<(), String> {
    let at = Origin::Env(Arc::clone(&var.name));
    let mut node = root;
    let Some((leaf, levels)) = var.path.split_last() else { return Ok(()) };
    for level in levels {
        let stood = node.at.clone();
        let shown = node.describe();
        let Some(entries) = as_map(node) else { return Err(format!("expected a section above {level}, found {shown} ({stood})")) };
        let index = entries.iter().position(|e| e.key.eq_ignore_ascii_case(level)).unwrap_or_else(|| {
            entries.push(Entry { key: level.clone(), at: at.clone(), node: Node::empty_map(at.clone()) });
            entries.len() - 1
        });
        node = &mut entries[index].node;
    }
    let tree = if is_text(&var.path) { Tree::Text(var.value.trim_matches(' ').to_owned()) } else { typed(&var.value, &at) };
    let new = Node { tree, at: at.clone() };
    let stood = node.at.clone();
    let shown = node.describe();
    let Some(entries) = as_map(node) else { return Err(format!("expected a section above {leaf}, found {shown} ({stood})")) };
    match entries.iter_mut().find(|e| e.key.eq_ignore_ascii_case(leaf)) {
        Some(entry) => entry.node = new,
        None => entries.push(Entry { key: leaf.clone(), at, node: new }),
    }
    Ok(())
}

/// The entries of a map; an absent value becomes an empty one.
fn as_map(node: &mut Node) -> Option<&mut Vec<Entry>> {
    if node.tree == Tree::Null {
        node.tree = Tree::Map(Vec::new());
    }
    match &mut node.tree {
        Tree::Map(entries) => Some(entries),
        _ => None,
    }
}

fn typed(value: &str, at: &Origin) -> Tree {
    let value = value.trim_matches(' ');
    if let Some(list) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
        let items = list.split(',').map(str::trim).filter(|t| !t.is_empty());
        return Tree::List(items.map(|t| Node { tree: scalar(t), at: at.clone() }).collect());
    }
    scalar(value)
}

fn scalar(text: &str) -> Tree {
    if let Ok(i) = text.parse::<i64>() {
        return Tree::Int(i);
    }
    match text {
        "t" | "T" | "true" | "True" | "TRUE" => return Tree::Bool(true),
        "f" | "F" | "false" | "False" | "FALSE" => return Tree::Bool(false),
        _ => {}
    }
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Tree::Float(x),
        _ => Tree::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn env(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    fn lay(text: &str, list: &[(&str, &str)]) -> Result<Node, String> {
        let mut root = yaml::parse(&"f".into(), text, 1).map_err(|e| e.what)?;
        for var in vars(&env(list), "KUIPER") {
            overlay(&mut root, &var, |path| path.last().is_some_and(|k| k == "secret"))?;
        }
        Ok(root)
    }

    fn value(node: &Node, path: &[&str]) -> Tree {
        path.iter().try_fold(node, |n, k| n.entry(k).map(|e| &e.node)).map_or(Tree::Null, |n| n.tree.clone())
    }

    #[test]
    fn which_take_part() {
        let names = ["KUIPER__A__B", "kuiper__a__c", "KUIPER_FOO", "KUIPERX__A", "PUSHGATE_URL", "KuiperBaseKey", "Ω", "KUIPER__"];
        let list: Vec<_> = names.iter().map(|n| ((*n).to_owned(), "1".to_owned())).collect();
        let found: Vec<_> = vars(&list, "KUIPER").iter().map(|v| v.name.to_string()).collect();
        assert_eq!(found, ["KUIPER__", "KUIPER__A__B", "kuiper__a__c"]);
    }

    #[test]
    fn typed_as_ekuiper_types() {
        for (text, tree) in [
            ("10091", Tree::Int(10091)),
            (" 7 ", Tree::Int(7)),
            ("1", Tree::Int(1)),
            ("t", Tree::Bool(true)),
            ("FALSE", Tree::Bool(false)),
            ("1.5", Tree::Float(1.5)),
            ("nan", Tree::Text("nan".into())),
            ("a=b=c", Tree::Text("a=b=c".into())),
            ("0x1f", Tree::Text("0x1f".into())),
            ("", Tree::Text(String::new())),
        ] {
            let node = lay("", &[("KUIPER__A__B", text)]).expect("laid");
            assert_eq!(value(&node, &["a", "b"]), tree, "{text}");
        }
        let node = lay("", &[("KUIPER__A", "[1, x,true]"), ("KUIPER__SECRET", " 007 ")]).expect("laid");
        assert_eq!(node.entry("a").map(|e| e.node.to_json()), Some(serde_json::json!([1, "x", true])));
        assert_eq!(value(&node, &["secret"]), Tree::Text("007".into()));
    }

    #[test]
    fn over_and_into_the_file() {
        let node = lay("basic:\n  restPort: 1\n  debug: true\nrule:\n", &[("KUIPER__BASIC__RESTPORT", "2"), ("KUIPER__RULE__QOS", "1")]);
        let node = node.expect("laid");
        assert_eq!(value(&node, &["basic", "restPort"]), Tree::Int(2));
        assert_eq!(node.entry("basic").and_then(|b| b.node.entry("restPort")).map(|e| e.key.as_str()), Some("restPort"));
        assert_eq!(value(&node, &["basic", "debug"]), Tree::Bool(true));
        assert_eq!(value(&node, &["rule", "qos"]), Tree::Int(1));
    }

    #[test]
    fn through_a_scalar_is_an_error() {
        let fault = lay("basic:\n  restPort: 1\n", &[("KUIPER__BASIC__RESTPORT__X", "2")]).expect_err("fault");
        assert_eq!(fault, "expected a section above x, found 1 (f:2)");
        assert!(lay("basic: 5\n", &[("KUIPER__BASIC__A__B", "2")]).is_err());
    }
}
