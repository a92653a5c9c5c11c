//! What no compiler checks about the repository: layers, sans-IO cores, leftovers, and tables that must stay true.
//!
//! Each rule is one test over the text of the files. A rule that must bend gets its exception here, with the reason.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules by layer: one may import from the rows above its own, and inside its row. `main.rs` and `lib.rs` stand outside.
const LAYERS: &[&[&str]] = &[
    &["limits", "time", "stats", "json", "pages", "value", "ring", "zstd"],
    &["config", "wire", "sql", "decode", "encode"],
    &["gate", "eval", "table", "source", "sink", "window"],
    &["rule", "bill"],
    &["engine"],
    &["catalog"],
    &["api", "cli", "explain", "query", "check"],
    &["shell"],
];

/// What belongs into `shell` alone: sockets, files, clocks, threads, waiting.
const SHELL_WORDS: &[&str] = &[
    "smol::",
    "async_io::",
    "async fn",
    "async move",
    ".await",
    "std::fs",
    "fs::read",
    "fs::write",
    "File::open",
    "File::create",
    "std::thread",
    "thread::sleep",
    "thread::spawn",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixDatagram",
    "Instant::now",
    "SystemTime::now",
];

#[test]
fn modules_import_from_the_layers_above() {
    let mut faults = Vec::new();
    for file in modules() {
        let Some(module) = module_of(&file) else { continue };
        let Some(own) = layer_of(&module) else {
            faults.push(format!("{}: module {module} is in no layer; add it to LAYERS and to src/lib.rs", file.display()));
            continue;
        };
        let code = without_tests(&code_only(&read(&file)));
        for (line, name) in imports(&code, depth_of(&file)) {
            match layer_of(&name) {
                Some(layer) if layer > own => {
                    faults.push(format!("{}:{line}: {module} (layer {own}) imports {name} (layer {layer})", file.display()));
                }
                _ => {}
            }
        }
    }
    report(&faults);
}

#[test]
fn only_the_shell_touches_the_outside() {
    let mut faults = Vec::new();
    for file in modules() {
        if module_of(&file).is_none_or(|module| module == "shell") {
            continue;
        }
        for (number, line) in without_tests(&code_only(&read(&file))).lines().enumerate() {
            for word in SHELL_WORDS.iter().filter(|word| holds(line, word)) {
                faults.push(format!("{}:{}: `{word}` outside src/shell", file.display(), number + 1));
            }
        }
    }
    report(&faults);
}

#[test]
fn every_module_opens_with_its_contract() {
    let bare = |file: &PathBuf| !file.ends_with("main.rs") && !read(file).starts_with("//!");
    let faults: Vec<_> = modules().into_iter().filter(bare).map(|f| format!("{}: no `//!` header", f.display())).collect();
    report(&faults);
}

#[test]
fn nothing_is_left_behind() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("dbg", "!("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("<<<<", "<<< "),
    ];
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut faults = Vec::new();
    for file in files("", &["rs", "sh", "py", "md", "toml", "yaml", "service", "lua", "txt", "run", "jsonl"]) {
        let data = file.extension().is_some_and(|e| e == "jsonl");
        for (number, line) in read(&file).lines().enumerate() {
            let left = words.iter().filter(|word| !data && line.contains(**word));
            for word in left.chain(paths.iter().filter(|path| names_path(line, path))) {
                faults.push(format!("{}:{}: `{word}`", file.display(), number + 1));
            }
        }
    }
    report(&faults);
}

#[test]
fn the_readme_shows_the_limits_of_this_build() {
    let readme = read(&root().join("README.md"));
    let table = between(&readme, "<!-- limits", "<!-- /limits -->");
    let rows: Vec<Vec<String>> = table.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells).collect();
    let mut faults = Vec::new();
    for (name, default, ceiling) in pushgate::limits::TABLE {
        let key = if *ceiling == 0 { String::new() } else { format!("`{}`", pushgate::limits::key_of(name)) };
        let top = if *ceiling == 0 { String::new() } else { grouped(*ceiling) };
        match rows.iter().find(|row| row[0] == *name) {
            None => faults.push(format!("README.md: the limits table lacks {name}")),
            Some(row) if row[1..4] != [grouped(*default), key.clone(), top.clone()] => {
                faults.push(format!("README.md: {name}: expected | {} | {key} | {top} |", grouped(*default)));
            }
            Some(_) => {}
        }
    }
    if rows.len() != pushgate::limits::TABLE.len() {
        faults.push(format!("README.md: {} rows of limits, the build has {}", rows.len(), pushgate::limits::TABLE.len()));
    }
    report(&faults);
}

