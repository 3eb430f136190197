#!/bin/bash
# SPDX-License-Identifier: MIT
#
# demo.sh: from a fresh clone to pages that moved. Runs two unmodified programs
# under uhmm: one of ours (tests/probe/probe_roundtrip: fills memory, sends it
# to the device, computes on it there, faults it back, verifies) and the
# kernel's own hmm-tests, its migrate tests. Leaves report.html.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mebibytes=${1:-64}
bin=build/release
out=build/demo
migrate=(migrate migrate_fault migrate_release migrate_shared migrate_multiple)
bad=0
pages=()

step() { printf '\n== %s\n' "$*"; }

# under NAME PROGRAM ARG...: run under uhmm, output and numbers kept in $out
under() {
	local name=$1 status=0
	shift
	echo "\$ uhmm run --stats -- ${1##*/} ${*:2}"
	timeout -k 10 180 $bin/tests/watchdog/uhmm-watchdog 170 \
		$bin/uhmm run --stats --stats-json "$out/$name.json" -- "$@" \
		2>&1 | tee "$out/$name.log" || status=$?
	pages+=("$name")
	[ $status = 0 ] || { echo "demo: $name ended with status $status"; bad=1; }
}

step "set up"
scripts/deps.sh build
echo "all packages there"
step "build"
scripts/build.sh release | tail -n 1
rm -rf $out
mkdir -p $out

step "an unmodified program: $mebibytes MiB to the device, computed on there, faulted back"
under roundtrip $bin/tests/probe/probe_roundtrip "$mebibytes"

if [ -x $bin/tests/kselftest/hmm-tests ]; then
	step "the kernel's own test of such a device, unmodified: hmm-tests, migrate"
	args=()
	for t in "${migrate[@]}"; do
		args+=(-r "hmm.hmm_device_private.$t")
	done
	args+=(-r hmm2.hmm2_device_private.migrate_mixed)
	under hmm-tests $bin/tests/kselftest/hmm-tests "${args[@]}"
else
	step "the kernel's hmm-tests: not built, no package linux-source-6.12 here"
fi

step "report"
scripts/report.sh $out "${pages[@]}" >report.html
echo "report.html: $(wc -c <report.html) bytes, open it in a browser"
[ $bad = 0 ] || { echo "demo: FAILED"; exit 1; }
echo "demo: all good"
