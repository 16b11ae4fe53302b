//! What `debug=true` shows of a probe: what happened, its metrics and its module, without any secret.

use crate::probe::modules::{Module, PROBER};
use secrecy::ExposeSecret;
use std::fmt::Write as _;
use std::time::Duration;

/// Texts that are shorter are parts of other words.
const SHORTEST: usize = 6;

/// The page. `story` is what happened, and when since the probe began; `metrics` the text that would have been the answer.
pub fn page(name: &str, module: &Module, story: &[(Duration, String)], metrics: &str) -> String {
    let mut out = String::from("Logs for the probe:\n");
    for (when, text) in story {
        let _ = writeln!(out, "{:.3} s  {text}", when.as_secs_f64());
    }
    let _ = write!(out, "\n\nMetrics that would have been returned:\n{metrics}");
    let _ = write!(out, "\n\nModule configuration:\n{}", shown(name, module));
    let mut secrets = module.secrets();
    // The longer first: the shorter may be a part of it.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    for secret in &secrets {
        let secret = secret.expose_secret();
        if secret.len() >= SHORTEST {
            out = out.replace(secret, "<hidden>");
        }
    }
    out
}

/// A module as it would be written, without the values of its headers.
fn shown(name: &str, module: &Module) -> String {
    let mut out = format!("{name}:\n  prober: {PROBER}\n");
    if let Some(timeout) = module.timeout {
        let _ = writeln!(out, "  timeout: {timeout:?}");
    }
    let _ = writeln!(out, "  http:\n    prefix: {}", module.prefix.url());
    if !module.headers.is_empty() {
        out.push_str("    headers:\n");
        for name in module.headers.keys() {
            let _ = writeln!(out, "      {name}: <hidden>");
        }
    }
    if !module.valid_status_codes.is_empty() {
        let codes = module.valid_status_codes.iter().map(ToString::to_string);
        let codes = codes.collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "    valid_status_codes: [{codes}]");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::modules::Reading;
    use serde_json::json;

    #[test]
    fn a_page_without_secrets() {
        let reading = Reading::of(&json!({"sentry": {
            "prober": "http", "timeout": "1500ms",
            "http": {
                "prefix": "https://user:password@sentry.io/api/0/projects",
                "headers": {"Authorization": "Bearer sntryu_0123456789", "Host": "inner.example.com"},
                "valid_status_codes": [200, 202],
            },
        }}));
        let module = &reading.modules["sentry"];
        let lines = [
            "no: Bearer sntryu_0123456789",
            "and sntryu_0123456789 alone",
        ];
        let lines = lines.map(|text| (Duration::ZERO, text.to_owned()));
        let page = page("sentry", module, &lines, "probe_success 0\n");
        for secret in ["sntryu", "password", "user", "inner.example.com", "Bearer"] {
            assert!(!page.contains(secret), "{secret}: {page}");
        }
        for text in [
            "Logs for the probe:\n0.000 s  no: <hidden>\n0.000 s  and <hidden> alone\n",
            "\nMetrics that would have been returned:\nprobe_success 0\n",
            "\nModule configuration:\nsentry:\n  prober: http\n  timeout: 1.5s\n",
            "    prefix: https://sentry.io/api/0/projects/\n",
            "      authorization: <hidden>\n",
            "    valid_status_codes: [200, 202]\n",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }
}
