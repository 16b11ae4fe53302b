//! Spans and logs of the seeded world.

use crate::seed::seeder::{API, Seeder, WEB};
use serde_json::{Value, json};

const OPERATIONS: [&str; 3] = ["db", "http.client", "cache.get"];
const SEVERITIES: [&str; 3] = ["info", "warn", "error"];

impl Seeder {
    /// Two days of spans, some without a release, and logs of which several share a second.
    pub fn explored(&mut self) {
        for number in 0..130_u32 {
            let at = self.ago(7 + 22 * i64::from(number));
            let project = if number % 5 == 0 { WEB } else { API };
            let op = OPERATIONS[number as usize % 3];
            let values = json!({
                "id": format!("{:016x}", 0xfeed_0000 + number),
                "trace": format!("{:032x}", 0xbeef_0000 + number / 2),
                "span.op": op,
                "span.duration": f64::from(number % 7) * 12.5,
                "is_transaction": number % 2 == 0,
                "release": if number % 4 == 0 { Value::Null } else { json!("api@1.128.0") },
            });
            self.world.explore("spans", project, at, values);
        }
        for number in 0..60_u32 {
            let at = self.ago(3 + 40 * i64::from(number / 3));
            let severity = SEVERITIES[number as usize % 3];
            let values = json!({
                "sentry.item_id": format!("{:032x}", 0x1095_0000 + number),
                "message": format!("cart {number} is empty ☃"),
                "severity": severity,
                "trace": format!("{:032x}", 0xbeef_0000 + number),
            });
            self.world.explore("logs", API, at, values);
        }
    }
}
