#!/usr/bin/env bash
# sentry-exporter in front of the real Prometheus, promtool, Pushgateway and a browser, against sandbox Sentrys.
#
#   tests/e2e/exporter.sh             everything
#   tests/e2e/exporter.sh install     only what others made, for a later run
#
# Unpacks Debian's prometheus and prometheus-pushgateway, which are not installed, so that no service starts; installs
# prometheus_client from PyPI and Grafana's types from npm (pinned below) and, when it is missing and the user is root, Debian's
# chromium. Builds the exporter and the sandbox without optimization. Everything else lives in a temporary folder and ends
# with the script. One line a check, `ok …` or `FAIL …`; the last is `N passed, M failed`. What cannot be installed is a
# failure; only the types of boards are skipped, with a line that says so, where there is no npm.
#
#   PYTHON, E2E_VENVS, E2E_KEEP   as for run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD name=sentry-exporter-e2e
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

stage "programs of others"
# debian PACKAGES…: their files, in a folder that is kept; where apt knows no packages yet, root asks for the lists.
debian=$venvs/debian
debian() {
  [ "$(cat "$debian/packages" 2>/dev/null)" != "$*" ] || return 0
  rm -rf "$debian" && mkdir -p "$debian/download" || return
  (cd "$debian/download" && { apt download "$@" || { apt update && apt download "$@"; }; }) || return
  for package in "$debian"/download/*.deb; do dpkg -x "$package" "$debian" || return; done
  rm -r "$debian/download"
  echo "$*" >"$debian/packages"
}
check "unpacked: Debian's prometheus, promtool and prometheus-pushgateway" debian prometheus prometheus-pushgateway
bin=$debian/usr/bin
# `command -v` would find a function of that name.
browser() { type -P chromium || { [ "$(id -u)" = 0 ] && apt update && apt install -y --no-install-recommends chromium && type -P chromium; }; }
check "installed: chromium" browser
ensurepip
pins="prometheus_client==0.26.0 bcrypt==4.3.0"
venv() {
  [ "$(cat "$venvs/exporter/pins" 2>/dev/null)" != "$("$python" --version) $pins" ] || return 0
  rm -rf "$venvs/exporter"
  # shellcheck disable=SC2086
  "$python" -m venv "$venvs/exporter" && "$venvs/exporter/bin/python" -m pip install --quiet --disable-pip-version-check $pins &&
    echo "$("$python" --version) $pins" >"$venvs/exporter/pins"
}
check "installed: prometheus_client" venv
types=$venvs/grafana
npm_types() {
  local pins
  pins="$(node --version) @grafana/schema@13.2.3 typescript@5.9.3"
  [ "$(cat "$types/pins" 2>/dev/null)" != "$pins" ] || return 0
  rm -rf "$types"
  npm install --prefix "$types" --ignore-scripts --no-audit --no-fund --loglevel error @grafana/schema@13.2.3 typescript@5.9.3 && echo "$pins" >"$types/pins"
}
if command -v npm >/dev/null; then check "installed: Grafana's types" npm_types; fi
if grep -q '^FAIL ' "$results" || [ "${1:-}" = install ]; then exit; fi

stage "rules and scrape jobs"
check "promtool check config" "$bin/promtool" check config prometheus/prometheus.yml
check "promtool test rules" "$bin/promtool" test rules prometheus/sentry.rules.test.yml
# promtool finds no fault with a test of an alert that is not there, nor with an alert without a test.
names() { sed -n "s/^ *\(- \)\?$1: //p" "$2" | sort -u; }
tested() { diff <(names alert prometheus/sentry.rules.yml) <(names alertname prometheus/sentry.rules.test.yml); }
check "each alert has a test, and each test an alert" tested

stage "boards"
check "boards are as grafana/boards.py makes them" "$python" grafana/boards.py --check
# typed FILE…: boards as values of the type that boards.ts has.
typed() {
  {
    cat "$here/boards.ts"
    local number=0
    for file in "$@"; do
      number=$((number + 1))
      printf 'export const board%s: Board = ' "$number" && cat "$file" && echo ';'
    done
  } >"$types/boards.ts"
  "$types/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext "$types/boards.ts"
}
mistyped() { sed 's/"drawStyle": "line"/"drawStyle": "lines"/' grafana/sentry-overview.json >"$work/mistyped.json" && fails typed "$work/mistyped.json"; }
if command -v npm >/dev/null; then
  check "boards have Grafana's types" typed grafana/*.json
  check "a board with a mistake has not" mistyped
else
  echo "skipped: types of boards, since npm is not installed"
fi

stage "the exporter, the sandbox"
# The kinds of targets that `cargo test` builds as well: after it there is nothing to do.
check "built: the exporter, the sandbox" cargo build --workspace --locked --bins --examples
if grep -q '^FAIL ' "$results"; then exit 1; fi
export E2E_DEBIAN=$bin
script exporter/run.py "$venvs/exporter/bin/python"
script exporter/old.py "$venvs/exporter/bin/python"
stage "done"
