# Sourced by the scripts about Rust crates: a temporary folder with a crate that has the dependencies of standard input, to be
# given its `src/main.rs`. Needs Rust's toolchain.
#
#     . "$(dirname "$0")/shared/crate.sh" <<'TOML'
#     redb = "=4.6.0"
#     TOML
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir src
{
  printf '%s\n' '[package]' 'name = "finding"' 'version = "0.0.0"' 'edition = "2024"' '' '[dependencies]'
  cat
} > Cargo.toml
unset CARGO_TARGET_DIR
