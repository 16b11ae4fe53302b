//! A generated page of full events: what the check is measured on.

use serde_json::{Value, json};

/// 100 full events as one array, compact, as a server writes them.
pub fn page() -> String {
    Value::from((0..100).map(event).collect::<Vec<_>>()).to_string()
}

/// A full event of about 10 KB, as an error with a stack trace and breadcrumbs has it.
fn event(i: usize) -> Value {
    let frame = |n: usize| {
        json!({
            "filename": "app/services/items/repository.py", "absPath": "/srv/app/services/items/repository.py",
            "module": "app.services.items.repository", "package": null, "platform": null, "instructionAddr": null,
            "symbolAddr": null, "function": format!("fetch_item_{n}"), "rawFunction": null, "symbol": null,
            "context": [[40 + n, "    async def fetch(self, item_id: int) -> Item:"], [41 + n, "        \"\"\"One item, or an error.\"\"\""],
                [42 + n, "        row = await self.pool.fetchrow(QUERY, item_id)"], [43 + n, "        return Item(**row)"]],
            "lineNo": 43 + n, "colNo": null, "inApp": n.is_multiple_of(2), "trust": null, "errors": null, "lock": null,
            "sourceLink": null, "vars": {"item_id": "4711", "row": "None", "self": "<app.services.items.Repository object at 0x7f3a>"},
        })
    };
    let crumb = |n: usize| {
        json!({
            "type": "http", "timestamp": "2026-11-19T23:59:46Z", "level": "info", "message": null, "category": "httplib",
            "data": {"url": format!("https://api.example.com/v1/items/{n}"), "method": "GET", "status_code": 200}, "event_id": null,
        })
    };
    let id = format!("{:032x}", i as u128 * 0x9e37_79b9_7f4a_7c15_f39c_c060);
    json!({
        "id": id, "groupID": "1045", "eventID": id, "projectID": "2", "size": 4800,
        "entries": [
            {"type": "exception", "data": {"values": [{"type": "TimeoutError", "value": "upstream did not answer in time",
                "mechanism": {"type": "celery", "handled": true}, "threadId": null, "module": "builtins",
                "stacktrace": {"frames": (0..6).map(frame).collect::<Vec<_>>(), "framesOmitted": null, "hasSystemFrames": true}}]}},
            {"type": "breadcrumbs", "data": {"values": (0..20).map(crumb).collect::<Vec<_>>()}},
        ],
        "dist": null, "message": "", "title": "TimeoutError: upstream did not answer in time", "location": "app/tasks.py",
        "user": {"id": "17", "email": "someone@example.com", "username": null, "ip_address": "203.0.113.9", "name": "☃"},
        "contexts": {"runtime": {"name": "CPython", "version": "3.13.1", "type": "runtime"}, "os": {"name": "Linux", "type": "os"}},
        "sdk": {"name": "sentry.python", "version": "2.19.0"}, "context": {"attempt": 1}, "packages": {"celery": "5.4.0"},
        "type": "error", "metadata": {"type": "TimeoutError", "value": "upstream did not answer in time", "function": "fetch"},
        "tags": [{"key": "environment", "value": "production"}, {"key": "level", "value": "error"}, {"key": "server_name", "value": "worker-1"}],
        "platform": "python", "dateReceived": "2026-11-19T23:59:58Z", "errors": [], "occurrence": null, "_meta": {"entries": {}},
        "measurements": null, "breakdowns": null, "crashFile": null, "culprit": "app.tasks.run", "dateCreated": "2026-11-19T23:59:57Z",
        "fingerprints": ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], "groupingConfig": {"enhancements": "eJybzDRxY3J-bm5-npWRgaGlroGxrpHxBABcYgcZ", "id": "newstyle"},
    })
}
