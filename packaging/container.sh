#!/usr/bin/env bash
# Builds the image of packaging/PROGRAM.Containerfile with buildah, from the binary of a musllinux wheel that packaging/wheels.sh
# made.
#
#   packaging/container.sh PROGRAM [WHEEL]     sentry-exporter or sentry-otlp; default: dist/PROGRAM-*musllinux*_MACHINE.whl
#
# Debian's `buildah` and `ca-certificates` are needed, and no daemon. The image is left in buildah's own store, and as
# dist/PROGRAM-container.tar, which `podman load -i` and `docker load -i` read.
#
#   DIST         default dist
#   IMAGE        default PROGRAM:VERSION
#   CA_ROOTS     default /etc/ssl/certs/ca-certificates.crt
#   BUILDAH      default buildah; more words are its options
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dist=${DIST:-dist}
program=${1:-}
file=packaging/$program.Containerfile
[ -f "$file" ] || { echo "usage: packaging/container.sh sentry-exporter|sentry-otlp [WHEEL]" >&2; exit 2; }
wheel=${2:-$(ls "$dist/${program//-/_}"-*musllinux*_"$(uname -m)".whl 2>/dev/null | sort -V | tail -n 1)}
[ -f "$wheel" ] || { echo "no wheel: packaging/wheels.sh makes it" >&2; exit 1; }
read -ra buildah <<<"${BUILDAH:-buildah}"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

"${PYTHON:-python3}" -m zipfile -e "$wheel" "$context/wheel"
install -m 755 "$context"/wheel/*.data/scripts/"$program" "$context/$program"
rm -r "$context/wheel"
install -m 644 "${CA_ROOTS:-/etc/ssl/certs/ca-certificates.crt}" "$context/ca-certificates.crt"
cp "$file" "$context/Containerfile"
# In an image from scratch nothing loads libraries.
if grep -aq 'ld-linux\|ld-musl' "$context/$program"; then echo "$wheel: the binary is not static" >&2; exit 1; fi
version=$("$context/$program" --version | grep -o '[0-9][0-9.]*')
image=${IMAGE:-$program:$version}
"${buildah[@]}" build --isolation chroot --tag "$image" "$context"
mkdir -p "$dist"
rm -f "$dist/$program-container.tar"
"${buildah[@]}" push "$image" "docker-archive:$dist/$program-container.tar:$image"
ls -l "$dist/$program-container.tar"
