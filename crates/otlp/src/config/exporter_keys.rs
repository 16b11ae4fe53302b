//! The keys of `exporters.sentry`, as data.

use crate::config::key::Form::{
    Block, Bytes, Duration, Idle, Map, Number, Path, Refused, Secret, Switch, Text, Texts, Warned,
    Whole, Word,
};
use crate::config::key::Key;

/// Attributes that are removed where the user says nothing: what lets others in. Names are compared without regard to case;
/// OpenTelemetry's conventions of headers have dashes since 1.21 and had underscores before.
pub const DROPPED: &str = "authorization, *.authorization, *.proxy-authorization, *.proxy_authorization, cookie, *.cookie, *.set-cookie, *.set_cookie";

/// Of an exporter.
pub const EXPORTER: &[Key] = &[
    Key::new(
        "dsn",
        Secret,
        "",
        "DSN of the project that takes everything, or with `org_slug` everything that names no other project. Its port and path are kept.",
    ),
    Key::new(
        "url",
        Text,
        "",
        "Address of the Sentry server; required with `org_slug`.",
    ),
    Key::new(
        "org_slug",
        Text,
        "",
        "Slug of the organization to whose projects data is routed.",
    ),
    Key::new(
        "auth_token",
        Secret,
        "",
        "Token with the scopes org:read and project:read, and project:write for `auto_create_projects`; required with `org_slug`.",
    ),
    Key::new(
        "routing",
        Block(ROUTING),
        "",
        "Which project data is for; with `org_slug`.",
    ),
    Key::new(
        "auto_create_projects",
        Switch,
        "false",
        "Whether a project that is not there is created. Needs authentication of clients, as anybody could have projects made.",
    ),
    Key::new(
        "max_created_projects",
        Whole(1, 1000),
        "20",
        "So many projects are created at most.",
    ),
    Key::new(
        "environment",
        Text,
        "",
        "Environment of everything that is sent; wins over the resource's.",
    ),
    Key::new(
        "release_from",
        Texts,
        "service.version",
        "Attributes of the resource; the first that is there is the release.",
    ),
    Key::new(
        "mode",
        Word(&["auto", "otlp", "transactions"]),
        "auto",
        "How spans and logs are sent: as OTLP, to servers from 26.5; as transactions and log items, to older ones; or as each project's server is found to take them.",
    ),
    Key::new(
        "trace_timeout",
        Duration,
        "10s",
        "With transactions: how long spans of a trace are waited for.",
    ),
    Key::new(
        "sample_rate",
        Number(0.0, 1.0),
        "1",
        "Share of the traces that is sent, decided by the trace id; errors are always sent.",
    ),
    Key::new(
        "drop_attributes",
        Texts,
        DROPPED,
        "Attributes that are removed, with the wildcards `*` and `?`. A list takes the place of the default; repeat what shall still be removed. Names and passwords in URLs are removed always.",
    ),
    Key::new(
        "mask_attributes",
        Texts,
        "",
        "Attributes whose value becomes `[Filtered]`, in the same form.",
    ),
    Key::new(
        "spool",
        Path,
        "",
        "Folder on a disk of this machine in which what is acknowledged waits until Sentry has it: it survives a crash. Without one it waits in memory. Each exporter and each process needs its own.",
    ),
    Key::new(
        "spool_size",
        Bytes,
        "1GiB",
        "So much may be in the spool; then clients are asked to come back.",
    ),
    Key::new(
        "timeout",
        Duration,
        "30s",
        "How long an answer of Sentry is waited for.",
    ),
    Key::new(
        "proxy_url",
        Secret,
        "",
        "Proxy for all requests to Sentry: http://, https:// or socks5://.",
    ),
    Key::new(
        "ca_certificate",
        Path,
        "",
        "PEM file of authorities that are trusted beside the system's.",
    ),
    Key::new(
        "insecure_skip_verify",
        Switch,
        "false",
        "Whether any certificate of the server is taken. Anybody in between can then read and change what is sent.",
    ),
    Key::new(
        "http",
        Block(HTTP),
        "",
        "The collector's settings of HTTP clients.",
    ),
    Key::new(
        "sending_queue",
        Block(QUEUE),
        "",
        "What waits in memory to be sent.",
    ),
    Key::new(
        "retry_on_failure",
        Block(RETRY),
        "",
        "When something is sent again.",
    ),
];

/// Of `routing`.
pub const ROUTING: &[Key] = &[
    Key::new(
        "project_from_attribute",
        Text,
        "service.name",
        "Attribute of the resource that names the project.",
    ),
    Key::new(
        "attribute_to_project_mapping",
        Map,
        "",
        "Slugs of projects by values of that attribute. A value that is not here is taken for a slug itself.",
    ),
    Key::new(
        "default_project",
        Text,
        "",
        "Slug of the project that takes what names no other, in the place of `dsn`.",
    ),
];

const TUNING: &str = "Tuning of the collector's client.";
const OWN_CERTIFICATE: &str = "is not supported: clients of Sentry show no certificate; remove it";

