//! Whose names the figures have: ours, or those of an older exporter; and how what is configured decides it.

use crate::collector::Collector;
use clap::ValueEnum;
use std::fmt;
use tap_sentry_settings::problem::Problem;

/// Whose names, port and paths are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Dialect {
    /// Our own
    #[default]
    Native,
    /// Those of `italux/sentry-prometheus-exporter`
    Italux,
    /// Those of `MaggotMouth/sentry-exporter`
    Maggotmouth,
    /// Those of `ujamii/prometheus-sentry-exporter`
    Ujamii,
    /// Those of `snakecharmer/sentry_exporter`
    Snakecharmer,
    /// Those of `zekker6/sentry_exporter`
    Zekker6,
}

impl Dialect {
    pub const ALL: [Self; 6] = [
        Self::Native,
        Self::Italux,
        Self::Maggotmouth,
        Self::Ujamii,
        Self::Snakecharmer,
        Self::Zekker6,
    ];

    /// As the setting `dialect` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Italux => "italux",
            Self::Maggotmouth => "maggotmouth",
            Self::Ujamii => "ujamii",
            Self::Snakecharmer => "snakecharmer",
            Self::Zekker6 => "zekker6",
        }
    }

    /// Whose names these are.
    pub fn program(self) -> &'static str {
        match self {
            Self::Native => "this program",
            Self::Italux => "italux/sentry-prometheus-exporter",
            Self::Maggotmouth => "MaggotMouth/sentry-exporter",
            Self::Ujamii => {
                "ujamii/prometheus-sentry-exporter, mgazza/go-prometheus-sentry-exporter"
            }
            Self::Snakecharmer => "snakecharmer/sentry_exporter",
            Self::Zekker6 => "zekker6/sentry_exporter",
        }
    }

    /// The dialect of that name.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The port that is listened on, unless an address is set.
    pub fn port(self) -> u16 {
        match self {
            Self::Native | Self::Italux => 9790,
            Self::Maggotmouth => 9142,
            Self::Ujamii => 80,
            Self::Snakecharmer | Self::Zekker6 => 9412,
        }
    }

    /// The path of the metrics, unless one is set. Older exporters answer with and without its last slash.
    pub fn telemetry_path(self) -> &'static str {
        match self {
            Self::Italux | Self::Ujamii => "/metrics/",
            _ => "/metrics",
        }
    }

    /// The groups of figures that it has, and whether they are shown when nothing is said.
    pub fn collectors(self) -> Vec<(Collector, bool)> {
        match self {
            Self::Native => Collector::ALL
                .map(|collector| (collector, collector.is_default()))
                .to_vec(),
            Self::Italux => vec![
                (Collector::Events, true),
                (Collector::Issues, true),
                (Collector::ClientKeys, false),
            ],
            Self::Maggotmouth => vec![(Collector::Events, true), (Collector::Projects, true)],
            Self::Ujamii => vec![(Collector::IssueEvents, true)],
            // Theirs are all asked for by a probe.
            Self::Snakecharmer | Self::Zekker6 => Vec::new(),
        }
    }

    /// Whether its series say nothing of the organization, so that there can be one only.
    pub fn has_one_organization(self) -> bool {
        self == Self::Italux
    }

    /// Whether the organization must be named: nothing else is ever shown there.
    pub fn needs_organization(self) -> bool {
        matches!(self, Self::Italux | Self::Maggotmouth)
    }

    /// Whether nothing is fetched but for probes.
    pub fn has_probes_only(self) -> bool {
        matches!(self, Self::Snakecharmer | Self::Zekker6)
    }

    /// The file in the working folder that is read if none is named.
    pub fn file(self) -> Option<&'static str> {
        match self {
            Self::Maggotmouth => Some(".sentry-exporter.yaml"),
            Self::Snakecharmer | Self::Zekker6 => Some("sentry_exporter.yml"),
            Self::Native | Self::Italux | Self::Ujamii => None,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was found of a configuration, before any of it is read in earnest.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What the setting `dialect` says.
    pub asked: Option<Dialect>,
    /// Files, by name, with the keys in them that have a value.
    pub files: Vec<(String, Vec<String>)>,
    /// Names of variables that have a value, in the environment and in `.env`.
    pub variables: Vec<String>,
    /// Settings that flags have set.
    pub flags: Vec<String>,
}

