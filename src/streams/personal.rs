//! Where Sentry's answers hold personal data, for the preset of masking.

/// Keys that hold personal data wherever they stand.
pub const KEYS: &[&str] = &[
    "emails",
    "ip_address",
    "ipAddress",
    "username",
    "avatarUrl",
    "avatar",
    "headers",
    "cookies",
    "inviterName",
];
/// A column that is a person, if it is text, and whatever is below it in a path.
pub const PERSON: &str = "user";
/// Attributes of spans and logs that hold an address of a client.
pub const ADDRESSES: &[&str] = &["client.address", "network.peer.address"];
/// Keys that end so, in whatever case, hold personal data too, and show their object to be a person.
pub const KEY_ENDING: &str = "email";
/// Keys that show their object to be a person.
pub const PERSON_KEYS: &[&str] = &["username", "ip_address", "ipAddress"];
/// Keys whose object is a person, whatever it holds, unless [`TEAM`] is a member of it.
pub const PEOPLE: &[&str] = &[
    "actor",
    "assignedTo",
    "author",
    "authors",
    "inviter",
    "owner",
    "owners",
    "participants",
    "seenBy",
    "user",
    "viewers",
];
/// The member, key and value, that shows an object to be a team.
pub const TEAM: (&str, &str) = ("type", "team");
/// The key that is personal in an object that is a person: the name of a project is not.
pub const PERSON_NAME: &str = "name";
/// The key of an event's tag that holds the tag's own key.
pub const TAG: &str = "key";
/// Tags whose value is personal data.
pub const TAGS: &[&str] = &[
    "user",
    "user.email",
    "user.username",
    "user.ip",
    "user.name",
    "email",
    "ip",
    "username",
    "ip_address",
];
/// The keys of an event's tag that hold the tag's value.
pub const TAG_VALUES: &[&str] = &["value", "query"];
