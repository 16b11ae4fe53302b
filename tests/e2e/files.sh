#!/usr/bin/env bash
# What `tap-sentry --output` writes, read by DuckDB, Polars, pandas, ClickHouse and PostgreSQL as docs/files.md says.
#
#   tests/e2e/files.sh             everything
#   tests/e2e/files.sh install     only what others made, for a later run
#
# Installs the readers from PyPI (pinned below) and, when it is missing and the user is root, Debian's postgresql. Builds the tap and the
# sandbox without optimization. Everything else lives in a temporary folder and ends with the script. One line a check, `ok …` or
# `FAIL …`; the last is `N passed, M failed`. What cannot be installed is a failure.
#
#   PYTHON, E2E_VENVS, E2E_KEEP   as for run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD name=sentry-files-e2e
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh
pg=
at_end() { stop_postgresql; }

stage "programs of others"
ensurepip
pins=(duckdb==2.0.1 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1 chdb==4.4.0 duckdb-cli==1.5.6)
installed() {
  local folder=$venvs/files wanted
  wanted="$("$python" --version) ${pins[*]}"
  [ "$(cat "$folder/pins" 2>/dev/null)" != "$wanted" ] || return 0
  rm -rf "$folder"
  "$python" -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${pins[@]}" && echo "$wanted" >"$folder/pins"
}
check "installed: ${pins[*]}" installed
check "installed: postgresql" postgresql
if grep -q '^FAIL ' "$results" || [ "${1:-}" = install ]; then exit; fi

stage "the tap, the sandbox, PostgreSQL"
# The kinds of targets that `cargo test` builds as well: after it there is nothing to do.
check "built: the tap, the sandbox" cargo build --workspace --locked --bins --examples
check "PostgreSQL $("$bin/postgres" -V | grep -o '[0-9.]*' | head -n 1) runs" start_postgresql
if grep -q '^FAIL ' "$results"; then exit 1; fi
script files/run.py "$venvs/files/bin/python"
stage "done"