/// A dialect, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    pub dialect: Dialect,
    pub why: String,
}

impl Decision {
    /// Tells it in the first line of the log.
    pub fn told(&self, what: &str) {
        let Self { dialect, why } = self;
        let version = env!("CARGO_PKG_VERSION");
        log::info!(version, dialect = dialect.name(), why = why.as_str(); "{what}");
    }
}

/// Decides by what is configured.
///
/// # Errors
/// When two older exporters are configured at once.
pub fn decide(evidence: &Evidence) -> Result<Decision, Problem> {
    let decision = |dialect, why: &str| Decision {
        dialect,
        why: why.to_owned(),
    };
    if let Some(asked) = evidence.asked {
        return Ok(decision(asked, "the setting dialect"));
    }
    let marks = evidence.marks();
    let by_name = marks.iter().find(|mark| mark.weight == Weight::Name);
    let own = evidence.own();
    let mut old = marks.iter();
    let first = old.next();
    let other = first.and_then(|first| old.find(|mark| mark.dialect != first.dialect));
    match (first, other, own) {
        // Old names beside ours are ours, unless the file's name is theirs.
        (Some(_), _, Some(own)) if by_name.is_none() => Ok(decision(Dialect::Native, &own)),
        (Some(one), Some(other), _) => {
            let text = format!(
                "cannot be told: {} is of {}, and {} of {}; remove one of them, or set `dialect` (--dialect, SENTRY_EXPORTER_DIALECT) to the one that is meant",
                one.what, one.dialect, other.what, other.dialect
            );
            Err(Problem::new("dialect", text))
        }
        (Some(one), None, _) => Ok(decision(one.dialect, &format!("found {}", one.what))),
        (None, ..) => Ok(decision(
            Dialect::Native,
            "found nothing that is another exporter's",
        )),
    }
}

/// Something that is configured as an older exporter wants it.
#[derive(Debug)]
struct Mark {
    dialect: Dialect,
    what: String,
    weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The name of a file.
    Name,
    /// A setting.
    Setting,
}

/// Variables of italux alone; `*` stands for any end. `SENTRY_AUTH_TOKEN` is everybody's.
const ITALUX: &[&str] = &[
    "SENTRY_EXPORTER_ORG",
    "SENTRY_EXPORTER_PROJECTS",
    "SENTRY_EXPORTER_BASIC_AUTH",
    "SENTRY_EXPORTER_BASIC_AUTH_*",
    "SENTRY_BASE_URL",
    "SENTRY_SCRAPE_*",
    "SENTRY_ISSUES_*",
    "SENTRY_RETRY_*",
    "SENTRY_USE_LEGACY_API",
];

/// Settings of maggotmouth alone, in its file, as `SENTRY_EXPORTER_<SETTING>` and as flags.
const MAGGOTMOUTH: &[&str] = &[
    "organisation_name",
    "api_url",
    "timeout",
    "token",
    "include_projects",
    "include_queries",
    "include_teams",
    "ttl_organisation",
    "ttl_projects",
    "ttl_teams",
];

/// Our settings that a configuration of ours has, and that of an older exporter has not.
const OWN: &[&str] = &["organization", "project_slugs", "servers", "collector_*"];
/// The same, where they stand in a file.
const OWN_IN_FILE: &[&str] = &["api_token", "api_token_file", "auth_token", "base_url"];

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| match known.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => *known == name,
    })
}

/// The setting that a variable of ours sets.
fn setting(variable: &str) -> Option<String> {
    let key = variable.strip_prefix("SENTRY_EXPORTER_")?;
    Some(key.to_lowercase())
}