/// Of `http`.
pub const HTTP: &[Key] = &[
    Key::new(
        "timeout",
        Duration,
        "",
        "As `timeout` above; the shorter one counts.",
    ),
    Key::new(
        "headers",
        Map,
        "",
        "Headers of each request to Sentry, for proxies in front of it.",
    ),
    Key::new("proxy_url", Secret, "", "As `proxy_url` above."),
    Key::new("tls", Block(TLS), "", "TLS of the connection to Sentry."),
    Key::new(
        "endpoint",
        Warned,
        "",
        "is passed over: the address stands in `dsn`, or in `url`",
    ),
    Key::new(
        "compression",
        Idle,
        "",
        "How requests are compressed is not a setting.",
    ),
    Key::new("compression_params", Idle, "", TUNING),
    Key::new("read_buffer_size", Idle, "", TUNING),
    Key::new("write_buffer_size", Idle, "", TUNING),
    Key::new("max_idle_conns", Idle, "", TUNING),
    Key::new("max_idle_conns_per_host", Idle, "", TUNING),
    Key::new("max_conns_per_host", Idle, "", TUNING),
    Key::new("idle_conn_timeout", Idle, "", TUNING),
    Key::new("disable_keep_alives", Idle, "", TUNING),
    Key::new("http2_read_idle_timeout", Idle, "", TUNING),
    Key::new("http2_ping_timeout", Idle, "", TUNING),
    Key::new("force_attempt_http2", Idle, "", TUNING),
    Key::new("cookies", Idle, "", "Sentry sets none that are needed."),
    Key::new(
        "auth",
        Refused,
        "",
        "names an extension of the collector, which is not here: Sentry is told the key of the DSN, or `auth_token`",
    ),
    Key::new(
        "middlewares",
        Refused,
        "",
        "names extensions of the collector, which are not here: remove it",
    ),
];

/// Of `http.tls`.
pub const TLS: &[Key] = &[
    Key::new(
        "insecure_skip_verify",
        Switch,
        "false",
        "As `insecure_skip_verify` above.",
    ),
    Key::new("ca_file", Path, "", "As `ca_certificate` above."),
    Key::new(
        "insecure",
        Idle,
        "",
        "Whether TLS is spoken follows from the address.",
    ),
    Key::new("min_version", Idle, "", "TLS 1.2 and 1.3 are spoken."),
    Key::new("max_version", Idle, "", "TLS 1.2 and 1.3 are spoken."),
    Key::new("cipher_suites", Idle, "", "All that are safe."),
    Key::new("curve_preferences", Idle, "", "All that are safe."),
    Key::new(
        "reload_interval",
        Idle,
        "",
        "When files are read again is not a setting.",
    ),
    Key::new(
        "include_system_ca_certs_pool",
        Idle,
        "",
        "The system's authorities are trusted in either case.",
    ),
    Key::new(
        "ca_pem",
        Refused,
        "",
        "is not supported: write it into a file, and name that by `ca_file`",
    ),
    Key::new(
        "server_name_override",
        Refused,
        "",
        "is not supported: the name is that of the address",
    ),
    Key::new("cert_file", Refused, "", OWN_CERTIFICATE),
    Key::new("key_file", Refused, "", OWN_CERTIFICATE),
    Key::new("cert_pem", Refused, "", OWN_CERTIFICATE),
    Key::new("key_pem", Refused, "", OWN_CERTIFICATE),
    Key::new("tpm", Refused, "", OWN_CERTIFICATE),
];

/// Of `sending_queue`.
pub const QUEUE: &[Key] = &[
    Key::new(
        "enabled",
        Switch,
        "true",
        "What was acknowledged always waits in a queue: `false` is passed over with a warning.",
    ),
    Key::new(
        "num_consumers",
        Whole(1, 1000),
        "10",
        "So many requests to Sentry are under way at the same time.",
    ),
    Key::new(
        "queue_size",
        Whole(1, u64::MAX),
        "1000",
        "So much waits, counted as `sizer` says and in no case more than 256 MiB; beyond it clients are asked to send again later. Required with another `sizer` than requests.",
    ),
    Key::new(
        "sizer",
        Word(&["requests", "items", "bytes"]),
        "requests",
        "What `queue_size` counts: requests as they came, spans and log records, or bytes.",
    ),
    Key::new(
        "block_on_overflow",
        Idle,
        "",
        "Clients are asked to send again later in either case.",
    ),
    Key::new(
        "wait_for_result",
        Warned,
        "",
        "is passed over: clients are answered when their data is safe in the queue",
    ),
    Key::new(
        "storage",
        Text,
        "",
        "Names an extension of the collector, which is not here: refused.",
    ),
    Key::new(
        "batch",
        Block(BATCH),
        "",
        "Changes nothing: what is sent at once follows from Sentry's limits.",
    ),
];

const BATCHES: &str = "What is sent at once follows from Sentry's limits.";

/// Of `sending_queue.batch`.
pub const BATCH: &[Key] = &[
    Key::new("flush_timeout", Idle, "", BATCHES),
    Key::new("min_size", Idle, "", BATCHES),
    Key::new("max_size", Idle, "", BATCHES),
    Key::new("sizer", Idle, "", BATCHES),
    Key::new("partition", Idle, "", BATCHES),
];

/// Of `retry_on_failure`.
pub const RETRY: &[Key] = &[
    Key::new(
        "enabled",
        Switch,
        "true",
        "Whether what failed for a reason that may pass is sent again; else it is lost, and counted.",
    ),
    Key::new("initial_interval", Duration, "5s", "The first wait."),
    Key::new(
        "max_interval",
        Duration,
        "30s",
        "The longest wait. A wait that Sentry names is kept to, whatever its length.",
    ),
    Key::new(
        "multiplier",
        Number(1.0, 1000.0),
        "1.5",
        "Each wait is so many times the last.",
    ),
    Key::new(
        "randomization_factor",
        Number(0.0, 1.0),
        "0.5",
        "A wait is shortened or lengthened by up to this share of it.",
    ),
    Key::new(
        "max_elapsed_time",
        Duration,
        "0",
        "What has been tried for so long is given up, and counted; 0: never, while there is room, but for what waits for a key that Sentry refuses or for a project that is not there: an hour. The collector's default is 300s.",
    ),
];
