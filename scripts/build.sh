#!/bin/bash
# SPDX-License-Identifier: MIT
#
# build.sh PRESET: configure and build one preset, in build/PRESET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=$1
jobs=${UHMM_JOBS:-$(nproc)}
mkdir -p build
log=build/$preset.configure.log
if ! cmake --preset "$preset" >"$log" 2>&1; then
	cat "$log" >&2
	echo "build: preset $preset does not configure" >&2
	exit 1
fi
exec cmake --build --preset "$preset" -- -j "$jobs"
