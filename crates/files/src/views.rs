//! `views.sql`, for DuckDB: one view a stream, with the last row of each key, without rows that are gone.

use crate::column::{Column, quoted};
use crate::error::Error;
use crate::folder::{Folder, RowFile};
use crate::format::Format;
use crate::leaves::Leaves;
use crate::row::{SEQUENCE, TABLE_VERSION};
use std::fmt::Write;
use std::path::PathBuf;

const HEAD: &str = "-- For DuckDB, in this folder: duckdb -init views.sql
-- One view for each stream: the last row of each key, without rows that are gone.
";

/// The views of all streams of the folder, which do without the files that are going. Paths in it are relative to the folder.
pub fn render(folder: &Folder, going: &[PathBuf]) -> Result<String, Error> {
    let mut sql = HEAD.to_owned();
    for (stream, entry) in &folder.manifest.streams {
        let Some(schema) = folder.schema(stream)? else {
            continue;
        };
        let columns = Column::all(&schema);
        let view = quoted(stream);
        let _ = write!(sql, "\nCREATE OR REPLACE VIEW {view} AS\n");
        let mut files = folder.files(stream)?;
        let all = files.len();
        files.retain(|file| !going.contains(&file.path));
        let some_go = files.len() < all;
        if files.is_empty() {
            // A pattern that matches no file is an error.
            let nulls = columns.iter().map(|column| {
                format!(
                    "  CAST(NULL AS {}) AS {}",
                    column.kind,
                    quoted(&column.name)
                )
            });
            let nulls: Vec<_> = nulls.collect();
            let _ = write!(sql, "SELECT\n{}\nWHERE false;\n", nulls.join(",\n"));
            continue;
        }
        let _ = match folder.manifest.format {
            Format::Parquet => {
                sql.write_str(&parquet(folder, stream, &files, entry.widened, some_go)?)
            }
            Format::Jsonl => {
                let types = columns.iter().map(|column| {
                    let of_type = column.kind.to_string().replace('\'', "''");
                    format!("  {}: '{of_type}'", quoted(&column.name))
                });
                let types: Vec<_> = types.collect();
                write!(
                    sql,
                    "SELECT * FROM read_json('{stream}/*.jsonl*', format = 'newline_delimited', columns = {{\n{}\n}})\n",
                    types.join(",\n")
                )
            }
        };
        let least = [
            (TABLE_VERSION, entry.table_version),
            (SEQUENCE, entry.replaced_before),
        ];
        let least = least.iter().filter_map(|(column, least)| {
            least.map(|least| format!("{} >= {least}", quoted(column)))
        });
        let least: Vec<_> = least.collect();
        if !least.is_empty() {
            let _ = writeln!(sql, "WHERE {}", least.join(" AND "));
        }
        let keys: Vec<_> = entry.key_properties.iter().map(|key| quoted(key)).collect();
        if !keys.is_empty() {
            let _ = writeln!(
                sql,
                "QUALIFY row_number() OVER (PARTITION BY {} ORDER BY {} DESC) = 1",
                keys.join(", "),
                quoted(SEQUENCE)
            );
        }
        sql.pop();
        sql.push_str(";\n");
    }
    Ok(sql)
}

/// The rows of Parquet.
fn parquet(
    folder: &Folder,
    stream: &str,
    files: &[RowFile],
    widened: bool,
    some_go: bool,
) -> Result<String, Error> {
    let groups = if widened {
        Leaves::of(files)?.groups()
    } else {
        Vec::new()
    };
    if groups.is_empty() || groups.len() == 1 && !some_go {
        return Ok(format!(
            "SELECT * FROM read_parquet('{stream}/*.parquet', union_by_name = true)\n"
        ));
    }
    // DuckDB 2.0 fails to read files together where a struct lacks a member that is a struct, but unites what it has read.
    let groups = groups.iter().map(|group| {
        let paths = group.iter().map(|file| {
            let path = files[*file].path.strip_prefix(folder.path());
            let path = path.expect("files are in the folder").display();
            format!("'{path}'")
        });
        let paths: Vec<_> = paths.collect();
        format!("  SELECT * FROM read_parquet([{}])\n", paths.join(", "))
    });
    let groups: Vec<_> = groups.collect();
    Ok(format!(
        "SELECT * FROM (\n{})\n",
        groups.join("  UNION ALL BY NAME\n")
    ))
}

#[cfg(feature = "parquet")]
#[cfg(test)]
mod tests {
    use crate::{Begin, Folder, Format, Row, Stream, Writer, compact};
    use serde_json::{Value, json};
    use std::fs;
    use std::path::Path;
    use tap_sentry_json::Document;

    fn run(path: &Path, members: &Value, record: &str) {
        let stream = Stream {
            name: "s".to_owned(),
            schema: json!({"properties": {"id": {"type": "string"}, "o": {"type": "object", "properties": members}}}),
            key_properties: vec!["id".to_owned()],
            table_version: None,
        };
        let folder = Folder::open(path, Some(Format::Parquet)).expect("a folder");
        let mut writer = Writer::begin(folder, &[stream], Begin::GoOn).expect("a run begins");
        let document = Document::parse(record.as_bytes(), 4).expect("JSON");
        writer.append(0, &Row::of(&document)).expect("a row");
        writer.commit(b"{}").expect("a commit");
        writer.finish().expect("the end");
    }

    #[test]
    fn files_that_lack_a_column_are_read_by_themselves_until_they_are_compacted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let views = || fs::read_to_string(path.join("views.sql")).expect("views");
        let few = json!({"a": {"type": "string"}});
        let more = json!({"a": {"type": "string"}, "n": {"type": "object", "properties": {"b": {"type": "integer"}}}});
        run(path, &few, r#"{"id":"1","o":{"a":"x"}}"#);
        run(path, &few, r#"{"id":"2","o":{"a":"x"}}"#);
        assert!(views().contains("read_parquet('s/*.parquet', union_by_name = true)\nQUALIFY"));
        run(path, &more, r#"{"id":"3","o":{"a":"x","n":{"b":1}}}"#);
        assert_eq!(views().matches("UNION ALL BY NAME").count(), 1);
        run(path, &few, r#"{"id":"4","o":{"a":"x"}}"#);
        assert_eq!(
            views().matches("UNION ALL BY NAME").count(),
            1,
            "it has the columns of all before"
        );
        let mut held = Folder::existing(path).expect("a folder");
        compact(&mut held).expect("compaction");
        assert!(views().contains("read_parquet('s/*.parquet', union_by_name = true)\nQUALIFY"));
    }
}
