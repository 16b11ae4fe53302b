//! Catalogs, and their parts to be changed.

use serde_json::{Value, json};
use tap_sentry::streams::{STREAMS, StreamDef};

/// The names of all streams.
pub fn all_streams() -> Vec<&'static str> {
    STREAMS.iter().map(StreamDef::name).collect()
}

/// The catalog of `--discover`, in which these streams are selected and the others are not.
pub fn catalog(streams: &[&str]) -> Value {
    let mut catalog = serde_json::to_value(tap_sentry::singer::catalog::discover()).unwrap();
    for entry in catalog["streams"].as_array_mut().unwrap() {
        let selected = streams.contains(&entry["tap_stream_id"].as_str().unwrap());
        metadata(entry, &[])["selected"] = json!(selected);
    }
    catalog
}

/// The entry of one stream.
pub fn entry<'a>(catalog: &'a mut Value, stream: &str) -> &'a mut Value {
    catalog["streams"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(|entry| entry["tap_stream_id"] == stream)
        .unwrap()
}

/// The metadata of a property, named by its path; of the stream itself when that is empty.
pub fn metadata<'a>(entry: &'a mut Value, path: &[&str]) -> &'a mut Value {
    let breadcrumb: Vec<&str> = path.iter().flat_map(|name| ["properties", name]).collect();
    let list = entry["metadata"].as_array_mut().unwrap();
    &mut list
        .iter_mut()
        .find(|one| one["breadcrumb"] == json!(breadcrumb))
        .unwrap()["metadata"]
}