#[test]
fn every_sample_is_loaded_by_a_test() {
    let code: String = ["src", "tests"].iter().flat_map(|folder| files(folder, &["rs"])).map(|file| read(&file)).collect();
    let faults: Vec<_> = files("etc", &["yaml", "json"])
        .iter()
        .filter(|sample| !code.contains(&format!("/{}\")", sample.display())))
        .map(|sample| format!("{}: no test loads it (include_str)", sample.display()))
        .collect();
    report(&faults);
}

/// `# queueBytes: 256KiB` in the sample is the default of this build.
#[test]
fn the_sample_shows_the_limits_of_this_build() {
    let sample = read(&root().join("etc/pushgate.yaml"));
    let mut faults = Vec::new();
    for (name, default, ceiling) in pushgate::limits::TABLE.iter().filter(|row| row.2 != 0) {
        let key = pushgate::limits::key_of(name);
        let shown = sample.lines().find_map(|line| line.trim().strip_prefix("# ")?.strip_prefix(&format!("{key}: ")));
        let bytes = shown.and_then(|text| {
            let digits = text.trim_end_matches(char::is_alphabetic);
            let unit = [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20)].iter().find(|(unit, _)| *unit == &text[digits.len()..])?.1;
            Some(digits.parse::<u64>().ok()? * unit)
        });
        if bytes != Some(*default) {
            faults.push(format!("etc/pushgate.yaml: `# {key}: …`: expected {default} (ceiling {ceiling}), found {shown:?}"));
        }
    }
    report(&faults);
}

#[test]
fn the_page_conformance_names_tests_that_exist() {
    let mut faults = Vec::new();
    let page = read(&root().join("docs/page-conformance.md"));
    for row in page.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells) {
        let proof = row.last().map_or("", String::as_str);
        for name in proof.split([',', ' ']).map(|word| word.trim_matches('`')).filter(|word| !word.is_empty() && *word != "-") {
            let found = name
                .split_once("::")
                .is_some_and(|(file, test)| fs::read_to_string(root().join(file)).is_ok_and(|text| text.contains(&format!("fn {test}("))));
            if !found {
                faults.push(format!("docs/page-conformance.md: row {}: no such test: {name}", row[0]));
            }
        }
    }
    report(&faults);
}

#[test]
fn every_dependency_is_explained() {
    let page = read(&root().join("docs/dependencies.md"));
    let explained: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let manifest = read(&root().join("Cargo.toml"));
    let mut names = Vec::new();
    for section in manifest.split("\n[").filter(|s| s.starts_with("dependencies]") || s.starts_with("dev-dependencies]")) {
        names.extend(section.lines().skip(1).filter_map(|line| line.split_once(" = ")).map(|(name, _)| name));
    }
    let lacks = names.iter().filter(|name| !explained.contains(name)).map(|name| format!("docs/dependencies.md: no line for {name}"));
    let idle = explained.iter().filter(|name| !["crate", "---"].contains(name) && !names.contains(name));
    let faults: Vec<_> = lacks.chain(idle.map(|name| format!("docs/dependencies.md: {name} is not in Cargo.toml"))).collect();
    report(&faults);
}

#[test]
fn the_changelog_has_unreleased_on_top() {
    let log = read(&root().join("CHANGELOG.md"));
    assert_eq!(log.lines().find(|line| line.starts_with("## ")), Some("## Unreleased"));
}

#[test]
fn the_unit_lets_every_connection_in() {
    let unit = read(&root().join("systemd/pushgate.service"));
    let files: u64 = unit.lines().find_map(|line| line.strip_prefix("LimitNOFILE=")).and_then(|n| n.parse().ok()).unwrap_or(0);
    let ceiling = |name: &str| pushgate::limits::TABLE.iter().find(|(n, ..)| *n == name).map_or(0, |row| row.2);
    assert!(files >= ceiling("CONN_COUNT") + ceiling("MANAGE_CONN_COUNT") + 1024, "LimitNOFILE={files}");
}

#[test]
fn the_scanner_reads_code_only() {
    let code =
        code_only("use crate::a; // crate::b\nlet s = \"crate::c\"; let c = '\"'; /* crate::d */ let l: &'a str = r#\"\"crate::e\"#;\n");
    assert_eq!(imports(&code, 1), [(1, "a".to_owned())]);
    let code = code_only("use crate::{\n    json::{scan, write},\n    ring,\n};\nfn f() { super::wire::g(); super::super::up() }\n");
    assert_eq!(
        imports(&code, 1),
        [(2, "json".to_owned()), (3, "ring".to_owned()), (5, "wire".to_owned())],
        "the name after `super` is a module of the root, in a file of the root"
    );
    assert_eq!(imports("super::super::gate::x; super::own::y", 2), [(1, "gate".to_owned())]);
}

