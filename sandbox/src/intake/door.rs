//! The paths at which things are handed in.

/// What OTLP brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

/// An endpoint of the intake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Envelope,
    Store,
    Otlp(Signal),
}

/// What follows the project's id.
const DOORS: [(&str, Door); 6] = [
    ("envelope/", Door::Envelope),
    ("store/", Door::Store),
    ("integration/otlp/v1/traces", Door::Otlp(Signal::Traces)),
    ("integration/otlp/v1/traces/", Door::Otlp(Signal::Traces)),
    ("integration/otlp/v1/logs", Door::Otlp(Signal::Logs)),
    ("integration/otlp/v1/logs/", Door::Otlp(Signal::Logs)),
];

impl Door {
    /// The endpoint of a path, and its segment for the project. Any prefix may stand before `/api/`.
    pub fn of(path: &str) -> Option<(Self, &str)> {
        path.match_indices('/').find_map(|(at, _)| {
            let below = path[at..].strip_prefix("/api/")?;
            let (project, rest) = below.split_once('/')?;
            let (_, door) = DOORS.iter().find(|(end, _)| *end == rest)?;
            Some((*door, project))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_an_endpoint_under_any_prefix() {
        for (path, expected) in [
            ("/api/2/envelope/", Some((Door::Envelope, "2"))),
            ("/api/2/envelope", None),
            ("/api/2/store/", Some((Door::Store, "2"))),
            (
                "/a/b/api/2/integration/otlp/v1/traces",
                Some((Door::Otlp(Signal::Traces), "2")),
            ),
            (
                "/api/api/x/integration/otlp/v1/logs/",
                Some((Door::Otlp(Signal::Logs), "x")),
            ),
            ("/api/2/integration/otlp/v1/metrics", None),
            ("/api/0/projects/acme/api/keys/", None),
        ] {
            assert_eq!(Door::of(path), expected, "{path}");
        }
    }
}
