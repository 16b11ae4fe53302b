//! The keys of `receivers.otlp`, as data.

use crate::config::key::Form::{
    Block, Bytes, Idle, Map, Path, Refused, Secret, Switch, Text, Texts, Warned, Whole, Word,
};
use crate::config::key::Key;

/// Of a receiver.
pub const RECEIVER: &[Key] = &[Key::new(
    "protocols",
    Block(PROTOCOLS),
    "",
    "Which of the two are open, `grpc` and `http`; a protocol that is not named stays closed.",
)];

/// Of `protocols`.
pub const PROTOCOLS: &[Key] = &[
    Key::new("grpc", Block(GRPC), "", "OTLP over gRPC."),
    Key::new("http", Block(HTTP), "", "OTLP over HTTP."),
];

const NO_TUNING: &str = "Tuning of the collector's server.";
const TRANSPORT: &str = "Other transports of the collector's are not supported.";
const MIDDLEWARES: &str = "names extensions of the collector, which are not here: remove it";

/// Of `protocols.grpc`.
pub const GRPC: &[Key] = &[
    Key::new(
        "endpoint",
        Text,
        "127.0.0.1:4317",
        "Address to listen at: `HOST:PORT`, or `0.0.0.0:PORT` for all addresses of the machine.",
    ),
    Key::new("transport", Word(&["tcp"]), "tcp", TRANSPORT),
    Key::new(
        "tls",
        Block(TLS),
        "",
        "TLS; without it the connection is not encrypted.",
    ),
    Key::new(
        "auth",
        Block(AUTH),
        "",
        "Who may send; without it everybody who reaches the port.",
    ),
    Key::new(
        "max_recv_msg_size_mib",
        Whole(1, 1024),
        "32",
        "A message may have so many MiB, decompressed; a larger one is answered RESOURCE_EXHAUSTED. The collector's default is 4.",
    ),
    Key::new(
        "include_metadata",
        Idle,
        "",
        "Metadata are not passed on in either case.",
    ),
    Key::new("keepalive", Idle, "", NO_TUNING),
    Key::new("max_concurrent_streams", Idle, "", NO_TUNING),
    Key::new("read_buffer_size", Idle, "", NO_TUNING),
    Key::new("write_buffer_size", Idle, "", NO_TUNING),
    Key::new("middlewares", Refused, "", MIDDLEWARES),
];

/// Of `protocols.http`.
pub const HTTP: &[Key] = &[
    Key::new(
        "endpoint",
        Text,
        "127.0.0.1:4318",
        "Address to listen at: `HOST:PORT`, or `0.0.0.0:PORT` for all addresses of the machine.",
    ),
    Key::new("transport", Word(&["tcp"]), "tcp", TRANSPORT),
    Key::new(
        "tls",
        Block(TLS),
        "",
        "TLS; without it the connection is not encrypted.",
    ),
    Key::new(
        "auth",
        Block(AUTH),
        "",
        "Who may send; without it everybody who reaches the port.",
    ),
    Key::new(
        "max_request_body_size",
        Bytes,
        "32MiB",
        "A body may have so many bytes, decompressed; a larger one is answered 413. The collector's default is 20 MiB.",
    ),
    Key::new(
        "cors",
        Block(CORS),
        "",
        "Which pages in browsers may send; without it none.",
    ),
    Key::new(
        "traces_url_path",
        Text,
        "/v1/traces",
        "Path of traces; it is found with a trailing slash too.",
    ),
    Key::new(
        "logs_url_path",
        Text,
        "/v1/logs",
        "Path of logs; it is found with a trailing slash too.",
    ),
    Key::new("metrics_url_path", Idle, "", "Metrics are not taken."),
    Key::new("profiles_url_path", Idle, "", "Profiles are not taken."),
    Key::new(
        "include_metadata",
        Idle,
        "",
        "Headers are not passed on in either case.",
    ),
    Key::new(
        "compression_algorithms",
        Idle,
        "",
        "gzip, deflate and zstd are read.",
    ),
    Key::new("read_timeout", Idle, "", NO_TUNING),
    Key::new("read_header_timeout", Idle, "", NO_TUNING),
    Key::new("write_timeout", Idle, "", NO_TUNING),
    Key::new("idle_timeout", Idle, "", NO_TUNING),
    Key::new("keep_alives_enabled", Idle, "", NO_TUNING),
    Key::new(
        "response_headers",
        Warned,
        "",
        "is passed over: answers have no headers beside their own",
    ),
    Key::new("middlewares", Refused, "", MIDDLEWARES),
];

