#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench.sh [--quick] [--engine E,E|all] [--loop L,L|all] [--workers N] [--only NAME,NAME]
#
# Builds release, takes the figures: JSON lines on stdout, a table with goals
# and verdicts on stderr. Floors, device creation and the idle program do not
# depend on engine and loop and are taken once; everything else once for each
# pair that this machine can run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
	sed -n '4s/^# bench.sh/usage: .\/run bench/p' scripts/bench.sh >&2
	exit 2
}

engines=auto loops=auto workers=1 args=()
while [ $# -gt 0 ]; do
	case $1 in
	--quick) args+=(--quick) ;;
	--engine | --loop | --workers | --only)
		[ $# -gt 1 ] || usage
		case $1 in
		--engine) engines=$2 ;;
		--loop) loops=$2 ;;
		--workers) workers=$2 ;;
		--only) args+=(--only "$2") ;;
		esac
		shift
		;;
	*) usage ;;
	esac
	shift
done
bin=build/release
scripts/deps.sh build >&2
scripts/build.sh release >&2

# the list behind an option: the words that `uhmm run` knows for it
choices() {
	[ "$2" = all ] || { echo "${2//,/ }"; return; }
	$bin/uhmm run --help | sed -n "s/.*--$1 auto|\([a-z|]*\).*/\1/p" |
		tr '|' ' '
}

out=$(mktemp)
trap 'rm -f "$out"' EXIT
keep() { tee -a "$out"; }

export UHMM_BENCH_ENGINE=none UHMM_BENCH_LOOP=none
$bin/bench/bench_floor "${args[@]}" | keep || [ "${PIPESTATUS[0]}" = 77 ]
$bin/bench/bench_core "${args[@]}" | keep
$bin/bench/bench_idle "${args[@]}" $bin/libuhmm-preload.so | keep
for engine in $(choices engine "$engines"); do
	for loop in $(choices loop "$loops"); do
		export UHMM_BENCH_ENGINE=$engine UHMM_BENCH_LOOP=$loop
		if ! $bin/uhmm run --engine "$engine" --loop "$loop" -- true; then
			echo "bench: no engine $engine with loop $loop here" >&2
			continue
		fi
		$bin/uhmm run --engine "$engine" --loop "$loop" \
			--workers "$workers" -- $bin/bench/bench_device "${args[@]}" | keep
	done
done
bench/table "$out" >&2
