//! The columns that rows have which stand inside a row of the parent: those of the parent, and of their places.

use crate::record::schema::{Properties, Property};
use crate::streams::{Cut, InRow, Step};
use serde_json::Value;

/// How rows are found in the parent's rows, and what they have beside their own members.
#[derive(Debug)]
pub struct CutColumns {
    pub carried: Vec<Carried>,
    pub lists: Vec<List>,
    /// As the entry has it.
    pub pair: Option<[&'static str; 2]>,
}

/// A column of the parent's row.
#[derive(Debug)]
pub struct Carried {
    /// Without a schema where it is deselected.
    pub column: Property,
    pub path: &'static [&'static str],
    /// Its name, if it is part of the key.
    pub key: Option<&'static str>,
}

/// A list in the parent's row.
#[derive(Debug)]
pub struct List {
    pub steps: &'static [Step],
    /// The columns that tell it from the others, as they are written.
    pub fixed: String,
    /// The columns of the places, by level, each with the comma before it; empty where deselected.
    pub places: Vec<String>,
}

impl CutColumns {
    /// Takes the columns out of those that an element itself may have.
    pub fn new(cut: &Cut, key: &[&'static str], columns: &mut Properties) -> Self {
        let mut take = |name: &str| columns.get_or_add(name).schema.take();
        let carried = cut.carried.iter().map(|(name, path)| Carried {
            column: Property::new(name, take(name)),
            path,
            key: key.contains(name).then_some(*name),
        });
        let carried = carried.collect();
        // Several lists may have the same columns.
        let mut written: Vec<&str> = Vec::new();
        for list in cut.lists {
            for name in own_columns(list) {
                if take(name).is_some() {
                    written.push(name);
                }
            }
        }
        let label = |name: &str| {
            let label = || format!(",{}:", Value::from(name));
            written.contains(&name).then(label).unwrap_or_default()
        };
        let lists = cut.lists.iter().map(|list| List {
            steps: list.steps,
            fixed: list
                .fixed
                .iter()
                .map(|(name, value)| (label(name), value))
                .filter(|(label, _)| !label.is_empty())
                .fold(String::new(), |all, (label, value)| all + &label + value),
            places: places(list).map(label).collect(),
        });
        let lists = lists.collect();
        for name in cut.left_out {
            take(name);
        }
        Self {
            carried,
            lists,
            pair: cut.pair,
        }
    }
}

/// The columns of the places on the way to a list's elements.
fn places(list: &InRow) -> impl Iterator<Item = &'static str> {
    list.steps.iter().filter_map(|step| match step {
        Step::Each(column) => Some(*column),
        Step::Member(_) | Step::Where(..) => None,
    })
}

fn own_columns(list: &InRow) -> impl Iterator<Item = &'static str> {
    let fixed = list.fixed.iter().map(|(name, _)| *name);
    fixed.chain(places(list))
}