impl Evidence {
    /// What older exporters are configured with.
    fn marks(&self) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut mark = |dialect, weight, what: String| {
            marks.push(Mark {
                dialect,
                what,
                weight,
            });
        };
        for (name, keys) in &self.files {
            let of_maggotmouth = Dialect::Maggotmouth.file();
            if of_maggotmouth.is_some_and(|file| is_called(name, file)) {
                mark(
                    Dialect::Maggotmouth,
                    Weight::Name,
                    format!("the file {name}"),
                );
            } else if let Some(key) = keys.iter().find(|key| is_one_of(MAGGOTMOUTH, key)) {
                let what = format!("`{key}` in {name}");
                mark(Dialect::Maggotmouth, Weight::Setting, what);
            }
            if !keys.is_empty() && keys.iter().all(|key| key == "modules") {
                let what = format!("`modules` alone in {name}");
                mark(Dialect::Snakecharmer, Weight::Setting, what);
            }
        }
        for variable in &self.variables {
            if is_one_of(ITALUX, variable) {
                mark(Dialect::Italux, Weight::Setting, variable.clone());
            }
            if setting(variable).is_some_and(|key| is_one_of(MAGGOTMOUTH, &key)) {
                mark(Dialect::Maggotmouth, Weight::Setting, variable.clone());
            }
        }
        for flag in &self.flags {
            if is_one_of(MAGGOTMOUTH, flag) {
                let what = format!("the flag for `{flag}`");
                mark(Dialect::Maggotmouth, Weight::Setting, what);
            }
        }
        marks
    }

    /// What says that the configuration is one of ours.
    fn own(&self) -> Option<String> {
        let in_files = self.files.iter().flat_map(|(name, keys)| {
            let own = keys
                .iter()
                .filter(|key| is_one_of(OWN, key) || is_one_of(OWN_IN_FILE, key));
            own.map(move |key| format!("`{key}` in {name} is a setting of our own"))
        });
        let variables = self.variables.iter();
        let variables = variables
            .filter(|name| setting(name).is_some_and(|key| is_one_of(OWN, &key)))
            .map(|name| format!("{name} is a setting of our own"));
        in_files.chain(variables).next()
    }
}

