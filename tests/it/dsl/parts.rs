//! What is to be cut from events, worked out from their full bodies by other code than the tap's.

use serde_json::{Map, Value, json};

/// The streams that are cut from events.
pub const PARTS: [&str; 4] = [
    "event_tags",
    "event_exceptions",
    "event_stack_frames",
    "event_breadcrumbs",
];

/// The records of one event in a stream of its parts, but for the columns that name organization and project.
pub fn parts(stream: &str, event: &Value) -> Vec<Map<String, Value>> {
    let mut rows = Vec::new();
    let mut add = |columns: Value, members: &Value| {
        let mut row = members.as_object().unwrap().clone();
        for name in ["projectID", "eventID", "groupID", "dateCreated"] {
            if let Some(value) = event.get(name) {
                row.insert(name.to_owned(), value.clone());
            }
        }
        row.extend(columns.as_object().unwrap().clone());
        rows.push(row);
    };
    match stream {
        "event_tags" => {
            for (place, tag) in numbered(&event["tags"]) {
                let members = match tag {
                    Value::Array(pair) => json!({"key": pair[0], "value": pair[1]}),
                    tag => tag.clone(),
                };
                add(json!({"tag_index": place}), &members);
            }
            for (place, (key, value)) in event["tags"].as_object().into_iter().flatten().enumerate()
            {
                add(
                    json!({"tag_index": place}),
                    &json!({"key": key, "value": value}),
                );
            }
        }
        "event_exceptions" => {
            for (place, exception) in values(event, "exception") {
                let mut members = exception.clone();
                for stack in ["stacktrace", "rawStacktrace"] {
                    members.as_object_mut().unwrap().remove(stack);
                }
                for (column, name) in [("mechanism_type", "type"), ("handled", "handled")] {
                    if !members["mechanism"][name].is_null() {
                        members[column] = members["mechanism"][name].clone();
                    }
                }
                add(json!({"exception_index": place}), &members);
            }
        }
        "event_stack_frames" => {
            for (stack, entry) in [("exception", "exception"), ("thread", "threads")] {
                for (above, value) in values(event, entry) {
                    for (place, frame) in numbered(&value["stacktrace"]["frames"]) {
                        let columns =
                            json!({"stack": stack, "stack_index": above, "frame_index": place});
                        add(columns, frame);
                    }
                }
            }
            for entry in entries(event, "stacktrace") {
                for (place, frame) in numbered(&entry["data"]["frames"]) {
                    let columns = json!({"stack": "event", "stack_index": 0, "frame_index": place});
                    add(columns, frame);
                }
            }
        }
        "event_breadcrumbs" => {
            for (place, crumb) in values(event, "breadcrumbs") {
                let mut members = crumb.clone();
                let linked = members.as_object_mut().unwrap().remove("event_id");
                if let Some(linked) = linked.filter(|linked| !linked.is_null()) {
                    members["linked_event"] = linked;
                }
                add(json!({"breadcrumb_index": place}), &members);
            }
        }
        other => panic!("{other} is not cut from events"),
    }
    rows
}

fn entries<'a>(event: &'a Value, kind: &str) -> Vec<&'a Value> {
    let entries = event["entries"].as_array().into_iter().flatten();
    entries.filter(|entry| entry["type"] == kind).collect()
}

fn values<'a>(event: &'a Value, kind: &str) -> Vec<(usize, &'a Value)> {
    let mut all = Vec::new();
    for entry in entries(event, kind) {
        match &entry["data"]["values"] {
            Value::Null if entry["data"]["value"].is_object() => {
                all.push((0, &entry["data"]["value"]));
            }
            values => all.extend(numbered(values)),
        }
    }
    all
}

/// The elements that are something, and their places among all.
fn numbered(list: &Value) -> Vec<(usize, &Value)> {
    let all = list.as_array().into_iter().flatten().enumerate();
    all.filter(|(_, one)| !one.is_null()).collect()
}
