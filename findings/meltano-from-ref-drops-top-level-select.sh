#!/usr/bin/env bash
# Expected: `meltano add --from-ref FILE` writes the definition's default `select` into
#   `meltano.yml`, wherever in the definition it stands, as it does with `settings` and
#   `capabilities`
# Happens: a `select` beside `settings` at the top of the file is dropped without a word, and every
#   stream runs; the same line inside `variants:` is kept
# Version: meltano 4.4.1.
# Concerns: authors of plugin definitions whose default leaves streams out
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/meltano.sh" 4.4.1 meltano_tap.sh

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
