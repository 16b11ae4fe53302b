#!/usr/bin/env bash
# Loads a sandbox Sentry into real Singer targets and compares what arrived with what the server holds.
#
#   tests/e2e/run.sh             everything
#   tests/e2e/run.sh install     only the clients, for a later run
#
# Installs clients from PyPI (pinned below, each in a virtualenv of its own that is kept for the next run) and, when it
# is missing and the user is root, Debian's postgresql. The tap is the wheel that pip builds from this checkout.
# Everything else lives in a temporary folder: a PostgreSQL cluster on a loopback port of its own, three sandboxes; all are
# stopped at the end, by their ids. Meltano's part runs beside the others; its lines come last.
# One line a check, `ok …` or `FAIL …`; the last is `N passed, M failed`. A client that cannot be installed is a
# failure. Only Sentry's own command line is skipped, with a line that says so, where there is no npm to install it with.
#
#   PYTHON        default python3.11
#   E2E_PROFILE   cargo's profile for the wheel, default dev: a release takes minutes more and shows nothing more here
#   E2E_VENVS     folder of the virtualenvs and of the copy that is built, default target/e2e
#   E2E_KEEP=1    leave the temporary folder
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD name=tap-sentry-e2e
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh
export UV_COMPILE_BYTECODE=1

pg=
at_end() { stop_postgresql; }
# compare NAME TRUTH KIND WHERE [STREAMS]
compare() { lines "$1" "$python" "$here/compare.py" "$1" --truth "$work/$2" --catalog "$work/catalog.json" --streams "${5:-}" "$3" "$4"; }

stage "clients"
ensurepip
uv() { "$venvs/uv/bin/uv" "$@"; }
# venv NAME PINS…
venv() {
  local name=$1 pins
  shift
  pins="$("$python" --version) $*"
  if [ "$(cat "$venvs/$name/pins" 2>/dev/null)" != "$pins" ]; then
    rm -rf "${venvs:?}/$name"
    if [ "$name" = uv ]; then
      "$python" -m venv "$venvs/$name" && "$venvs/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || return
    else
      uv venv --quiet --python "$python" "$venvs/$name" && uv pip install --quiet --python "$venvs/$name/bin/python" "$@" || return
    fi
    echo "$pins" >"$venvs/$name/pins"
  fi
}
check "installed: uv" venv uv uv==0.13.8
check "installed: singer-tools" venv singer-tools singer-tools==0.4.1
check "installed: target-stitch" venv stitch target-stitch==4.0.3
check "installed: target-jsonl" venv jsonl target-jsonl==0.1.4
check "installed: meltanolabs-target-csv" venv csv meltanolabs-target-csv==0.5.0
check "installed: meltanolabs-target-postgres" venv meltanolabs meltanolabs-target-postgres==0.8.1
check "installed: pipelinewise-target-postgres" venv pipelinewise pipelinewise-target-postgres==2.1.2
# Later versions of duckdb lose the first row of each batch of this target.
check "installed: target-duckdb" venv duckdb target-duckdb==0.8.0 duckdb==1.1.3
check "installed: duckdb" venv duckdb-new duckdb==2.0.1
check "installed: meltano" venv meltano meltano==4.4.1

check "installed: postgresql" postgresql
sentry_cli=$venvs/sentry-cli/node_modules/.bin/sentry
npm_sentry() {
  local pins
  pins="$(node --version) sentry@0.49.0"
  if [ "$(cat "$venvs/sentry-cli/pins" 2>/dev/null)" != "$pins" ]; then
    rm -rf "${venvs:?}/sentry-cli"
    npm install --prefix "$venvs/sentry-cli" --ignore-scripts --no-audit --no-fund --loglevel error sentry@0.49.0 && [ -x "$sentry_cli" ] || return
    echo "$pins" >"$venvs/sentry-cli/pins"
  fi
}
if command -v npm >/dev/null; then check "installed: sentry-cli" npm_sentry; fi
if grep -q '^FAIL ' "$results" || [ "${1:-}" = install ]; then exit; fi

