# Sourced by the scripts about hyper and hyper-util, as `crate.sh` with the pinned versions of both.
#
#     . "$(dirname "$0")/shared/hyper.sh"
. "$(dirname "${BASH_SOURCE[0]}")/crate.sh" <<'TOML'
bytes = "1"
http = "=1.5.0"
http-body-util = "=0.1.5"
hyper = "=1.12.0"
hyper-util = { version = "=0.1.21", features = ["client-legacy", "client-proxy", "http1", "tokio"] }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt"] }
tower-service = "=0.3.3"
TOML
