//! The body of a request, whole and decoded, within a limit.

use crate::intake::answer::Refusal;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use futures_util::StreamExt;
use std::io::{self, Read};

/// Why there is no body.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// Answered before the whole of it has come.
    TooLarge,
    /// Its encoding is not known, or there are two.
    Encoding,
    /// It is not what its encoding says.
    Undecodable(String),
    /// Known to the server but not to the sandbox.
    NotImitated(&'static str),
    /// The client left.
    Broken,
}

impl BodyError {
    /// `None`: nobody is there to be told.
    pub fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::TooLarge => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "unable to read body: Failed to buffer the request body: length limit exceeded",
            ),
            Self::Encoding => {
                Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported encoding")
                    .with(header::ACCEPT_ENCODING, "gzip,deflate,br,zstd")
            }
            Self::Undecodable(cause) => Refusal::bad_request("invalid request body", cause),
            Self::NotImitated(what) => Refusal::new(
                StatusCode::NOT_IMPLEMENTED,
                format!("the sandbox does not decode {what}"),
            ),
            Self::Broken => return None,
        })
    }
}

/// Reads no more than `limit` bytes, before and after decoding.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let encoding = encoding(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| BodyError::Broken)?);
        if bytes.len() > limit {
            return Err(BodyError::TooLarge);
        }
    }
    match encoding {
        Encoding::Identity => Ok(bytes),
        Encoding::Gzip => decoded(MultiGzDecoder::new(bytes.as_slice()), limit),
        Encoding::Deflate => decoded(ZlibDecoder::new(bytes.as_slice()), limit),
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(bytes.as_slice());
            decoded(decoder.map_err(undecodable)?, limit)
        }
    }
}

#[derive(Clone, Copy)]
enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let (first, more) = (values.next(), values.next());
    match (first.map(|value| value.as_bytes()), more) {
        (None, _) | (Some(b"identity"), None) => Ok(Encoding::Identity),
        (Some(b"gzip"), None) => Ok(Encoding::Gzip),
        (Some(b"deflate"), None) => Ok(Encoding::Deflate),
        (Some(b"zstd"), None) => Ok(Encoding::Zstd),
        (Some(b"br"), None) => Err(BodyError::NotImitated("br")),
        _ => Err(BodyError::Encoding),
    }
}

fn decoded(decoder: impl Read, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(undecodable)?;
    if bytes.len() > limit {
        return Err(BodyError::TooLarge);
    }
    Ok(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it in")]
fn undecodable(error: io::Error) -> BodyError {
    BodyError::Undecodable(error.to_string())
}
