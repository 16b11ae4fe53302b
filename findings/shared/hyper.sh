# Sourced by the scripts about hyper and hyper-util: a temporary folder with a crate that has the pinned versions, to be given its
# `src/main.rs`. Needs Rust's toolchain.
#
#     . "$(dirname "$0")/shared/hyper.sh"
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = "1"
http = "=1.5.0"
http-body-util = "=0.1.5"
hyper = "=1.12.0"
hyper-util = { version = "=0.1.21", features = ["client-legacy", "client-proxy", "http1", "tokio"] }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt"] }
tower-service = "=0.3.3"
TOML
unset CARGO_TARGET_DIR
