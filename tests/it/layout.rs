//! The layout of the sources: which file may know which.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of each crate that must not form a circle.
fn crates() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let libraries = fs::read_dir(root.join("crates")).expect("crates/");
    let libraries = libraries.map(|entry| entry.expect("an entry").path().join("src"));
    let own = [root.join("src"), root.join("sandbox/src")];
    own.into_iter()
        .chain(libraries)
        .filter(|folder| folder.is_dir())
        .collect()
}

/// The sources of a crate by the paths of their modules, without what is compiled for tests only.
fn modules(folder: &Path) -> BTreeMap<String, String> {
    let (mut modules, mut tests) = (BTreeMap::new(), Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(folder)
                    .expect("below it")
                    .with_extension("");
                let name = name.to_str().expect("UTF-8").replace('/', "::");
                let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
                let text = fs::read_to_string(&path).expect("a source");
                tests.extend(test_modules(&text).map(|test| match name.as_str() {
                    "lib" | "main" => test.to_owned(),
                    above => format!("{above}::{test}"),
                }));
                modules.insert(name, without_tests(&text));
            }
        }
    }
    modules.retain(|name, _| !tests.contains(name));
    modules
}

/// The files that a source declares for tests only.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    let declared = text.split("#[cfg(test)]\n").skip(1);
    declared.filter_map(|rest| {
        let declaration = rest.lines().next()?.strip_suffix(';')?;
        Some(declaration.split_once("mod ")?.1)
    })
}

fn without_tests(text: &str) -> String {
    let code = text
        .split_once("#[cfg(test)]\nmod ")
        .map_or(text, |(code, _)| code);
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// All `crate::…` paths of a source, those of `use crate::{a, b::c}` too.
fn paths(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            tree("", &text[at + "crate::".len()..], &mut found);
        }
    }
    found
}

/// Reads one tree of a `use`; returns what follows it.
fn tree<'a>(above: &str, text: &'a str, found: &mut BTreeSet<String>) -> &'a str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let (path, rest) = text.split_at(end.unwrap_or(text.len()));
    let path = format!("{above}{path}");
    let Some(mut rest) = rest
        .strip_prefix('{')
        .filter(|_| path.is_empty() || path.ends_with("::"))
    else {
        found.insert(path);
        return rest;
    };
    while !rest.trim_start().starts_with('}') && !rest.trim_start().is_empty() {
        rest = tree(&path, rest.trim_start(), found).trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
        if let Some(after) = rest.strip_prefix("as ") {
            rest = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        }
        if !rest
            .starts_with(|c: char| c.is_whitespace() || c == '}' || c == ',' || c.is_alphanumeric())
        {
            break;
        }
    }
    rest.trim_start().strip_prefix('}').unwrap_or(rest)
}

/// The module that a path leads into: the longest that there is.
fn module<'a>(path: &str, modules: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let parts: Vec<&str> = path.split("::").collect();
    let longest = (1..=parts.len())
        .rev()
        .map(|length| parts[..length].join("::"));
    longest
        .filter_map(|name| modules.get_key_value(&name))
        .map(|(name, _)| name.as_str())
        .next()
}

type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn graph(modules: &BTreeMap<String, String>) -> Graph<'_> {
    let own = modules
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "lib" | "main"));
    own.map(|(name, text)| {
        let known = paths(text);
        let known = known.iter().filter_map(|path| module(path, modules));
        (name.as_str(), known.filter(|other| other != name).collect())
    })
    .collect()
}

/// A circle through `at`, if the files seen so far lead into one.
fn circle<'a>(
    at: &'a str,
    graph: &Graph<'a>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<String> {
    if let Some(begin) = way.iter().position(|seen| *seen == at) {
        return Some([&way[begin..], &[at]].concat().join(" -> "));
    }
    if done.contains(at) {
        return None;
    }
    way.push(at);
    let found = graph
        .get(at)
        .into_iter()
        .flatten()
        .find_map(|next| circle(next, graph, way, done));
    way.pop();
    done.insert(at);
    found
}

