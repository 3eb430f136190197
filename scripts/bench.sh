#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench.sh [--quick]: build release, run the benchmarks. What they print (JSON
# lines on stdout, a table on stderr) is all this prints on stdout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/deps.sh build >&2
scripts/build.sh release >&2

exec build/release/uhmm run -- build/release/bench/bench_device "$@"
