#!/usr/bin/env bash
# Expected: a `#` inside an unquoted word is part of the value (`K=a#b` is `a#b`), as in a shell,
#   for every reader of `.env`
# Happens: npm's `dotenv` and Node's own `--env-file` cut the value at the `#`, python-dotenv keeps
#   it: one file, two tokens
# Version: dotenv 18.0.10 (npm), python-dotenv 1.2.4.
# Concerns: projects whose tools in both languages read one `.env`
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install python-dotenv==1.2.4
npm init -y >/dev/null
npm install --silent --no-audit --no-fund dotenv@18.0.10
echo 'K=a#b' > .env
node -e 'process.stdout.write(require("dotenv").parse(require("fs").readFileSync(".env")).K)' > npm.txt
node --env-file=.env -e 'process.stdout.write(process.env.K)' > node.txt
env/bin/python -c 'import dotenv; print(dotenv.dotenv_values(".env")["K"], end="")' > python.txt
sh -c '. ./.env; printf %s "$K"' > shell.txt
echo "Node $(node --version)"
for reader in npm node python shell; do echo "$reader: $(cat $reader.txt)"; done
[[ $(cat npm.txt) == a && $(cat node.txt) == a ]]
[[ $(cat python.txt) == 'a#b' && $(cat shell.txt) == 'a#b' ]]
