#!/usr/bin/env bash
# Builds the image of packaging/Containerfile with buildah, from the binary of a musllinux wheel that packaging/wheels.sh made.
#
#   packaging/container.sh [WHEEL]     default: dist/sentry_exporter-*musllinux*_MACHINE.whl
#
# Debian's `buildah` and `ca-certificates` are needed, and no daemon. The image is left in buildah's own store, and as
# dist/sentry-exporter-container.tar, which `podman load -i` and `docker load -i` read.
#
#   DIST         default dist
#   IMAGE        default sentry-exporter:VERSION
#   CA_ROOTS     default /etc/ssl/certs/ca-certificates.crt
#   BUILDAH      default buildah; more words are its options
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dist=${DIST:-dist}
wheel=${1:-$(ls "$dist"/sentry_exporter-*musllinux*_"$(uname -m)".whl 2>/dev/null | sort -V | tail -n 1)}
[ -f "$wheel" ] || { echo "no wheel: packaging/wheels.sh makes it" >&2; exit 1; }
read -ra buildah <<<"${BUILDAH:-buildah}"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

"${PYTHON:-python3}" -m zipfile -e "$wheel" "$context/wheel"
install -m 755 "$context"/wheel/*.data/scripts/sentry-exporter "$context/sentry-exporter"
rm -r "$context/wheel"
install -m 644 "${CA_ROOTS:-/etc/ssl/certs/ca-certificates.crt}" "$context/ca-certificates.crt"
cp packaging/Containerfile "$context"
# In an image from scratch nothing loads libraries.
if grep -aq 'ld-linux\|ld-musl' "$context/sentry-exporter"; then echo "$wheel: the binary is not static" >&2; exit 1; fi
version=$("$context/sentry-exporter" --version | grep -o '[0-9][0-9.]*')
image=${IMAGE:-sentry-exporter:$version}
"${buildah[@]}" build --isolation chroot --tag "$image" "$context"
mkdir -p "$dist"
rm -f "$dist/sentry-exporter-container.tar"
"${buildah[@]}" push "$image" "docker-archive:$dist/sentry-exporter-container.tar:$image"
ls -l "$dist/sentry-exporter-container.tar"
