//! Parquet, as compaction reads and writes it.

use super::file::properties;
use crate::column::Column;
use crate::compact::mark::Mark;
use crate::error::{At, Error};
use crate::row::{Layout, SEQUENCE, TABLE_VERSION, added_columns};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StructArray, new_null_array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Rows that are read at once: of 8 kB each, 8 MiB.
const ROWS: usize = 1024;

/// The rows of a file; `keys` limits them to what [`marks`] needs.
pub fn read(
    path: &Path,
    keys: Option<&Layout>,
) -> Result<impl Iterator<Item = Result<RecordBatch, Error>> + use<>, Error> {
    let mut reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).at(path)?).at(path)?;
    if let Some(layout) = keys {
        let names = layout.keys.iter().map(String::as_str);
        let names = names.chain([SEQUENCE, TABLE_VERSION]);
        let mask = ProjectionMask::columns(reader.parquet_schema(), names);
        reader = reader.with_projection(mask);
    }
    let batches = reader.with_batch_size(ROWS).build().at(path)?;
    let path = path.to_owned();
    Ok(batches.map(move |batch| batch.map_err(ParquetError::from).at(&path)))
}

pub fn marks(batch: &RecordBatch, layout: &Layout, path: &Path) -> Result<Vec<Mark>, Error> {
    let sequences = integers(batch, SEQUENCE).ok_or_else(|| no_rows(path))?;
    let versions = integers(batch, TABLE_VERSION);
    let keys: Vec<Option<&ArrayRef>> = layout
        .keys
        .iter()
        .map(|key| batch.column_by_name(key))
        .collect();
    let mark = |row: usize| {
        let mut digest = Xxh3::new();
        for key in &keys {
            add(&mut digest, key.map(|key| &**key), row).ok_or_else(|| no_rows(path))?;
        }
        Ok(Mark {
            key: digest.digest128(),
            sequence: sequences.value(row),
            table_version: versions
                .filter(|versions| versions.is_valid(row))
                .map(|versions| versions.value(row)),
        })
    };
    (0..batch.num_rows()).map(mark).collect()
}

/// Adds a part of a key. `None`: no key is of that type.
fn add(digest: &mut Xxh3, array: Option<&dyn Array>, row: usize) -> Option<()> {
    let Some(array) = array.filter(|array| array.is_valid(row)) else {
        digest.update(&[0]);
        return Some(());
    };
    digest.update(&[1]);
    match array.data_type() {
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(row);
            digest.update(&text.len().to_le_bytes());
            digest.update(text.as_bytes());
        }
        DataType::Int64 => {
            digest.update(&array.as_primitive::<Int64Type>().value(row).to_le_bytes());
        }
        DataType::Float64 => {
            digest.update(&array.as_primitive::<Float64Type>().value(row).to_le_bytes());
        }
        DataType::Timestamp(..) => {
            let instant = array.as_primitive::<TimestampMicrosecondType>().value(row);
            digest.update(&instant.to_le_bytes());
        }
        DataType::Boolean => digest.update(&[u8::from(array.as_boolean().value(row))]),
        _ => return None,
    }
    Some(())
}

pub fn sequences(batch: &RecordBatch, path: &Path) -> Result<Vec<i64>, Error> {
    let sequences = integers(batch, SEQUENCE).ok_or_else(|| no_rows(path))?;
    Ok(sequences.values().to_vec())
}

fn integers<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a Int64Array> {
    batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()
}

fn no_rows(path: &Path) -> Error {
    Error::Unusable {
        path: path.to_owned(),
        problem: format!(
            "it has no `{SEQUENCE}`, or keys of an unknown type; move the file elsewhere"
        ),
    }
}

/// A new file of rows that are kept.
pub struct BatchCopy {
    path: PathBuf,
    writer: ArrowWriter<File>,
    schema: SchemaRef,
}

impl BatchCopy {
    pub fn create(path: &Path, layout: &Layout) -> Result<Self, Error> {
        let added = added_columns(layout.is_versioned);
        let columns = layout.columns.iter().chain(&added);
        let schema = Arc::new(Schema::new(columns.map(Column::field).collect::<Vec<_>>()));
        let file = File::create_new(path).at(path)?;
        Ok(Self {
            path: path.to_owned(),
            writer: ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(layout)))
                .at(path)?,
            schema,
        })
    }

    pub fn append(&mut self, batch: &RecordBatch, keep: &[bool]) -> Result<(), Error> {
        let kept = filter_record_batch(batch, &BooleanArray::from(keep.to_vec()));
        let conformed = kept.and_then(|kept| {
            let fields = self.schema.fields().iter();
            let columns = fields
                .map(|field| conform(kept.column_by_name(field.name()), field, kept.num_rows()));
            RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())
        });
        let conformed = conformed.map_err(ParquetError::from).at(&self.path)?;
        self.writer.write(&conformed).at(&self.path)?;
        if self.writer.in_progress_size() >= 8 << 20 {
            self.writer.flush().at(&self.path)?;
        }
        Ok(())
    }

    pub fn size(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    pub fn finish(mut self) -> Result<(), Error> {
        self.writer.finish().at(&self.path)?;
        self.writer.inner().sync_all().at(&self.path)
    }
}

/// The column as the stream has it now: what an older file lacks is null, at any depth.
fn conform(array: Option<&ArrayRef>, field: &Field, rows: usize) -> ArrayRef {
    let Some(array) = array else {
        return new_null_array(field.data_type(), rows);
    };
    match (array.data_type(), field.data_type()) {
        (DataType::Struct(_), DataType::Struct(members)) => {
            let structs = array.as_struct();
            let arrays = members
                .iter()
                .map(|member| conform(structs.column_by_name(member.name()), member, array.len()));
            let nulls = structs.nulls().cloned();
            Arc::new(StructArray::new(members.clone(), arrays.collect(), nulls))
        }
        (DataType::List(_), DataType::List(items)) => {
            let lists = array.as_list::<i32>();
            let values = conform(Some(lists.values()), items, lists.values().len());
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            Arc::new(ListArray::new(Arc::clone(items), offsets, values, nulls))
        }
        _ => Arc::clone(array),
    }
}
