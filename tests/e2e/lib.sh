# What the scripts here share, to be sourced: a temporary folder, checks and their total, processes that end with the script.
#
# Before: `root`, the checkout, and `name`, that of the temporary folder. PYTHON, E2E_VENVS and E2E_KEEP are as run.sh tells.
# shellcheck shell=bash
# shellcheck disable=SC2154
here=$root/tests/e2e
python=${PYTHON:-python3.11}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
target=$CARGO_TARGET_DIR
venvs=${E2E_VENVS:-$target/e2e}
work=$(mktemp -d "${TMPDIR:-/tmp}/$name.XXXXXX")
chmod 755 "$work"
results=$work/results log=$work/log
: >"$results"
mkdir -p "$venvs"
# Clients start a hundred times: without compiled files each takes seconds.
unset PYTHONDONTWRITEBYTECODE

pids=() groups=()
# at_end: what a script of these stops besides.
at_end() { :; }
exec 3>&1
finish() {
  local code=$?
  # A signal may find the output in the log of a check.
  exec >&3
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for group in "${groups[@]}"; do kill -- "-$group" 2>/dev/null || true; done
  at_end
  local passed failed
  passed=$(grep -c '^ok ' "$results" || true)
  failed=$(grep -c '^FAIL ' "$results" || true)
  # A script that broke off has not passed.
  if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then echo "FAIL the script ended early, exit code $code"; failed=1; fi
  if [ -z "${E2E_KEEP:-}" ]; then rm -rf "$work"; else echo "left: $work"; fi
  echo "$passed passed, $failed failed, in $SECONDS s"
  [ "$failed" -eq 0 ] || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM

# beside FILE COMMAND…: starts it in a process group of its own, so that its children end with it; sets `group`.
beside() {
  local out=$1
  shift
  set -m
  "$@" >"$out" 2>&1 &
  group=$!
  set +m
  groups+=("$group")
}
# joined: waits for that group; what has ended is not to be killed, since its id may be another's by then.
joined() {
  local code=0 left=()
  wait "$1" || code=$?
  for group in "${groups[@]}"; do [ "$group" = "$1" ] || left+=("$group"); done
  groups=("${left[@]}")
  return $code
}
stage() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
report() { echo "$*" | tee -a "$results"; }
# check NAME COMMAND…: passes when the command does.
check() {
  local name=$1 code=0
  shift
  "$@" >"$log" 2>&1 || code=$?
  cat "$log" >>"$log.all"
  if [ "$code" = 0 ]; then report "ok $name"; else
    report "FAIL $name"
    tail -n 20 "$log" | sed 's/^/    /' | cut -c1-400
  fi
}
# lines NAME COMMAND…: the command reports its own checks.
lines() {
  local name=$1
  shift
  if ! "$@" >"$log.lines" 2>"$log" && ! grep -q '^FAIL ' "$log.lines"; then echo "FAIL $name: $(tail -n 1 "$log")" >>"$log.lines"; fi
  tee -a "$results" <"$log.lines"
}
# script FILE PYTHON: it reports its own checks, told as they come.
script() {
  local out=$work/${1//\//-} code=0
  E2E_WORK=$work E2E_BIN=$target/debug E2E_VENVS=$venvs "$2" "$here/$1" 2>"$out.err" | tee "$out.out" || code=$?
  grep -E '^(ok|FAIL) ' "$out.out" >>"$results" || true
  if [ "$code" -ne 0 ] && ! grep -q '^FAIL ' "$out.out"; then report "FAIL $1 ended early: $(tail -n 3 "$out.err")"; fi
}
fails() { ! "$@"; }
# says PATTERN COMMAND…: the command succeeds, and its output has a line like that.
says() { "${@:2}" >"$log.said" 2>&1 && cat "$log.said" && grep -qi -- "$1" "$log.said"; }
free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# json KEY=VALUE…: an object; a value that is JSON stays what it is.
json() {
  "$python" - "$@" <<'PY'
import json, sys
def value(text):
    try:
        return json.loads(text)
    except ValueError:
        return text
print(json.dumps({k: value(v) for k, v in (pair.split("=", 1) for pair in sys.argv[1:])}))
PY
}
# apt ARGUMENTS…: one at a time, since another script may run beside this one.
apt() { DEBIAN_FRONTEND=noninteractive flock -o "$venvs/apt.lock" apt-get -qq "$@"; }
# ensurepip: Debian's python3 comes without what makes virtualenvs.
ensurepip() {
  if ! "$python" -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ]; then
    check "installed: python3-venv" eval 'apt update && apt install -y python3-venv'
  fi
}

as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
# postgresql: installs it where it is missing, and sets `bin`
postgresql() {
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  if [ -z "$bin" ] && [ "$(id -u)" = 0 ]; then
    # No cluster of the system's own. Another script may have installed it meanwhile.
    apt update && apt install -y postgresql-common &&
      sed -i "s/^#\?create_main_cluster.*/create_main_cluster = false/" /etc/postgresql-common/createcluster.conf &&
      apt install -y postgresql || return
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  fi
  [ -x "$bin/initdb" ]
}
# start_postgresql: a cluster on a loopback port of its own; sets `pg` and libpq's environment
start_postgresql() {
  PGPORT=$(free_port)
  export PGHOST=127.0.0.1 PGPORT PGUSER=postgres PGDATABASE=postgres PGTZ=UTC
  mkdir "$work/pg" && { [ "$(id -u)" != 0 ] || chown postgres "$work/pg"; } &&
    (cd "$work/pg" && as_postgres "$bin/initdb" -D "$work/pg/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync) &&
    pg=$work/pg/data &&
    (cd "$work/pg" && as_postgres "$bin/pg_ctl" -D "$work/pg/data" -w -l "$work/pg/log" \
      -o "-c listen_addresses=127.0.0.1 -p $PGPORT -c unix_socket_directories=$work/pg -c fsync=off" start)
}
stop_postgresql() { if [ -n "$pg" ]; then as_postgres "$bin/pg_ctl" -D "$pg" -m immediate -w stop >/dev/null 2>&1 || true; fi; }

# serve NAME OPTIONS…: sets url_NAME, token
serve() {
  local name=$1
  shift
  "$sandbox" "$@" >"$work/$name.sandbox" 2>&1 &
  pids+=($!)
  for _ in $(seq 100); do
    grep -q '^token: ' "$work/$name.sandbox" && break
    sleep 0.1
  done
  printf -v "url_$name" '%s' "$(sed -n 's/^url: //p' "$work/$name.sandbox")"
  organization=$(sed -n 's/^organization: //p' "$work/$name.sandbox")
  token=$(sed -n 's/^token: //p' "$work/$name.sandbox")
}