/// Whether `line` holds `word` with no letter after it.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| word.ends_with(':') || !line[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Whether `line` holds the absolute `path`, not one that only ends like it (`../root/`).
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-".contains(c)))
}

/// Fails with every fault, a line each.
fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files below `folder` with one of the extensions (a file without one counts by its name), relative to the root, in order.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root().join(folder)];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())).flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                if !["target", ".git", ".cross", "artifacts", "corpus"].iter().any(|skip| name == *skip) {
                    left.push(path);
                }
            } else if let Some(ending) = path.extension().or(path.file_name()).and_then(|e| e.to_str())
                && extensions.contains(&ending)
            {
                found.push(path.strip_prefix(root()).expect("below the root").to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// The sources of the program: no file or folder `tests` among them.
fn modules() -> Vec<PathBuf> {
    let is_test = |file: &PathBuf| file.iter().any(|part| part == "tests" || part == "tests.rs");
    files("src", &["rs"]).into_iter().filter(|file| !is_test(file)).collect()
}

/// The module of the crate that a file below `src` belongs to; `None` for `lib.rs` and `main.rs`.
fn module_of(file: &Path) -> Option<String> {
    let first = file.strip_prefix("src").ok()?.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib" && name != "main").then(|| name.to_owned())
}

/// How many modules deep a file is: 1 for `src/ring.rs` and `src/wire/mod.rs`, 2 for `src/wire/head.rs`.
fn depth_of(file: &Path) -> usize {
    file.components().count() - 1 - usize::from(file.ends_with("mod.rs"))
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The text up to the test module, which style puts last.
fn without_tests(code: &str) -> String {
    let end = code.find("#[cfg(test)]\nmod ").unwrap_or(code.len());
    code[..end].to_owned()
}

/// The modules of the crate's root that `code` names by `crate::` or by enough `super::`, with their lines.
fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let ups = "super::".repeat(depth);
    for start in ["crate::", ups.as_str()] {
        let mut from = 0;
        while let Some(at) = code[from..].find(start).map(|at| from + at) {
            from = at + start.len();
            let whole_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if !whole_word || code[from..].starts_with("super::") {
                continue;
            }
            for (offset, name) in first_names(&code[from..]) {
                found.push((code[..from + offset].matches('\n').count() + 1, name));
            }
        }
    }
    found.sort();
    found
}

/// The names that a path goes on with: one, or those at the top of a group in braces.
fn first_names(rest: &str) -> Vec<(usize, String)> {
    let word = |at: usize| -> String { rest[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    if !rest.starts_with('{') {
        let name = word(0);
        // A name alone after the root is an item of the root itself (a macro), not a module, unless a path or an end follows.
        return if name.is_empty() || rest[name.len()..].starts_with('!') { Vec::new() } else { vec![(0, name)] };
    }
    let (mut names, mut depth, mut fresh) = (Vec::new(), 0, false);
    for (at, c) in rest.char_indices() {
        match c {
            '{' => {
                depth += 1;
                fresh = depth == 1;
            }
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && (c.is_alphabetic() || c == '_') => {
                names.push((at, word(at)));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// The source with comments, strings and character literals blanked; line ends stay.
fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    let blank = |out: &mut String, c: char| out.push(if c == '\n' { '\n' } else { ' ' });
    while at < chars.len() {
        let rest = &chars[at..];
        let end = match rest {
            ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => at + block_comment(rest),
            ['r', '"', ..] | ['r', '#', '"' | '#', ..]
                if !at.checked_sub(1).is_some_and(|b| chars[b].is_alphanumeric() && chars[b] != 'b') =>
            {
                at + raw_string(rest)
            }
            ['"', ..] => at + quoted(rest, '"'),
            ['\'', '\\', ..] | ['\'', _, '\'', ..] => at + quoted(rest, '\''),
            _ => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        for c in &chars[at..end] {
            blank(&mut out, *c);
        }
        at = end;
    }
    out
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 1; // a raw name such as r#type
    }
    let mut at = 2 + hashes;
    while at < rest.len() {
        if rest[at] == '"' && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    rest.len()
}

fn quoted(rest: &[char], mark: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == mark => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The lines after the one that `start` opens, up to `end`.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let from = text.find(start).unwrap_or_else(|| panic!("no {start}"));
    let from = from + text[from..].find('\n').unwrap_or(0);
    &text[from..from + text[from..].find(end).unwrap_or_else(|| panic!("no {end}"))]
}

/// The cells of one line of a Markdown table.
fn cells(line: &str) -> Vec<String> {
    line.trim().trim_start_matches('|').trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// `65536` as `65,536`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
