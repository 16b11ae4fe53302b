//! The schema of a stream's rows, from one run to the next: columns may come, and none goes or changes its type.

use crate::column::{Column, Kind};
use crate::error::{Error, OtherType};
use crate::folder::Folder;
use crate::row::{added_columns, is_added};
use crate::stream::Stream;
use serde_json::{Value, json};

/// The schema with the columns that are added.
pub fn with_added(stream: &Stream) -> Value {
    let mut schema = stream.schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut()) {
        for column in added_columns(stream.table_version.is_some()) {
            let of_type = match column.kind {
                Kind::Instant => json!({"type": "string", "format": "date-time"}),
                _ => json!({"type": "integer"}),
            };
            properties.insert(column.name, of_type);
        }
    }
    schema
}

/// The columns of a record, of all that files have: a reader that takes the columns of the newest file finds those that this
/// run does not select too, and no struct in it lacks a member that one in an older file has.
pub fn own_columns(schema: &Value) -> Vec<Column> {
    let mut columns = Column::all(schema);
    columns.retain(|column| !is_added(&column.name));
    columns
}

/// Files that an earlier run has written may have columns that this one does not select: the schema is of all files.
pub fn keep_members(schema: &mut Value, before: &Value) {
    let Some(old) = before.get("properties").and_then(Value::as_object) else {
        return;
    };
    if let Some(new) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, old) in old {
            match new.get_mut(name) {
                Some(new) => keep_members(new, old),
                None => {
                    new.insert(name.clone(), old.clone());
                }
            }
        }
    } else if let (Some(new), Some(old)) = (schema.get_mut("items"), before.get("items")) {
        keep_members(new, old);
    }
}

/// How many columns of before there are not in the schema.
pub fn missing(schema: &Value, before: &Value) -> usize {
    let (now, before) = (Column::all(schema), Column::all(before));
    let is_there = |column: &&Column| now.iter().any(|other| other.name == column.name);
    before.len() - before.iter().filter(is_there).count()
}

/// Whether there are new columns, at any depth.
pub fn lacks_any(old: &[Column], new: &[Column]) -> bool {
    fn kind_lacks(old: &Kind, new: &Kind) -> bool {
        match (old, new) {
            (Kind::Struct(old), Kind::Struct(new)) => lacks_any(old, new),
            (Kind::List(old), Kind::List(new)) => kind_lacks(old, new),
            _ => false,
        }
    }
    new.iter().any(|column| {
        let same = old.iter().find(|other| other.name == column.name);
        same.is_none_or(|other| kind_lacks(&other.kind, &column.kind))
    })
}

/// Readers read all files of a stream as one table: a column has one type in all of them.
pub fn keeps_types(folder: &Folder, stream: &Stream) -> Result<(), Error> {
    let Some(before) = folder.schema(&stream.name)? else {
        return Ok(());
    };
    if folder.files(&stream.name)?.is_empty() {
        return Ok(());
    }
    let before = Column::all(&before);
    for column in stream.columns() {
        let old = before.iter().find(|old| old.name == column.name);
        if let Some(old) = old.filter(|old| !fits(&old.kind, &column.kind)) {
            return Err(Error::OtherType(Box::new(OtherType {
                path: folder.path().to_owned(),
                stream: stream.name.clone(),
                column: column.name,
                before: old.kind.to_string(),
                now: column.kind.to_string(),
            })));
        }
    }
    Ok(())
}

/// Whether files of both types are read as one: structs may have other members, as long as common ones have one type.
fn fits(old: &Kind, new: &Kind) -> bool {
    match (old, new) {
        (Kind::Struct(old), Kind::Struct(new)) => new.iter().all(|member| {
            let same = old.iter().find(|other| other.name == member.name);
            same.is_none_or(|other| fits(&other.kind, &member.kind))
        }),
        (Kind::List(old), Kind::List(new)) => fits(old, new),
        (old, new) => old == new,
    }
}