/// Whether a path ends in that name.
fn is_called(path: &str, name: &str) -> bool {
    std::path::Path::new(path)
        .file_name()
        .is_some_and(|last| last == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn evidence(files: &[&str], variables: &[&str]) -> Evidence {
        Evidence {
            files: files
                .iter()
                .map(|file| {
                    let (name, keys) = file.split_once(':').expect("a name and keys");
                    let keys: Vec<&str> = keys.split_whitespace().collect();
                    (name.to_owned(), texts(&keys))
                })
                .collect(),
            variables: texts(variables),
            ..Evidence::default()
        }
    }

    #[rstest]
    #[case::nothing(&[], &[], Dialect::Native, "nothing")]
    #[case::the_token_of_all_tools(&[], &["SENTRY_AUTH_TOKEN", "LOG_LEVEL"], Dialect::Native, "nothing")]
    #[case::ours(&["exporter.yml:organization api_token"], &[], Dialect::Native, "nothing")]
    #[case::ours_in_variables(&[], &["SENTRY_EXPORTER_ORGANIZATION", "SENTRY_EXPORTER_API_TOKEN"], Dialect::Native, "nothing")]
    #[case::a_pod(&[], &["SENTRY_EXPORTER_PORT", "SENTRY_EXPORTER_SERVICE_HOST", "SENTRY_EXPORTER_PORT_9790_TCP_ADDR"], Dialect::Native, "nothing")]
    #[case::italux(&[], &["SENTRY_BASE_URL", "SENTRY_AUTH_TOKEN", "SENTRY_EXPORTER_ORG"], Dialect::Italux, "SENTRY_BASE_URL")]
    #[case::italux_projects(&[], &["SENTRY_EXPORTER_PROJECTS"], Dialect::Italux, "SENTRY_EXPORTER_PROJECTS")]
    #[case::italux_users(&[], &["SENTRY_EXPORTER_BASIC_AUTH_USER"], Dialect::Italux, "SENTRY_EXPORTER_BASIC_AUTH_USER")]
    #[case::italux_ages(&[], &["SENTRY_ISSUES_14D"], Dialect::Italux, "SENTRY_ISSUES_14D")]
    #[case::italux_retries(&[], &["SENTRY_RETRY_TRIES"], Dialect::Italux, "SENTRY_RETRY_TRIES")]
    #[case::italux_and_what_we_add(&["more.yml:min_age"], &["SENTRY_EXPORTER_ORG", "SENTRY_EXPORTER_MIN_AGE"], Dialect::Italux, "SENTRY_EXPORTER_ORG")]
    #[case::italux_beside_ours(&["exporter.yml:organization"], &["SENTRY_EXPORTER_PROJECTS"], Dialect::Native, "organization")]
    #[case::italux_beside_our_variable(&[], &["SENTRY_EXPORTER_ORGANIZATION", "SENTRY_EXPORTER_BASIC_AUTH"], Dialect::Native, "SENTRY_EXPORTER_ORGANIZATION")]
    #[case::maggotmouth(&[".sentry-exporter.yaml:token"], &[], Dialect::Maggotmouth, ".sentry-exporter.yaml")]
    #[case::maggotmouth_and_what_we_add(&["/etc/.sentry-exporter.yaml:organization min_age"], &[], Dialect::Maggotmouth, ".sentry-exporter.yaml")]
    #[case::maggotmouth_elsewhere(&["/etc/x.yaml:organisation_name token"], &[], Dialect::Maggotmouth, "organisation_name")]
    #[case::maggotmouth_in_variables(&[], &["SENTRY_EXPORTER_ORGANISATION_NAME", "SENTRY_EXPORTER_TOKEN"], Dialect::Maggotmouth, "SENTRY_EXPORTER_ORGANISATION_NAME")]
    #[case::modules(&["sentry_exporter.yml:modules"], &["SENTRY_AUTH_TOKEN"], Dialect::Snakecharmer, "modules")]
    #[case::modules_beside_ours(&["sentry_exporter.yml:modules organization"], &[], Dialect::Native, "nothing")]
    #[case::modules_beside_our_variable(&["x.yml:modules"], &["SENTRY_EXPORTER_COLLECTOR_ISSUES"], Dialect::Native, "COLLECTOR_ISSUES")]
    fn what_is_configured_decides(
        #[case] files: &[&str],
        #[case] variables: &[&str],
        #[case] dialect: Dialect,
        #[case] why: &str,
    ) {
        let decision = decide(&evidence(files, variables)).expect("a decision");
        assert_eq!(decision.dialect, dialect);
        assert!(decision.why.contains(why), "{}", decision.why);
    }

    #[rstest]
    #[case(&[".sentry-exporter.yaml:token"], &["SENTRY_EXPORTER_ORG"], [".sentry-exporter.yaml is of maggotmouth", "SENTRY_EXPORTER_ORG of italux"])]
    #[case(&[], &["SENTRY_EXPORTER_ORG", "SENTRY_EXPORTER_ORGANISATION_NAME"], ["SENTRY_EXPORTER_ORG is of italux", "SENTRY_EXPORTER_ORGANISATION_NAME of maggotmouth"])]
    #[case(&["sentry_exporter.yml:modules"], &["SENTRY_SCRAPE_ISSUE_METRICS"], ["`modules` alone in sentry_exporter.yml is of snakecharmer", "SENTRY_SCRAPE_ISSUE_METRICS of italux"])]
    #[case(&[".sentry-exporter.yaml:", "sentry_exporter.yml:modules"], &[], ["maggotmouth", "snakecharmer"])]
    fn two_at_once_are_refused_with_both_named(
        #[case] files: &[&str],
        #[case] variables: &[&str],
        #[case] named: [&str; 2],
    ) {
        let mut evidence = evidence(files, variables);
        let problem = decide(&evidence).expect_err("a problem").to_string();
        for text in named {
            assert!(problem.contains(text), "{problem}");
        }
        for asked in Dialect::ALL {
            evidence.asked = Some(asked);
            let decision = decide(&evidence).expect("what is said aloud wins");
            assert_eq!(decision.dialect, asked);
            assert!(decision.why.contains("dialect"));
        }
    }

    #[test]
    fn a_flag_of_maggotmouth_is_a_mark() {
        let evidence = Evidence {
            flags: texts(&["organisation_name"]),
            ..Evidence::default()
        };
        let decision = decide(&evidence).expect("a decision");
        assert_eq!(decision.dialect, Dialect::Maggotmouth);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::of(dialect.name()), Some(dialect));
            assert_eq!(
                Dialect::of(&dialect.to_string().to_uppercase()),
                Some(dialect)
            );
            let clap = dialect.to_possible_value().expect("a value");
            assert_eq!(clap.get_name(), dialect.name());
        }
        assert_eq!(Dialect::of("other"), None);
    }
}
