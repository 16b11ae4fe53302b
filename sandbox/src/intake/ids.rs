//! Ids of events, traces and spans, as text.

/// An event's id in 32 lower-case digits; dashes and upper case are passed over.
pub(crate) fn event(text: &str) -> Option<String> {
    let id: String = text.chars().filter(|c| *c != '-').collect();
    digits(&id, 32)
}

/// A trace's id, as [`event`] reads one; zeros are none.
pub(crate) fn trace(text: &str) -> Option<String> {
    event(text).filter(|id| !nil(id))
}

/// A span's id in 16 lower-case digits; zeros are none.
pub(crate) fn span(text: &str) -> Option<String> {
    digits(text, 16).filter(|id| !nil(id))
}

/// An id of its own for what came without.
pub(crate) fn random() -> String {
    format!("{:032x}", fastrand::u128(1..))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digits(text: &str, count: usize) -> Option<String> {
    let good = text.len() == count && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_ascii_lowercase())
}

fn nil(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}
