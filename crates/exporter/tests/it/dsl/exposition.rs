//! A page of metrics, read strictly.

use sentry_sandbox::ORGANIZATION;
use std::collections::BTreeMap;

pub type Labels = BTreeMap<String, String>;

/// Pairs as labels.
pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

/// The series of a page, and its text.
#[derive(Debug)]
pub struct Exposition {
    pub text: String,
    series: BTreeMap<(String, Labels), f64>,
}

impl Exposition {
    /// Reads classic text. Panics where a reader would stumble: a series twice, one without HELP and TYPE, or of another
    /// family than the one under way.
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'), "{text}");
        let mut series = BTreeMap::new();
        let (mut family, mut families) = (String::new(), Vec::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                rest.split(' ')
                    .next()
                    .expect("a name")
                    .clone_into(&mut family);
                assert!(!families.contains(&family), "{family} stands twice");
                families.push(family.clone());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(name, family);
                assert!(matches!(kind, "counter" | "gauge" | "untyped"), "{kind}");
            } else {
                let (name, labels, value) = sample(line);
                assert_eq!(name, family, "{line}");
                let value: f64 = value.parse().expect("a number");
                let before = series.insert((name, labels), value);
                assert!(before.is_none(), "twice: {line}");
            }
        }
        Self {
            text: text.to_owned(),
            series,
        }
    }

    /// The value of one series, all of whose labels are these.
    pub fn value(&self, name: &str, pairs: &[(&str, &str)]) -> Option<f64> {
        let key = (name.to_owned(), labels(pairs));
        self.series.get(&key).copied()
    }

    /// Whether the organization could be read.
    pub fn up(&self) -> Option<f64> {
        self.value("sentry_up", &[("organization", ORGANIZATION)])
    }

    /// The same of one server of several.
    pub fn up_of(&self, server: &str) -> Option<f64> {
        let labels = [("organization", ORGANIZATION), ("server", server)];
        self.value("sentry_up", &labels)
    }

    /// The labels of all series.
    pub fn labels(&self) -> impl Iterator<Item = &Labels> {
        self.series.keys().map(|(_, labels)| labels)
    }

    /// The series of one name.
    pub fn all(&self, name: &str) -> BTreeMap<Labels, f64> {
        let own = self.series.iter().filter(|((own, _), _)| own == name);
        own.map(|((_, labels), value)| (labels.clone(), *value))
            .collect()
    }

    /// The sum of the series of one name that have these labels among others.
    pub fn sum(&self, name: &str, pairs: &[(&str, &str)]) -> f64 {
        let has = |labels: &Labels| {
            let mut pairs = pairs.iter();
            pairs.all(|(name, value)| labels.get(*name).is_some_and(|own| own == value))
        };
        let own = self.all(name);
        own.iter()
            .filter(|(labels, _)| has(labels))
            .map(|(_, value)| value)
            .sum()
    }
}

fn sample(line: &str) -> (String, Labels, &str) {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, rest) = line.split_at(end);
    let mut labels = Labels::new();
    let mut rest = rest;
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, behind) = rest.split_once("=\"").expect("a label");
            let (value, behind) = quoted(behind);
            assert!(
                labels
                    .insert(label.trim_start_matches(',').to_owned(), value)
                    .is_none()
            );
            rest = behind;
        }
        rest = &rest[1..];
    }
    (name.to_owned(), labels, rest.trim())
}

/// The text up to the closing quote, and what follows.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next().expect("an escaped letter").1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    panic!("no closing quote: {text}")
}