#[test]
fn no_files_form_a_circle() {
    let mut circles = Vec::new();
    for folder in crates() {
        let modules = modules(&folder);
        let graph = graph(&modules);
        let mut done = BTreeSet::new();
        let found = graph
            .keys()
            .find_map(|name| circle(name, &graph, &mut Vec::new(), &mut done));
        circles.extend(found.map(|circle| format!("{}: {circle}", folder.display())));
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let text = "use crate::a::B;\nuse crate::{c, d::{E, f::G}, h as i};\nfn x() { crate::j::k(); other_crate::l(); }";
    let expected = ["a::B", "c", "d::E", "d::f::G", "h", "j::k"];
    assert_eq!(paths(text), expected.map(str::to_owned).into());
    let sources = [
        ("a", "use crate::b::X;"),
        ("b", "use crate::c;"),
        ("c", "use crate::{a::Y, b::Z};"),
        ("d", "use crate::a;"),
    ];
    let modules = sources
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    let found = circle("d", &graph(&modules), &mut Vec::new(), &mut BTreeSet::new());
    assert_eq!(found.as_deref(), Some("a -> b -> c -> a"));
    let text = "mod a;\n#[cfg(test)]\npub(crate) mod b;\n#[cfg(test)]\nmod tests {\n}";
    assert!(test_modules(text).eq(["b"]));
}

#[test]
fn no_library_depends_on_the_tap() {
    for folder in crates() {
        let manifest = folder.parent().expect("a crate").join("Cargo.toml");
        if folder.parent() == Some(Path::new(env!("CARGO_MANIFEST_DIR"))) {
            continue;
        }
        let text = fs::read_to_string(&manifest).expect("a manifest");
        let names = text
            .lines()
            .filter_map(|line| line.split(['=', '.', ' ']).next());
        assert!(
            names.into_iter().all(|name| name != "tap-sentry"),
            "{}",
            manifest.display()
        );
    }
}

#[test]
fn each_file_opens_with_what_it_holds() {
    for folder in crates() {
        for entry in walk(&folder) {
            let text = fs::read_to_string(&entry).expect("a source");
            assert!(text.starts_with("//! "), "{}", entry.display());
        }
    }
}

#[test]
fn no_stream_is_named_in_code_but_in_its_entry() {
    let modules = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut named = Vec::new();
    for (module, text) in modules
        .iter()
        .filter(|(name, _)| !name.starts_with("streams"))
    {
        for stream in tap_sentry::streams::STREAMS {
            if text.contains(&format!("\"{}\"", stream.name())) {
                named.push(format!("{module}: {}", stream.name()));
            }
        }
    }
    assert!(named.is_empty(), "{named:#?}");
}

/// Keys that the code writes or reads for another reason than that Sentry has them.
const WORDS: &[(&str, &str)] = &[
    ("description", "a word of JSON Schema"),
    ("type", "a word of JSON Schema, and of Singer's messages"),
    (
        "value",
        "what a column is called that is made for one value",
    ),
    ("version", "a word of Singer's messages"),
];

/// The names of all properties, at every depth.
fn properties<'a>(schema: &'a Value, found: &mut BTreeSet<&'a str>) {
    let named = schema.get("properties").and_then(Value::as_object);
    for (name, property) in named.into_iter().flatten() {
        found.insert(name);
        properties(property, found);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(below) = schema.get(below) {
            properties(below, found);
        }
    }
}

/// The names that stand in the code as text, alone or as a key of JSON.
fn literals<'a>(text: &str, names: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let text = text.replace("\\\"", "\"");
    let names = names.iter().copied();
    names
        .filter(|name| text.contains(&format!("\"{name}\"")))
        .collect()
}

#[test]
fn no_key_of_sentrys_stands_in_code_that_is_for_every_stream() {
    let schemas: Vec<Value> = tap_sentry::streams::STREAMS
        .iter()
        .map(|def| serde_json::from_str(def.schema).expect("a schema"))
        .collect();
    let mut names = BTreeSet::new();
    for schema in &schemas {
        properties(schema, &mut names);
    }
    assert!(names.contains("dateCreated"), "of a nested object too");
    for (word, _) in WORDS {
        assert!(
            names.remove(word),
            "`{word}` is no key of a schema any more"
        );
    }
    assert_eq!(
        literals(
            r#"f("dateCreated", r"{\"culprit\":1}", "isPublic?")"#,
            &names
        ),
        ["culprit", "dateCreated"]
    );
    let modules = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let for_every_stream = modules
        .iter()
        .filter(|(name, _)| name.starts_with("record") || name.starts_with("sync"));
    let mut found = Vec::new();
    for (module, text) in for_every_stream {
        let literals = literals(text, &names);
        found.extend(literals.iter().map(|name| format!("{module}: {name}")));
    }
    assert!(found.is_empty(), "belongs into src/streams: {found:#?}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            walk(&path)
        } else {
            vec![path]
        }
    });
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
