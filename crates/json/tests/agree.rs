//! Agrees with `serde_json` on any text: what is accepted, what is read, what is copied.

use proptest::prelude::*;
use rstest::rstest;
use tap_sentry_json::{Body, Document, Repairs, Value};

fn copied(json: &str) -> (String, Repairs) {
    let (mut out, mut repairs) = (Vec::new(), Repairs::default());
    let doc = Document::parse(json.as_bytes(), 4).expect("valid JSON");
    assert_eq!(doc.text(doc.root()).len(), json.len());
    doc.copy(doc.root(), 0, &mut out, &mut repairs);
    (String::from_utf8(out).expect("UTF-8"), repairs)
}

/// Everything that the document says, read by steps, as `serde_json` has it.
fn tree(doc: &Document<'_>, value: Value) -> serde_json::Value {
    match doc.byte(value) {
        b'{' => {
            let mut object = serde_json::Map::new();
            for (key, value) in doc.members(value) {
                let key: String =
                    serde_json::from_slice(&[b"\"", key, b"\""].concat()).expect("a key");
                object.insert(key, tree(doc, value));
            }
            object.into()
        }
        b'[' => doc.elements(value).map(|value| tree(doc, value)).collect(),
        _ => serde_json::from_slice(doc.text(value)).expect("a scalar"),
    }
}

/// Whether we and `serde_json` agree on it; whatever comes out of a copy, `serde_json` reads.
fn agree(json: &[u8]) {
    let ours = Document::parse(json, 4);
    for piece in [1, 7, 63, 64, 65, 130] {
        let mut body = Body::expecting(json.len(), 4);
        json.chunks(piece).for_each(|piece| body.push(piece));
        match (&ours, body.document()) {
            (Ok(whole), Ok(pieces)) => assert_eq!(format!("{pieces:?}"), format!("{whole:?}")),
            (whole, pieces) => assert_eq!(
                whole.as_ref().err(),
                pieces.err().as_ref(),
                "in pieces of {piece}"
            ),
        }
        assert_eq!(body.take(), json);
    }
    let theirs = serde_json::from_slice::<serde_json::Value>(json);
    match &ours {
        Ok(doc) => {
            let (mut out, mut repairs) = (Vec::new(), Repairs::default());
            doc.copy(doc.root(), 0, &mut out, &mut repairs);
            let copy = serde_json::from_slice::<serde_json::Value>(&out);
            assert!(
                copy.is_ok(),
                "{} -> {}",
                String::from_utf8_lossy(json),
                String::from_utf8_lossy(&out)
            );
            assert!(!out.iter().any(|b| matches!(b, b'\n' | b'\r' | b'\t')));
            if let Ok(copy) = &copy {
                lines_are_read_without_a_check(&out, copy);
            }
            if let Ok(theirs) = theirs {
                assert_eq!(tree(doc, doc.root()), theirs);
                for depth in [0, 1, 2, usize::MAX] {
                    let other = Document::parse(json, depth).expect("the same body");
                    assert_eq!(tree(&other, other.root()), theirs, "{depth} indexed");
                }
                if !repairs.any() {
                    assert_eq!(copy.expect("checked"), theirs);
                }
            } else {
                // Lone surrogates and huge exponents, which Sentry's answers may hold; nothing else
                // differs.
                assert!(
                    repairs.characters + repairs.numbers > 0,
                    "{}",
                    String::from_utf8_lossy(json)
                );
            }
        }
        Err(e) => assert!(theirs.is_err(), "{e}: {}", String::from_utf8_lossy(json)),
    }
}

fn lines_are_read_without_a_check(line: &[u8], expected: &serde_json::Value) {
    let text = [line, b"\n"].concat().repeat(3);
    for depth in [1, 2, 16] {
        let doc = Document::of_lines(&text, depth).expect("a short text");
        let lines: Vec<_> = doc.lines().map(|line| tree(&doc, line)).collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), [expected; 3]);
        assert!(doc.lines().all(|value| doc.text(value) == line));
    }
}

