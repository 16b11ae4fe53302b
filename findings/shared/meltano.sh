# Sourced by the scripts about Meltano: a temporary folder with the pinned version and, as `tap.sh`, one of the taps here.
#
#     . "$(dirname "$0")/shared/meltano.sh" VERSION TAP
set -euo pipefail
shared=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp "$shared/$2" "$tmp/tap.sh"
chmod +x "$tmp/tap.sh"
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install "meltano==$1"
export MELTANO_SEND_ANONYMOUS_USAGE_STATS=false MELTANO_CLI_LOG_LEVEL=error NO_COLOR=1
env/bin/meltano --version
