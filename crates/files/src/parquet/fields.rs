//! Columns as Arrow's fields.

use crate::column::{Column, Kind};
use arrow_schema::extension::Json;
use arrow_schema::{DataType, Field, TimeUnit};
use std::sync::Arc;

impl Column {
    pub(super) fn field(&self) -> Field {
        self.kind.field(&self.name)
    }
}

impl Kind {
    pub(super) fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.data_type(), true);
        match self {
            Self::Json => field.with_extension_type(Json::default()),
            _ => field,
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Text | Self::Json => DataType::Utf8,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Struct(members) => DataType::Struct(members.iter().map(Column::field).collect()),
            Self::List(items) => DataType::List(Arc::new(items.field("element"))),
        }
    }
}