#[test]
fn a_value_is_copied_as_it_is_written() {
    for json in [
        r#"{"a":[1,2.50,-0,1e5,"x\n\u00e9😀",true,false,null,{}],"b":{"c":[]}}"#,
        "12345678901234567",
        r#""\ud83d\ude00""#,
        "null",
    ] {
        assert_eq!(copied(json), (json.to_owned(), Repairs::default()));
    }
}

#[test]
fn line_breaks_between_tokens_are_left_out() {
    assert_eq!(
        copied("{\n\t\"a\": [\r\n1 ,\n 2]\n}").0,
        r#"{"a": [1 , 2]}"#
    );
}

#[test]
fn nul_and_lone_surrogates_become_the_replacement_character() {
    let (json, repairs) =
        copied(r#"["a\u0000b","\ud800","\udc00x",{"\ud800\ud83d\ude00":"\\u0000"}]"#);
    assert_eq!(
        json,
        "[\"a\u{fffd}b\",\"\u{fffd}\",\"\u{fffd}x\",{\"\u{fffd}\\ud83d\\ude00\":\"\\\\u0000\"}]"
    );
    assert_eq!(repairs.characters, 4);
}

#[test]
fn numbers_beyond_64_bits_become_strings() {
    let (json, repairs) = copied(
        "[9223372036854775807,9223372036854775808,1e400,-1E-400,\"\\u0000\",9223372036854775808]",
    );
    assert_eq!(
        json,
        "[9223372036854775807,\"9223372036854775808\",\"1e400\",-1E-400,\"\u{fffd}\",\"9223372036854775808\"]"
    );
    assert_eq!(
        repairs,
        Repairs {
            characters: 1,
            numbers: 3,
            depth: 0
        }
    );
    // However short what is copied is.
    for (json, expected) in [
        ("2e308", r#""2e308""#),
        ("[9e999]", r#"["9e999"]"#),
        ("1e99", "1e99"),
    ] {
        assert_eq!(copied(json).0, expected);
    }
}

#[test]
fn what_is_nested_too_deeply_becomes_null_without_recursion() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let (json, repairs) = copied(&deep);
    assert_eq!(json, format!("{}null{}", "[".repeat(100), "]".repeat(100)));
    assert_eq!(repairs.depth, 1);
    assert!(Document::parse(&deep.as_bytes()[1..], 4).is_err());
    let (json, repairs) = copied(&format!(
        "[{}1,{{\"a\":[]}}{},[[2]],\"\\u0000\"]",
        "[".repeat(98),
        "]".repeat(98)
    ));
    assert_eq!(
        json,
        format!(
            "[{}1,{{\"a\":null}}{},[[2]],\"\u{fffd}\"]",
            "[".repeat(98),
            "]".repeat(98)
        )
    );
    assert_eq!(
        repairs,
        Repairs {
            characters: 1,
            numbers: 0,
            depth: 1
        }
    );
}

#[test]
fn kinds_of_containers_are_known_at_every_depth() {
    for depth in [1, 3, 4, 5, 62, 63, 64, 65, 100, 120] {
        let (open, close): (String, Vec<&str>) = (0..depth)
            .map(|i| {
                if i % 3 == 0 {
                    ("{\"k\":", "}")
                } else {
                    ("[", "]")
                }
            })
            .unzip();
        let close: String = close.into_iter().rev().collect();
        for inner in [
            "1",
            "1,2",
            "1,\"a\":2",
            "\"a\":2",
            "}",
            "]",
            "[1]}",
            "{}]",
            "",
            "{\"a\":[1,2],\"b\":3}",
        ] {
            agree(format!("{open}{inner}{close}").as_bytes());
            agree(format!("[{open}{inner}{close},{{\"x\":{open}{inner}{close}}}]").as_bytes());
            agree(format!("{open}{inner}{close}]").as_bytes());
        }
    }
}

#[test]
fn keys_are_copied_with_the_same_repairs() {
    let json = br#"[{"a\u0000" : 1,"b":"\ud800"}]"#;
    let doc = Document::parse(json, 4).expect("valid JSON");
    let row = doc.elements(doc.root()).next().expect("a row");
    let mut out = Vec::new();
    for (key, value) in doc.members(row) {
        doc.copy_key(value, key, &mut out);
    }
    assert_eq!(out, "a\u{fffd}b".as_bytes());
}

#[test]
fn the_first_of_equal_keys_is_found() {
    let json = br#"{"a":{"b":2,"c":"x"},"a":{"b":1}}"#;
    let doc = Document::parse(json, 4).expect("valid JSON");
    let lookup = |path: &[&str]| doc.lookup(doc.root(), path).map(|value| doc.text(value));
    assert_eq!(lookup(&["a", "b"]), Some(&b"2"[..]));
    assert_eq!(lookup(&["a", "d"]), None);
    assert_eq!(lookup(&["a", "c", "d"]), None);
    assert_eq!(lookup(&[]), Some(&json[..]));
}

#[rstest]
#[case::at_every_place_of_two_blocks("1234567890123456789012345678901234567890")]
#[case::longer_than_what_is_looked_ahead(&"7".repeat(300))]
#[case::a_word("false")]
#[case::an_escape("\"\\ud83d\\ude00\"")]
#[case::no_number("-")]
#[case::no_word("nul")]
fn what_arrives_in_pieces_is_what_arrives_at_once(#[case] value: &str) {
    for before in 0..140 {
        agree(format!("[\"{}\",{value}]", "x".repeat(before)).as_bytes());
        agree(format!("{}{value}", " ".repeat(before)).as_bytes());
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for json in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "01",
        "1.",
        "-",
        "1e",
        "\"\n\"",
        r#""\x""#,
        r#""\u12g4""#,
        "[1}",
        "{\"a\":1]",
        "nul",
        "[\"a",
        "\"",
        "[tru]",
        "[nullx]",
        "1,2",
        "1 2",
        "[]]",
        "[],",
        ",[]",
        "\"a\":1",
        "{\"a\":\"b\":1}",
        "{\"a\":1,2}",
        "{\"a\":1,\"b\"}",
        "[\"a\":1]",
        "[1,\"a\":1]",
        "{\"a\"}",
        "{,}",
        "[,]",
        "[\"a\"\"b\"]",
        "[1[2]]",
        "{{}}",
        "\\",
        "[\"\\",
        "[1\\]",
        "\u{7f}",
    ] {
        assert!(Document::parse(json.as_bytes(), 4).is_err(), "{json}");
        for at in 0..64 {
            // At every place of a block, and behind white space that spans one.
            agree(format!("{}{json}", " ".repeat(at)).as_bytes());
            agree(format!("[\"{}\",{json}]", "x".repeat(at)).as_bytes());
            agree(
                format!(
                    "{{\"k{}\":{json}{}}}",
                    "x".repeat(130 + at),
                    "\n".repeat(at)
                )
                .as_bytes(),
            );
            agree(format!("{{\"a\":0,\"k\"{}:{json}}}", " ".repeat(at)).as_bytes());
        }
        assert!(
            serde_json::from_str::<serde_json::Value>(json).is_err(),
            "{json}"
        );
    }
}

#[test]
fn errors_name_the_place() {
    let error = |json: &[u8]| Document::parse(json, 4).expect_err("malformed").to_string();
    assert_eq!(error(b"[1,\"\n\"]"), "a control character at byte 4");
    assert_eq!(
        error(b"[1 1]"),
        "a token that JSON does not allow here at byte 3"
    );
    assert_eq!(error(b"[\"\xff\"]"), "a byte that is not UTF-8 at byte 2");
    assert_eq!(
        error(b"[1] x"),
        "neither a number nor true, false or null at byte 4"
    );
    assert_eq!(error(b"[\"abc"), "the text ends within a string at byte 5");
}

#[test]
fn every_token_is_understood_at_every_place_of_a_block() {
    let values = [
        r#""""#,
        r#""\"""#,
        r#""\\""#,
        r#""\\\"\\""#,
        r#""\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\""#,
        r#""\u0000\ud83d\ude00\ud83d""#,
        r#""☃{[,:]}""#,
        "-12.5e+3",
        "null",
        "12345678901234567890",
        r#"{"a":{"b":[]},"c":[{},[1,"x"]]}"#,
        "[ 1 , \"a\" , { \"b\" : true } ]",
        "{ }",
        r#""\ud800\u0041""#,
        r#""\ud800\ud800\udc00""#,
    ];
    for value in values {
        for at in 0..130 {
            agree(
                format!(
                    "[\"{}\",{value},{{\"k\":{value},\"l\":{value}}}]",
                    "x".repeat(at)
                )
                .as_bytes(),
            );
            agree(format!("[{}{value}{},{value}]", " ".repeat(at), "\n".repeat(at)).as_bytes());
            agree(format!("{{\"{}\"{}:{value}}}", "k".repeat(at), "\t".repeat(at)).as_bytes());
            agree(
                format!(
                    "{{\"a\":1,{}\"{}\" :{value}}}",
                    " ".repeat(at),
                    "k".repeat(2 * at)
                )
                .as_bytes(),
            );
        }
        // Cut anywhere, it is no longer whole.
        let whole = format!("[{value},{value}]");
        for cut in 0..whole.len() {
            agree(&whole.as_bytes()[..cut]);
        }
    }
}

/// JSON-like text: tokens that are mostly in an order that JSON allows, long enough to span blocks.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => Just("{".to_owned()), 4 => Just("}".to_owned()), 4 => Just("[".to_owned()), 4 => Just("]".to_owned()),
        6 => Just(",".to_owned()), 6 => Just(":".to_owned()), 6 => Just("\"k\":".to_owned()), 2 => Just(",\"k\":".to_owned()),
        6 => r#""([a{,:"\\ ]|\\["\\nu]|\\u0041){0,70}""#, 4 => "-?[0-9.e]{1,10}", 4 => "(true|false|null)", 2 => "[ \n]{1,70}",
    ];
    proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// Valid JSON as `serde_json` writes it, compact or over many lines.
fn valid() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e9..1e9).prop_map(|n: f64| n.into()),
        "[a-z\"\\\\/\n☃{}:,]{0,40}".prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::btree_map("[a-z\"\\\\]{0,12}", inner, 0..6)
                .prop_map(|map| map.into_iter().collect()),
        ]
    });
    (value, any::<bool>()).prop_map(|(value, pretty)| {
        if pretty {
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string(&value)
        }
        .expect("JSON")
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_any_text(json in r#"[\[\]{}:,"\\u0-9a-f\-.eE+ntrulsx \n]{0,24}"#) {
        agree(json.as_bytes());
    }

    #[test]
    fn agrees_with_serde_json_on_any_tokens(json in tokens()) {
        agree(json.as_bytes());
    }

    #[test]
    fn agrees_with_serde_json_on_json(json in valid(), at in any::<prop::sample::Index>(), byte in prop::sample::select(b"{}[],:\"\\ \n1ntx\x01\xff".to_vec())) {
        prop_assert!(Document::parse(json.as_bytes(), 4).is_ok());
        agree(json.as_bytes());
        // With one byte changed, left out or put in.
        let mut bytes = json.into_bytes();
        let at = at.index(bytes.len());
        let old = std::mem::replace(&mut bytes[at], byte);
        agree(&bytes);
        bytes.insert(at, old);
        agree(&bytes);
        bytes.drain(at..at + 2);
        agree(&bytes);
    }

    #[test]
    fn never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(doc) = Document::parse(&bytes, 4) {
            let _ = doc.lookup(doc.root(), &["a"]);
        }
        agree(&bytes);
    }
}
