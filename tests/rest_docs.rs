//! The management API's two descriptions, `docs/rest.md` and `docs/openapi.yaml`, against the router's table: every route stands in
//! both, and nothing stands there that is no route.

use std::{collections::BTreeSet, fs, sync::Arc};

use pushgate::{api::routes::ROUTES, config::yaml};
use serde_json::{Map, Value};

type Routes = BTreeSet<(String, String)>;

fn read(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A path with its parameters as the router writes them.
fn bare(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn routes() -> Routes {
    ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect()
}

fn compare(name: &str, described: &Routes) {
    let routes = routes();
    let missing: Vec<_> = routes.difference(described).collect();
    let beyond: Vec<_> = described.difference(&routes).collect();
    assert!(missing.is_empty() && beyond.is_empty(), "{name}: not described: {missing:?}; no route: {beyond:?}");
}

fn openapi() -> Map<String, Value> {
    match yaml::parse(&Arc::from("openapi.yaml"), &read("docs/openapi.yaml"), 1).expect("YAML").to_json() {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

/// Every operation: method, path as written, its object.
fn operations(api: &Map<String, Value>) -> Vec<(String, String, Map<String, Value>)> {
    let mut found = Vec::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("a path item") {
            if method != "parameters" {
                found.push((method.to_ascii_uppercase(), path.clone(), operation.as_object().expect("an operation").clone()));
            }
        }
    }
    found
}

#[test]
fn rest_md_names_every_route() {
    let mut described = Routes::new();
    for line in read("docs/rest.md").lines().filter(|line| line.starts_with("| `")) {
        let cell = line.split('`').nth(1).unwrap_or_default();
        if let Some((method, path)) = cell.split_once(' ')
            && path.starts_with('/')
        {
            assert!(described.insert((method.to_owned(), bare(path))), "{cell} stands twice");
        }
    }
    compare("docs/rest.md", &described);
}

#[test]
fn openapi_describes_every_route() {
    let api = openapi();
    let described = operations(&api).into_iter().map(|(method, path, _)| (method, bare(&path))).collect();
    compare("docs/openapi.yaml", &described);
}

#[test]
fn openapi_is_whole() {
    let api = openapi();
    assert_eq!(api["openapi"], "3.0.3");
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&api) {
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(ids.insert(id.clone()), "{id} stands twice");
        assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{method} {path}: summary");
        assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{method} {path}: responses");
        let named: Vec<&str> = path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}')).collect();
        let item = &api["paths"][path.as_str()];
        let told: Vec<&str> = item["parameters"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
        assert_eq!(told, named, "{path}: parameters");
    }
    // Every reference leads somewhere.
    let text = read("docs/openapi.yaml");
    for reference in text.split("'#/").skip(1).filter_map(|rest| rest.split('\'').next()) {
        let target = reference.split('/').try_fold(&Value::Object(api.clone()), |at, key| at.get(key)).cloned();
        assert!(target.is_some_and(|t| !t.is_null()), "{reference} leads nowhere");
    }
}

#[test]
fn rest_md_explains_the_bodies_it_names() {
    let (text, api) = (read("docs/rest.md"), openapi());
    let (routes, bodies) = text.split_once("## Bodies").expect("its last part");
    for line in routes.lines().filter(|line| line.starts_with("| `")) {
        let Some(body) = line.split('|').nth(2).map(str::trim).filter(|cell| cell.starts_with('`')) else { continue };
        assert!(bodies.contains(&format!("| {body} |")), "{body} is not explained");
        let name = body.trim_matches('`');
        assert!(api["components"]["schemas"].get(name).is_some(), "{name} is no schema of openapi.yaml");
    }
}
