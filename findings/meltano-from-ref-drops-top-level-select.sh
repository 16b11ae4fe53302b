#!/usr/bin/env bash
# Expected: `meltano add --from-ref FILE` writes the definition's default `select` into
#   `meltano.yml`, wherever in the definition it stands, as it does with `settings` and
#   `capabilities`
# Happens: a `select` beside `settings` at the top of the file is dropped without a word, and every
#   stream runs; the same line inside `variants:` is kept
# Version: meltano 4.4.1.
# Concerns: authors of plugin definitions whose default leaves streams out
# Source: seen on 2026-11-28.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install meltano==4.4.1

export MELTANO_SEND_ANONYMOUS_USAGE_STATS=false MELTANO_CLI_LOG_LEVEL=error NO_COLOR=1
env/bin/meltano --version
cp "$here/shared/meltano_tap.sh" tap.sh
chmod +x tap.sh

cat > top.yml <<'YML'
name: tap-x
namespace: tap_x
variant: mine
executable: ./tap.sh
capabilities: [catalog, discover]
select: [users.*]
settings:
- name: rate
YML
cat > variant.yml <<'YML'
name: tap-x
namespace: tap_x
default_variant: mine
variants:
- name: mine
  executable: ./tap.sh
  capabilities: [catalog, discover]
  select: [users.*]
  settings:
  - name: rate
YML
for ref in top variant; do
  mkdir "$ref"
  echo 'send_anonymous_usage_stats: false' > "$ref/meltano.yml"
  (cd "$ref" && ../env/bin/meltano add --plugin-type extractor tap-x --from-ref "../$ref.yml" --no-install)
  echo "--- meltano.yml from $ref.yml"
  cat "$ref/meltano.yml"
done
grep -q 'name: rate' top/meltano.yml
if grep -q select: top/meltano.yml; then
  exit 1
fi
grep -q 'select: \[users' variant/meltano.yml