stage "the tap, the sandbox"
# Files of this checkout, always at one path, so that cargo compiles only what has changed.
copy=$venvs/checkout
copied() {
  rm -rf "$copy" && mkdir "$copy" && git ls-files -coz --exclude-standard >"$work/files" || return
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || cp -p --parents "$file" "$copy" || return; done <"$work/files"
}
check "copied: this checkout" copied
check "made: a clean virtualenv" "$python" -m venv "$work/clean"
export MATURIN_PEP517_ARGS="--profile ${E2E_PROFILE:-dev}"
# In a build folder of its own: the other stages run the programs of the one that is named.
check "pip wheel ." env -u CARGO_TARGET_DIR "$work/clean/bin/pip" wheel --disable-pip-version-check --no-deps --wheel-dir "$work/dist" "$copy"
wheel=$(echo "$work"/dist/*.whl) tap=$work/clean/bin/tap-sentry
check "pip installs the wheel" "$work/clean/bin/pip" install --disable-pip-version-check -q "$wheel"
check "tap-sentry --version" "$tap" --version
# The kinds of targets that `cargo test` builds as well: after it there is nothing to do.
check "built: the sandbox" cargo build --workspace --locked --bins --examples
if grep -q '^FAIL ' "$results"; then exit 1; fi
sandbox=$target/debug/sentry-sandbox

serve seeded
# Enough for batches, pages and windows; event bodies are small, since it is rows that count here.
serve bulk --bulk 3,12,110,400
# shellcheck disable=SC2154
echo "sandboxes at $url_seeded and $url_bulk"

# In whole days, so that the two runs of an incremental load meet at a known instant.
start=$(date -u -d '60 days ago' +%FT00:00:00Z)
middle=$(date -u -d '3 days ago' +%FT00:00:00Z)
now() { date -u +%FT%TZ; }
# truth NAME URL START END
truth() { SENTRY_URL=$2 SENTRY_TOKEN=$token SENTRY_ORG=$organization "$python" "$here/sentry_api.py" "$3" "$4" "$work/$1"; }
check "read: all of the seeded organization" truth all "$url_seeded" "$start" "$(now)"
check "read: the seeded organization until $middle" truth before "$url_seeded" "$start" "$middle"
check "read: all of the bulk organization" truth bulk "$url_bulk" "$start" "$(now)"

config() { json api_token="$token" organization="$organization" start_date="$start" "${@:2}" >"$work/$1.config.json" && chmod 600 "$work/$1.config.json"; }
config seeded base_url="$url_seeded"
config before base_url="$url_seeded" end_date="$middle"
config bulk base_url="$url_bulk"
# Slow enough to be killed in the middle.
config slow base_url="$url_bulk" rate_limit=15 window_days=3

"$tap" --config "$work/seeded.config.json" --discover >"$work/discovered.json"
"$python" - "$work" <<'PY'
import json, sys
work = sys.argv[1]
catalog, truth = json.load(open(work + "/discovered.json")), json.load(open(work + "/all.json"))
for stream in catalog["streams"]:
    for entry in stream["metadata"]:
        if entry["breadcrumb"] == []:
            entry["metadata"]["selected"] = stream["tap_stream_id"] in truth
json.dump(catalog, open(work + "/catalog.json", "w"))
PY
# selected CATALOG: the same with every stream selected.
selected() {
  "$python" -c "
import json, sys
catalog = json.load(open(sys.argv[1]))
for stream in catalog['streams']:
    for entry in stream['metadata']:
        if entry['breadcrumb'] == []:
            entry['metadata']['selected'] = True
json.dump(catalog, sys.stdout)" "$1"
}
sync() { "$tap" --config "$work/$1.config.json" --catalog "$work/catalog.json" "${@:2}"; }

# The two streams of one call per row would only take time.
"$python" -c "
import json
c = json.load(open('$work/catalog.json'))
for s in c['streams']:
    for m in s['metadata']:
        if m['breadcrumb'] == [] and s['tap_stream_id'] in ('issue_detail', 'event_detail'):
            m['metadata']['selected'] = False
json.dump(c, open('$work/catalog-bulk.json', 'w'))"
# What is selected when nobody has said anything.
default=$("$python" -c "
import json
def on(s):
    return any(m['breadcrumb'] == [] and m['metadata']['selected-by-default'] for m in s['metadata'])
print(','.join(s['tap_stream_id'] for s in json.load(open('$work/discovered.json'))['streams'] if on(s)))")
listed=$("$python" -c "import json; print(','.join(s for s in json.load(open('$work/all.json')) if s not in ('issue_detail', 'event_detail')))")
# incomplete SCHEMA: some events are there, others are not.
incomplete() {
  "$python" "$here/compare.py" half --truth "$work/bulk" --catalog "$work/catalog.json" --streams events meltanolabs "$1" >"$log.half" || true
  cat "$log.half"
  grep -q '^FAIL half: events: [1-9][0-9]* of [0-9]* missing' "$log.half"
}

check "PostgreSQL $("$bin/postgres" -V | grep -o '[0-9.]*' | head -n 1) runs" start_postgresql
port=$PGPORT

meltano_part() {
  log=$work/log.meltano
  printf '\n== Meltano\n'
  export MELTANO_SEND_ANONYMOUS_USAGE_STATS=false NO_COLOR=1 MELTANO_CLI_LOG_LEVEL=info
  # The checkout is the project, as README has it; the tap's pip_url is `.`.
  project=$copy
  meltano() { (cd "$project" && "$venvs/meltano/bin/meltano" "$@"); }
  check "meltano.yml follows Meltano's schema" "$venvs/meltano/bin/python" - "$root/meltano.yml" <<'PY'
import importlib.resources, json, sys, jsonschema, yaml
schema = json.loads((importlib.resources.files("meltano.schemas") / "meltano.schema.json").read_text())
errors = [f"{e.json_path}: {e.message[:200]}" for e in jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(open(sys.argv[1])))]
assert not errors, errors
PY
  check "meltano install, pip_url the checkout" meltano install
  lists_everything() {
    meltano select tap-sentry --list --all >"$work/selection" || return
    for stream in $(tr , ' ' <<<"$listed"); do grep -q "selected.*\] $stream\.\|automatic.*\] $stream\." "$work/selection" || { echo "$stream is not listed"; return 1; }; done
  }
  check "meltano select --list --all, before any credential" lists_everything
  export TAP_SENTRY_BASE_URL=$url_seeded TAP_SENTRY_ORGANIZATION=$organization TAP_SENTRY_START_DATE=$start
  refused() { TAP_SENTRY_API_TOKEN=wrong fails meltano config test tap-sentry; }
  check "meltano config test names a wrong token as the reason" says 'refused the token' refused
  export TAP_SENTRY_API_TOKEN=$token
  check "meltano config test" meltano config test tap-sentry
  rated() { TAP_SENTRY_RATE_LIMIT=2.5 meltano config test tap-sentry && meltano config set tap-sentry rate_limit 2.5 && meltano config test tap-sentry; }
  check "meltano config test, rate_limit 2.5 from a variable and from meltano.yml" rated
  check "meltano config unset" meltano config unset tap-sentry rate_limit
  check "meltano run, into files" meltano run sentry-to-files
  compare "meltano run, into files" all jsonl "$project/output" "$listed"
  files() { cat "$project"/output/events.jsonl | wc -l; }
  first=$(files)
  bookmark() { meltano state get dev:tap-sentry-to-target-jsonl 2>/dev/null | tail -n 1 | "$python" -c "import json, sys; print(json.load(sys.stdin)['singer_state']['bookmarks']['events']['start'])"; }
  reached=$(bookmark) || reached=
  check "meltano run, into files, again" meltano run sentry-to-files
  overlap() { [ -n "$reached" ] && tail -n "+$((first + 1))" "$project/output/events.jsonl" >"$work/second.jsonl" && "$python" "$here/overlap.py" "$work/all.json" "$work/second.jsonl" "$reached"; }
  check "meltano run, again: events since the bookmark and an hour before it only" overlap
  compare "meltano run, again" all jsonl "$project/output" "$listed"
  export TARGET_POSTGRES_HOST=$PGHOST TARGET_POSTGRES_PORT=$port TARGET_POSTGRES_PASSWORD=none TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA=melty
  check "meltano run, into PostgreSQL" meltano run sentry-to-postgres
  compare "meltano run, into PostgreSQL" all meltanolabs melty "$listed"
  check "PostgreSQL forgets the events" psql -XAtqc 'truncate melty.events'
  check "meltano run --full-refresh" meltano run --full-refresh sentry-to-postgres
  compare "meltano run --full-refresh" all meltanolabs melty "$listed"
  no_token() { grep -q 'tap-sentry' "$log.all" && fails grep -rF "$token" "$log.all" "$project/output"; }
  check "what Meltano printed and the files hold no token" no_token

  export TAP_SENTRY_BASE_URL=$url_bulk TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA=slow
  timed_out() { TAP_SENTRY_RATE_LIMIT=6 fails meltano run --timeout 12 --state-id-suffix bulk sentry-to-postgres; }
  check "meltano run --timeout ends the run" says 'run timed out' timed_out
  check "meltano run --timeout: something is missing" incomplete slow
  check "meltano run after the timeout" meltano run --state-id-suffix bulk sentry-to-postgres
  compare "meltano run after the timeout" bulk meltanolabs slow "$listed"

  from_reference() {
    mkdir "$work/other" && printf 'default_environment: dev\nenvironments:\n- name: dev\n' >"$work/other/meltano.yml" && cd "$work/other" &&
      UV_FIND_LINKS=$(dirname "$wheel") "$venvs/meltano/bin/meltano" add --plugin-type extractor tap-sentry --from-ref "$root/meltano/extractor.yml" &&
      says 'issues\.lastSeen' "$venvs/meltano/bin/meltano" select tap-sentry --list --all
  }
  check "meltano add --from-ref meltano/extractor.yml, the wheel as pip_url" from_reference
  # chosen STREAMS: just these are selected in that project.
  chosen() {
    (cd "$work/other" && "$venvs/meltano/bin/meltano" select tap-sentry --list) >"$work/chosen" || return
    diff <(tr , '\n' <<<"$1" | sort) <(sed -n 's/^\s*\[[a-z]* *\] \([a-z_]*\)\..*/\1/p' "$work/chosen" | sort -u)
  }
  check "meltano add --from-ref: the streams of one call a row are not selected" chosen "$default"
  one_more() { (cd "$work/other" && "$venvs/meltano/bin/meltano" select tap-sentry issue_detail '*') && chosen "$default,issue_detail"; }
  check "meltano select adds one of them to the others" one_more
}
beside "$work/meltano.out" meltano_part
meltano_group=$group