/// Of `tls` of a protocol.
pub const TLS: &[Key] = &[
    Key::new("cert_file", Path, "", "The certificate, as PEM."),
    Key::new("key_file", Path, "", "Its key, as PEM."),
    Key::new(
        "cert_pem",
        Text,
        "",
        "The certificate itself, instead of `cert_file`.",
    ),
    Key::new(
        "key_pem",
        Secret,
        "",
        "The key itself, instead of `key_file`.",
    ),
    Key::new(
        "client_ca_file",
        Path,
        "",
        "Authorities, as PEM: clients need a certificate of one of them.",
    ),
    Key::new(
        "min_version",
        Word(&["1.2", "1.3"]),
        "1.2",
        "The oldest version of TLS that is spoken.",
    ),
    Key::new(
        "max_version",
        Word(&["1.2", "1.3"]),
        "1.3",
        "The newest version of TLS that is spoken.",
    ),
    Key::new(
        "cipher_suites",
        Texts,
        "",
        "Suites of TLS 1.2, by Go's names. Default: all that are safe.",
    ),
    Key::new(
        "curve_preferences",
        Texts,
        "",
        "Curves by Go's names. Default: all that are safe.",
    ),
    Key::new("ca_file", Idle, "", "Is of use to clients only."),
    Key::new("ca_pem", Idle, "", "Is of use to clients only."),
    Key::new(
        "include_system_ca_certs_pool",
        Idle,
        "",
        "Is of use to clients only.",
    ),
    Key::new(
        "reload_interval",
        Idle,
        "",
        "When files are read again is not a setting.",
    ),
    Key::new(
        "client_ca_file_reload",
        Idle,
        "",
        "When files are read again is not a setting.",
    ),
    Key::new(
        "tpm",
        Refused,
        "",
        "is not supported: name the key's file by `key_file`",
    ),
];

/// Of `auth` of a protocol.
pub const AUTH: &[Key] = &[
    Key::new(
        "bearer_token",
        Secret,
        "",
        "Clients must send `Authorization: Bearer TOKEN`.",
    ),
    Key::new(
        "users_file",
        Path,
        "",
        "Clients must send a name and a password of this file, as HTTP Basic: lines `name:hash` as `htpasswd -B` makes them.",
    ),
    Key::new(
        "request_params",
        Idle,
        "",
        "Is of use to extensions of the collector only.",
    ),
    Key::new(
        "authenticator",
        Refused,
        "",
        "names an extension of the collector, which is not here: set `bearer_token`, `bearer_token_file` or `users_file` instead",
    ),
];

/// Of `protocols.http.cors`.
pub const CORS: &[Key] = &[
    Key::new(
        "allowed_origins",
        Texts,
        "",
        "Origins whose pages may send, such as `https://*.example.com`; `*` stands for anything.",
    ),
    Key::new(
        "allowed_headers",
        Texts,
        "",
        "Headers that such pages may send beside `Content-Type`; `*`: all.",
    ),
    Key::new(
        "max_age",
        Whole(0, 86_400),
        "",
        "Seconds for which browsers remember the answer.",
    ),
    Key::new(
        "exposed_headers",
        Idle,
        "",
        "Answers have no headers that pages need.",
    ),
];

/// Keys at the top of the file.
pub const TOP: &[Key] = &[
    Key::new(
        "receivers",
        Map,
        "",
        "`otlp` or `otlp/NAME`. Without this block both ports of `otlp` are open, on 127.0.0.1.",
    ),
    Key::new("exporters", Map, "", "`sentry` or `sentry/NAME`."),
    Key::new(
        "service",
        Map,
        "",
        "`pipelines` say which receiver feeds which exporter; without them each receiver feeds each exporter.",
    ),
    Key::new(
        "ignore_processors",
        Switch,
        "false",
        "Whether to start although processors that drop or change data are passed over.",
    ),
    Key::new("processors", Map, "", "Are passed over; see below."),
    Key::new("connectors", Map, "", "Are passed over, with a warning."),
    Key::new("extensions", Map, "", "Are passed over, with a warning."),
];
