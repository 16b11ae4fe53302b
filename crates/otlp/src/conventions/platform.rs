//! The language of a program, in the words of Sentry.

use crate::attributes::Attributes;

/// What Sentry takes where it knows nothing better.
const OTHER: &str = "other";

/// `telemetry.sdk.language`, and the platform; sentry-relay 0.10.1 turns every platform that is none of these into `other`.
const PLATFORMS: &[(&str, &str)] = &[
    ("cpp", "native"),
    ("dotnet", "csharp"),
    ("elixir", "elixir"),
    // The SDK of Erlang is that of Elixir too.
    ("erlang", "elixir"),
    ("go", "go"),
    ("groovy", "groovy"),
    ("java", "java"),
    ("javascript", "javascript"),
    ("kotlin", "java"),
    ("native", "native"),
    ("nodejs", "node"),
    ("objc", "objc"),
    ("perl", "perl"),
    ("php", "php"),
    ("python", "python"),
    ("ruby", "ruby"),
    ("rust", "native"),
    ("swift", "cocoa"),
    ("webjs", "javascript"),
];

/// The platform of a resource.
pub fn platform(resource: Attributes<'_>) -> &'static str {
    let language = resource.text(&["telemetry.sdk.language"]);
    let known = PLATFORMS.iter().find(|(name, _)| Some(*name) == language);
    known.map_or(OTHER, |(_, platform)| *platform)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;
    use rstest::rstest;

    #[rstest]
    #[case("nodejs", "node")]
    #[case("dotnet", "csharp")]
    #[case("python", "python")]
    #[case("cobol", "other")]
    fn a_language_is_a_platform(#[case] language: &str, #[case] expected: &str) {
        let resource = attributes(&[("telemetry.sdk.language", language)]);
        assert_eq!(platform(Attributes(&resource)), expected);
    }

    #[test]
    fn a_resource_that_says_nothing_is_other() {
        assert_eq!(platform(Attributes(&[])), "other");
    }
}