stage "validators"
whole() { sync seeded >"$work/messages.jsonl"; }
check "the tap ends with 0" whole
compare "tap" all messages "$work/messages.jsonl"
# The tool asks `null` for its members where an object with a date-time is null; what is null is left out for it.
without_nulls() {
  "$python" -c '
import json, sys
def lean(value):
    return {k: lean(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "RECORD":
        message["record"] = lean(message["record"])
    print(json.dumps(message))'
}
check_tap() { without_nulls <"$1" | "$venvs/singer-tools/bin/singer-check-tap"; }
check "singer-check-tap" check_tap "$work/messages.jsonl"
check "target-stitch -n" "$venvs/stitch/bin/target-stitch" -n -o "$work/stitch.json" <"$work/messages.jsonl"
config versions base_url="$url_seeded" emit_activate_version_messages=true flattening_enabled=true fetch_event_details=true
with_versions() { sync versions >"$work/versions.jsonl"; }
check "the tap ends with 0, with full events, flattened, with versions" with_versions
check "singer-check-tap, the same" check_tap "$work/versions.jsonl"
check "target-stitch -n, the same" "$venvs/stitch/bin/target-stitch" -n -o "$work/stitch.json" <"$work/versions.jsonl"

stage "files"
json destination_path="$work/jsonl" do_timestamp_file=false >"$work/jsonl.json"
check "target-jsonl" "$venvs/jsonl/bin/target-jsonl" --config "$work/jsonl.json" <"$work/messages.jsonl"
compare "target-jsonl" all jsonl "$work/jsonl"
mkdir "$work/csv"
json output_path="$work/csv" >"$work/csv.json"
check "target-csv" "$venvs/csv/bin/target-csv" --config "$work/csv.json" <"$work/messages.jsonl"
compare "target-csv" all csv "$work/csv"

stage "PostgreSQL"
# target NAME SCHEMA MORE…: the command of a target, its configuration written.
pg_target() {
  local kind=$1 schema=$2
  case $kind in
  meltanolabs) json host="$PGHOST" port="$port" user=postgres password=none database=postgres default_target_schema="$schema" batch_size_rows=500 "${@:3}" ;;
  pipelinewise) json host="$PGHOST" port="$port" user=postgres password=none dbname=postgres default_target_schema="$schema" batch_size_rows=500 "${@:3}" ;;
  psql)
    command=(psql -X -v schema="$schema" -f "$root/docs/load_postgres.sql")
    return
    ;;
  esac >"$work/$schema.json"
  command=("$venvs/$kind/bin/target-postgres" --config "$work/$schema.json")
}
# load NAME CONFIG [STATE]: the tap into the target, which leaves its last state in NAME.state.
load() {
  sync "$2" ${3:+--state "$3"} | tee "$work/$1.jsonl" | "${command[@]}" >"$work/$1.states" && tail -n 1 "$work/$1.states" >"$work/$1.state" && [ -s "$work/$1.state" ]
}
for kind in meltanolabs pipelinewise psql; do
  pg_target $kind ${kind}_full
  check "$kind: full run" load ${kind}_full seeded
  compare "$kind: full run" all $kind ${kind}_full
  pg_target $kind ${kind}_steps
  check "$kind: run until $middle" load ${kind}_before before
  compare "$kind: run until $middle" before $kind ${kind}_steps
  check "$kind: incremental run" load ${kind}_after seeded "$work/${kind}_before.state"
  compare "$kind: incremental run" all $kind ${kind}_steps
  check "$kind: the incremental run brings what is new, and an hour before it" "$python" "$here/overlap.py" "$work/all.json" "$work/${kind}_after.jsonl" "$middle"
