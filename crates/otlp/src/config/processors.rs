//! The collector's processors: none is run here, and what that means for data.

/// What a processor does to what passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that would be missed here.
    Nothing,
    /// Adds attributes, which are missing without it.
    Adds,
    /// Changes or removes what Sentry is not to see as it came.
    Changes,
    /// Keeps back data that Sentry is not to have.
    Drops,
    /// It is not known here.
    Unknown,
}

impl Effect {
    /// Whether data would be sent that the user keeps from Sentry.
    pub fn is_to_be_missed(self) -> bool {
        match self {
            Self::Nothing | Self::Adds => false,
            Self::Changes | Self::Drops | Self::Unknown => true,
        }
    }

    /// For the documentation.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Adds => "adds attributes",
            Self::Changes => "changes data",
            Self::Drops => "drops data",
            Self::Unknown => "not known",
        }
    }
}

/// A processor by its type: what stands before the `/` of its name.
#[derive(Debug)]
pub struct Processor {
    pub kind: &'static str,
    pub effect: Effect,
    /// What does the same here, or why nothing needs to; empty: nothing.
    pub instead: &'static str,
}

const fn processor(kind: &'static str, effect: Effect, instead: &'static str) -> Processor {
    Processor {
        kind,
        effect,
        instead,
    }
}

/// Those of the collector and of its contrib distribution (0.156) that process traces or logs.
pub const PROCESSORS: &[Processor] = &[
    processor(
        "batch",
        Effect::Nothing,
        "what is sent at once follows from Sentry's limits",
    ),
    processor(
        "memory_limiter",
        Effect::Nothing,
        "`sending_queue` and the receivers' limits bound memory",
    ),
    processor(
        "groupbytrace",
        Effect::Nothing,
        "traces are put together here",
    ),
    processor("remotetap", Effect::Nothing, "data passes it as it came"),
    processor(
        "resourcedetection",
        Effect::Adds,
        "OTEL_RESOURCE_ATTRIBUTES of the clients",
    ),
    processor(
        "k8sattributes",
        Effect::Adds,
        "OTEL_RESOURCE_ATTRIBUTES of the clients",
    ),
    processor("geoip", Effect::Adds, ""),
    processor("dnslookup", Effect::Adds, ""),
    processor("lookup", Effect::Adds, ""),
    processor(
        "attributes",
        Effect::Changes,
        "`drop_attributes` and `mask_attributes`",
    ),
    processor(
        "redaction",
        Effect::Changes,
        "`drop_attributes` and `mask_attributes`",
    ),
    processor(
        "resource",
        Effect::Changes,
        "`environment`, `release_from` and `drop_attributes`",
    ),
    processor(
        "transform",
        Effect::Changes,
        "`drop_attributes` and `mask_attributes`",
    ),
    processor("span", Effect::Changes, ""),
    processor(
        "schema",
        Effect::Changes,
        "old and new names of attributes are both read",
    ),
    processor("groupbyattrs", Effect::Changes, ""),
    processor("logstransform", Effect::Changes, ""),
    processor("unroll", Effect::Changes, ""),
    processor("sumologic", Effect::Changes, ""),
    processor("coralogix", Effect::Changes, ""),
    processor("datadogsemantics", Effect::Changes, ""),
    processor("filter", Effect::Drops, ""),
    processor(
        "tail_sampling",
        Effect::Drops,
        "`sample_rate`, which decides by the trace id",
    ),
    processor("probabilistic_sampler", Effect::Drops, "`sample_rate`"),
    processor("logdedup", Effect::Drops, ""),
    processor("isolationforest", Effect::Drops, ""),
];

/// The processor of a component's name; none: it is not known.
pub fn find(name: &str) -> Option<&'static Processor> {
    let kind = name.split('/').next().unwrap_or_default();
    PROCESSORS.iter().find(|known| known.kind == kind)
}

/// What the log says of a processor that is passed over, behind its key. `ignored`: the user knows.
pub fn told(name: &str, ignored: bool) -> (Effect, String) {
    let (effect, instead) = match find(name) {
        Some(known) => (known.effect, known.instead),
        None => (Effect::Unknown, ""),
    };
    let what = match effect {
        Effect::Nothing => "is passed over",
        Effect::Adds => "is passed over: the attributes that it adds are missing",
        Effect::Changes => "changes data, and is not run here",
        Effect::Drops => "drops data, and is not run here",
        Effect::Unknown => "may drop or change data, and is not run here",
    };
    let see = match (effect, instead) {
        (_, "") => String::new(),
        (Effect::Nothing, why) => format!(": {why}"),
        (_, other) => format!("; see {other}"),
    };
    let remedy = if effect.is_to_be_missed() && !ignored {
        "; remove it from the pipeline, or set `ignore_processors: true` to send what comes as it is"
    } else {
        ""
    };
    let text = format!("{what}{see}{remedy}");
    (effect, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::BTreeSet;

    #[test]
    fn each_stands_in_the_table_once() {
        let kinds: BTreeSet<&str> = PROCESSORS.iter().map(|known| known.kind).collect();
        assert_eq!(kinds.len(), PROCESSORS.len());
    }

    #[rstest]
    #[case("batch", Effect::Nothing)]
    #[case("batch/traces", Effect::Nothing)]
    #[case("k8sattributes", Effect::Adds)]
    #[case("redaction/pii", Effect::Changes)]
    #[case("tail_sampling", Effect::Drops)]
    #[case("acme", Effect::Unknown)]
    #[case("", Effect::Unknown)]
    fn is_known_by_its_type(#[case] name: &str, #[case] effect: Effect) {
        let (told_effect, text) = told(name, false);
        assert_eq!(told_effect, effect);
        assert_eq!(text.contains("ignore_processors"), effect.is_to_be_missed());
        assert!(!told(name, true).1.contains("ignore_processors"));
    }

    #[test]
    fn no_text_is_too_long_for_a_problem() {
        for known in PROCESSORS {
            let (_, text) = told(known.kind, false);
            assert!(text.chars().count() <= 200, "{text}");
        }
    }
}
