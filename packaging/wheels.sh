#!/usr/bin/env bash
# Builds wheels with the binaries, tap-sentry, sentry-exporter and sentry-otlp, for Linux into dist/: manylinux 2014
# (glibc 2.17 and later) and musllinux 1.2 (Alpine).
#
#   packaging/wheels.sh [ARCHITECTURE…]     x86_64, aarch64; default: this machine's
#
# zig is the C compiler and linker, so that neither old systems nor cross compilers are needed. Wheels for other systems
# are built there: `maturin build --release --locked`. What this machine can run is run once.
#
#   PYTHON     default python3
#   DIST       default dist
#   PROFILE    cargo's profile, default release
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dist=${DIST:-dist}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
[ $# -gt 0 ] || set -- "$(uname -m)"

"${PYTHON:-python3}" -m venv "$tools/venv"
"$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check 'maturin[zig]>=1.8,<2'

mkdir -p "$dist"
lacking=()
for architecture in "$@"; do
  for libc in gnu musl; do
    triple=$architecture-unknown-linux-$libc
    case $libc in gnu) tag=manylinux2014 ;; musl) tag=musllinux_1_2 ;; esac
    if ! { rustup target list --installed 2>/dev/null | grep -qx "$triple" || rustup target add "$triple"; }; then
      lacking+=("$triple: rustup cannot add this target here")
      continue
    fi
    for program in tap-sentry sentry-exporter sentry-otlp; do
      case $program in tap-sentry) manifest=Cargo.toml ;; *) manifest=crates/${program#sentry-}/Cargo.toml ;; esac
      echo "== $program, $triple, $tag"
      VIRTUAL_ENV=$tools/venv PATH=$tools/venv/bin:$PATH maturin build --manifest-path "$manifest" --profile "${PROFILE:-release}" --locked --zig \
        --target "$triple" --compatibility "$tag" --out "$tools/$triple/$program" || {
        lacking+=("$program, $triple: did not build")
        continue
      }
      wheel=$(echo "$tools/$triple/$program"/*.whl)
      # Unpacked, not installed: pip refuses the other libc, while a binary for musl is static and runs on any Linux.
      if [ "$architecture" = "$(uname -m)" ]; then
        unpacked=$tools/$triple/$program/unpacked
        "$tools/venv/bin/python" -m zipfile -e "$wheel" "$unpacked"
        chmod +x "$unpacked"/*.data/scripts/"$program"
        echo "$(basename "$wheel"): $("$unpacked"/*.data/scripts/"$program" --version)"
      fi
      mv "$wheel" "$dist/"
    done
  done
done
ls -l "$dist"
for one in "${lacking[@]}"; do echo "missing: $one" >&2; done
[ ${#lacking[@]} -eq 0 ]