done
types() {
  psql -XAtqc "select string_agg(data_type, ' ' order by t.n)
    from (values (1, 'count'), (2, 'lastSeen'), (3, 'isPublic'), (4, 'metadata'), (5, 'title')) t(n, name)
    join information_schema.columns on table_schema = '$1' and table_name = 'issues' and lower(column_name) = lower(name)"
}
check "meltanolabs: types of columns" says '^bigint timestamp without time zone boolean jsonb \(character varying\|text\)$' types meltanolabs_full
check "pipelinewise: types of columns" says '^numeric timestamp without time zone boolean jsonb character varying$' types pipelinewise_full
check "psql: types of columns" says '^bigint timestamp with time zone boolean jsonb text$' types psql_full
odd_into_psql() {
  "$python" "$here/odd.py" write | psql -X -v schema=odd -f "$root/docs/load_postgres.sql" >"$work/odd.state" && grep -q '^{"text":' "$work/odd.state" &&
    psql -XAtqc 'select row_to_json(r) from odd.odd r' | "$python" "$here/odd.py" check
}
check "psql: odd rows" odd_into_psql

stage "killed and resumed"
# killed KIND NAME OPTIONS…
killed() {
  # Without this option the target, once the first stream is full, prints a state of others that it has yet to load.
  pg_target "$1" "$2" $([ "$1" != pipelinewise ] || echo flush_all_streams=true)
  "$python" "$here/killed.py" "${@:3}" --state "$work/$2.state" --tap "$tap" --config "$work/slow.config.json" --catalog "$work/catalog-bulk.json" --target "${command[@]}"
}
resume() { "$tap" --config "$work/bulk.config.json" --catalog "$work/catalog-bulk.json" --state "$work/$1.state" | tee "$work/$1.jsonl" | "${command[@]}" >/dev/null; }
shorter() { [ "$(grep -c '^{"type":"RECORD","stream":"events"' "$work/$1.jsonl")" -lt "$("$python" -c "import json; print(len(json.load(open('$work/bulk.json'))['events']))")" ]; }
# target-postgres of meltanolabs says nothing before its input ends: killed as well, it leaves no state to resume from.
for case in "meltanolabs tap_killed" "pipelinewise tap_killed" "pipelinewise both_killed --both" "psql tap_killed"; do
  read -r kind how options <<<"$case"
  # shellcheck disable=SC2086
  check "$kind, $how: in the middle" killed "$kind" "${kind}_$how" --after 2500 $options
  check "$kind, $how: something is missing" incomplete "${kind}_$how"
  check "$kind, $how: resumed" resume "${kind}_$how"
  check "$kind, $how: the resumed run did not start over" shorter "${kind}_$how"
  compare "$kind, $how, resumed" bulk "$kind" "${kind}_$how" "$listed"
