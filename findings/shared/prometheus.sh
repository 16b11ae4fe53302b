# Sourced by the scripts about Prometheus' own programs: Debian 12's packages unpacked, not installed, in a temporary folder, and what
# was started there ends with the script. Needs Debian's apt-get with a current list of packages, dpkg, curl and python3.
#
#     . "$(dirname "$0")/shared/prometheus.sh" PACKAGE=VERSION...
set -euo pipefail
tmp=$(mktemp -d)
started=()
finish() {
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$tmp"
}
trap finish EXIT
cd "$tmp"
apt-get -qq -o APT::Sandbox::User=root download "$@"
for file in *.deb; do dpkg -x "$file" .; done
bin=$tmp/usr/bin

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# until_true COMMAND...: runs it until it succeeds, for at most 30 seconds
until_true() {
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "never true: $*" >&2
  cat ./*.log >&2
  return 1
}

# start URL COMMAND...: a server in the background, until URL answers 200
start() {
  local url=$1
  shift
  "$@" >>server.log 2>&1 &
  started+=($!)
  until_true curl -fs "$url"
}

# start_pushgateway: sets `gateway` to its address
start_pushgateway() {
  gateway=127.0.0.1:$(free_port)
  start "http://$gateway/-/ready" "$bin/prometheus-pushgateway" --web.listen-address="$gateway" --persistence.file=
}

# serve FOLDER: its files over HTTP as text/plain; sets `files` to the address
serve() {
  cat > serve.py <<'PY'
import functools, http.server, sys

class Handler(http.server.SimpleHTTPRequestHandler):
    def guess_type(self, path):
        return "text/plain; version=0.0.4"

handler = functools.partial(Handler, directory=sys.argv[2])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
PY
  local port
  port=$(free_port)
  files=127.0.0.1:$port
  start "http://$files/" python3 serve.py "$port" "$1"
}

# start_prometheus CONFIG: sets `prometheus` to its address
start_prometheus() {
  prometheus=127.0.0.1:$(free_port)
  start "http://$prometheus/-/ready" "$bin/prometheus" --config.file="$1" --storage.tsdb.path=data --web.listen-address="$prometheus"
}

# query EXPRESSION: the samples as JSON lines, each [labels, value]
query() {
  curl -fsG "http://$prometheus/api/v1/query" --data-urlencode "query=$1" |
    python3 -c 'import json, sys
for r in json.load(sys.stdin)["data"]["result"]: print(json.dumps([r["metric"], r["value"][1]]))'
}