done

stage "DuckDB"
json path="$work/duck.db" default_target_schema=sentry >"$work/duck.json"
duck() { "$venvs/duckdb/bin/target-duckdb" --config "$work/duck.json" <"$work/messages.jsonl" >/dev/null; }
check "target-duckdb" duck
# Its row counts are its own: it reads batches as CSV and takes a row of text for a header.
check "target-duckdb: types of columns" "$venvs/duckdb/bin/python" - "$work/duck.db" <<'PY'
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as database:
    found = dict(((t, c), k) for t, c, k in database.execute(
        "select table_name, column_name, data_type from information_schema.columns where table_schema = 'sentry'").fetchall())
print(found)
expected = {("issues", "count"): "HUGEINT", ("issues", "lastseen"): "TIMESTAMP", ("issues", "ispublic"): "BOOLEAN", ("issues", "metadata"): "JSON",
            ("issues", "title"): "VARCHAR", ("events", "datecreated"): "TIMESTAMP", ("events", "tags"): "JSON", ("teams", "membercount"): "HUGEINT"}
wrong = {k: found.get(k) for k, v in expected.items() if found.get(k) != v}
assert not wrong, wrong
PY
# exported PYTHON SCHEMA FILE: the tables as files of JSON lines, in a folder of the schema's name.
exported() {
  mkdir "$work/$2" && "$1" - "$work/$3" "$2" "$work/$2" <<'PY'
import duckdb, sys
file, schema, folder = sys.argv[1:]
with duckdb.connect(file, read_only=True) as database:
    for (table,) in database.execute("select table_name from information_schema.tables where table_schema = ?", [schema]).fetchall():
        (catalog,) = database.execute("select current_database()").fetchone()
        database.execute(f"""copy (select * from "{catalog}"."{schema}"."{table}") to '{folder}/{table}.jsonl' (format json)""")
PY
}
for version in duckdb duckdb-new; do
  interpreter=$venvs/$version/bin/python name=recipe_${version//-/_}
  # The file has the name of the schema, which DuckDB finds ambiguous.
  command=("$interpreter" "$root/docs/load_duckdb.py" "$work/$name.db" "$name")
  check "$name: run until $middle" load "${name}_before" before
  check "$name: incremental run" load "${name}_after" seeded "$work/${name}_before.state"
  check "$name: exported" exported "$interpreter" "$name" "$name.db"
  compare "$name" all jsonl "$work/$name"
  odd_into_duckdb() {
    "$python" "$here/odd.py" write | "$interpreter" "$root/docs/load_duckdb.py" "$work/$name.odd.db" "${name}_odd" >"$work/odd.state" && grep -q '^{"text":' "$work/odd.state" &&
      exported "$interpreter" "${name}_odd" "$name.odd.db" && "$python" "$here/odd.py" check <"$work/${name}_odd/odd.jsonl"
  }
  check "$name: odd rows" odd_into_duckdb
done

stage "every stream"
# Where rows are lost, one of each batch is, and nothing more: see docs/targets.md.
headers() {
  "$python" - "$log.headers" <<'PY'
import re, sys
for line in open(sys.argv[1]):
    found = re.match(r"FAIL .*: (\d+) of (\d+) missing .*, 0 too many .*, 0 rows repeat a key, 0 other values", line)
    if line.startswith("FAIL ") and not (found and int(found[1]) <= 1 + int(found[2]) // 10_000):
        sys.exit(line)
PY
}
almost_all() { "$python" "$here/compare.py" every --truth "$work/every" --catalog "$work/catalog-every.json" --streams "$named" jsonl "$work/every_target" >"$log.headers" || headers; }
every_stream() {
  local end kind
  end=$(now)
  truth_of_all() {
    truth every "$url_seeded" "$start" "$end" && mv "$work/every.json" "$work/listed.json" && rm "$work/every.values.json" &&
      SENTRY_URL=$url_seeded SENTRY_TOKEN=$token SENTRY_ORG=$organization "$python" "$here/sentry_lists.py" "$work/listed" "$start" "$end" "$work/every"
  }
  check "read: all streams of the seeded organization" truth_of_all
  config every base_url="$url_seeded" end_date="$end"
  selected "$work/discovered.json" >"$work/catalog-every.json"
  all_of_it() { "$tap" --config "$work/every.config.json" --catalog "$work/catalog-every.json" >"$work/every.jsonl"; }
  check "the tap ends with 0, every stream" all_of_it
  # Where a key holds an empty text: two targets take it for null, which no key can be.
  grep -v '"stream":"\(project\|issue\)_tag_values"' "$work/every.jsonl" >"$work/named.jsonl"
  named=$("$python" -c "import json; print(','.join(s for s in json.load(open('$work/every.json')) if not s.endswith('_tag_values')))")
  known() { "$python" -c "
import json, sys
truth = {s['tap_stream_id'] for s in json.load(open('$work/catalog-every.json'))['streams']} ^ set(json.load(open('$work/every.json')))
assert not truth, truth"; }
  check "every stream has a truth" known
  for kind in meltanolabs psql pipelinewise; do
    pg_target $kind every_$kind
    into() { "${command[@]}" <"$1" >"$work/every_$kind.states"; }
    if [ $kind = pipelinewise ]; then
      check "$kind: streams whose keys are never empty" into "$work/named.jsonl"
      lines "$kind" "$python" "$here/compare.py" "$kind: every stream" --truth "$work/every" --catalog "$work/catalog-every.json" --streams "$named" $kind every_$kind
    else
      check "$kind: every stream" into "$work/every.jsonl"
      lines "$kind" "$python" "$here/compare.py" "$kind: every stream" --truth "$work/every" --catalog "$work/catalog-every.json" $kind every_$kind
    fi
  done
  json path="$work/every_duck.db" default_target_schema=every_target >"$work/every_duck.json"
  every_duck() { "$venvs/duckdb/bin/target-duckdb" --config "$work/every_duck.json" <"$work/named.jsonl" >/dev/null; }
  check "target-duckdb: streams whose keys are never empty" every_duck
  check "target-duckdb: exported, every stream" exported "$venvs/duckdb/bin/python" every_target every_duck.db
  check "target-duckdb: every row but headers of batches" almost_all
  recipe() { "$venvs/duckdb-new/bin/python" "$root/docs/load_duckdb.py" "$work/every_recipe.db" every_rows <"$work/every.jsonl" >/dev/null; }
  check "duckdb-new: every stream" recipe
  check "duckdb-new: exported, every stream" exported "$venvs/duckdb-new/bin/python" every_rows every_recipe.db
  lines "duckdb-new" "$python" "$here/compare.py" "duckdb-new: every stream" --truth "$work/every" --catalog "$work/catalog-every.json" jsonl "$work/every_rows"
}
every_stream

stage "Sentry's own command line"
# Every stream, those of the setting `explore` too.
recent() {
  "$tap" --config "$work/recent.config.json" --discover >"$work/discovered-recent.json" && selected "$work/discovered-recent.json" >"$work/catalog-recent.json" &&
    "$tap" --config "$work/recent.config.json" --catalog "$work/catalog-recent.json" >"$work/recent.jsonl"
}
# Both ask a server of 2026, which alone takes a missing project for all; pedantic, so that no parameter is passed over.
from_sentry() {
  local end
  end=$(now)
  serve recent --server 2026 --pedantic
  # shellcheck disable=SC2154
  config recent base_url="$url_recent" end_date="$end" explore="$("$python" "$here/sentry_cli.py" explore)"
  check "the tap ends with 0, from a server of 2026" recent
  mkdir "$work/home"
  lines "sentry-cli" env HOME="$work/home" SENTRY_CLI="$sentry_cli" SENTRY_URL="$url_recent" SENTRY_AUTH_TOKEN="$token" SENTRY_ORG="$organization" \
    "$python" "$here/sentry_cli.py" "$work/recent.jsonl" "$start" "$end"
}
if command -v npm >/dev/null; then
  from_sentry
else
  echo "skipped: Sentry's own command line, since npm is not installed"
fi

stage "Meltano, which ran beside"
joined "$meltano_group" || report "FAIL Meltano's part ended early"
cat "$work/meltano.out"
stage "done"
