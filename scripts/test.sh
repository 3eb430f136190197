#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test.sh [programs [OPTION...] | conformance [PART...]]: the whole suite, as CI
# runs it; or all real programs under a policy (options of
# tests/programs/run-programs), which writes the table of docs/programs.md; or
# what the kernel's answer judges, with each engine and loop (parts of
# tests/matrix/run-matrix), which writes the tables of docs/conformance.md.
#
#   dev      every test, static checks included
#   asan     all but static checks and facts about the kernel
#   tsan     the same
#   release  built: what demo and install use
#
# All of it takes 15 minutes, on some virtual machines an hour. So a machine that
# takes twice or ten times as long as others to give a page is asked neither for
# what other variants of a test show nor for clang-tidy; and where the dev tests
# have taken long, of the sanitizers ASan alone runs, with the unit tests.
# It is said there; UHMM_TEST_ALL=1 leaves nothing out.
#
# Ends with ctest's summaries, what failed or was skipped and why, and the line
# "N passed, N failed, N skipped" over all presets. A build that fails, a test
# that does not end and a skip that tests/expected-skips does not list count as
# failed. Exit status 0 only if nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

budget=${UHMM_TEST_BUDGET:-3000}
jobs=${UHMM_JOBS:-$(nproc)}
passed=0 failed=0 skipped=0
summaries=() failures=() skips=()

left() {
	local s=$((budget - SECONDS))
	[ $s -gt 1 ] && echo $s || echo 1
}

fail() {
	failed=$((failed + 1))
	failures+=("$1")
	echo "FAILED: $1"
}

build() {
	echo "== build $1 ($SECONDS s)"
	timeout -k 10 "$(left)" scripts/build.sh "$1" >"build/$1.build.log" 2>&1 &&
		return 0
	grep -v '^\[' "build/$1.build.log" | head -n 60
	fail "$1: build (build/$1.build.log)"
	return 1
}

# The sanitizers of gcc 12 cannot map their shadow under 32 bits of address
# space randomisation, which newer kernels default to.
personality() {
	local bits
	bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
	if [ "$1" != dev ] && [ "$bits" -gt 28 ] && setarch -R true 2>/dev/null; then
		echo "setarch -R"
	fi
}

# name, status and first line of output of each test of a JUnit file
outcomes() {
	awk '
		function attr(key,   s) {
			s = $0
			if (!sub(".* " key "=\"", "", s)) return ""
			sub(/".*/, "", s)
			return s
		}
		function decode(s) {
			gsub(/<[^>]*>/, "", s)
			gsub(/&lt;/, "<", s); gsub(/&gt;/, ">", s)
			gsub(/&quot;/, "\"", s); gsub(/&apos;/, "\047", s)
			gsub(/&amp;/, "\\&", s)
			return s
		}
		/<testcase / {
			name = attr("name"); status = attr("status"); why = ""
		}
		/<skipped message=/ && status == "notrun" {
			status = index($0, "SKIP_RETURN_CODE") ? "skip" : "fail"
		}
		/<system-out>/ { out = 1 }
		out && why == "" { why = decode($0) }
		/<\/system-out>/ { out = 0 }
		/<\/testcase>/ { print status "\t" name "\t" why }' "$1"
}

expected_skip() {
	local pattern rest
	while read -r pattern rest; do
		case $pattern in '' | '#'*) continue ;; esac
		# shellcheck disable=SC2254 # a pattern is meant
		case $1 in $pattern) return 0 ;; esac
	done <tests/expected-skips
	return 1
}

count() {
	local preset=$1 status name why n=0
	while IFS=$'\t' read -r status name why; do
		n=$((n + 1))
		case $status in
		run) passed=$((passed + 1)) ;;
		skip | disabled)
			if expected_skip "$name"; then
				skipped=$((skipped + 1))
				skips+=("$preset: $name: $why")
			else
				fail "$preset: $name skipped, not expected to: $why"
			fi
			;;
		*) fail "$preset: $name" ;;
		esac
	done < <(outcomes "build/$preset/ctest.xml")
	[ $n -gt 0 ] || fail "$preset: no test ran"
}

# suite PRESET CTEST-ARG...
suite() {
	local preset=$1 log=build/$1.ctest.log
	shift
	echo "== test $preset ($SECONDS s)"
	rm -f "build/$preset/ctest.xml"
	# shellcheck disable=SC2046 # words are meant
	timeout -k 20 "$(left)" $(personality "$preset") \
		ctest --preset "$preset" -j "$jobs" \
		--output-junit ctest.xml "$@" 2>&1 | tee "$log" || true
	summaries+=("$preset: $(grep -E 'tests passed, ' "$log" ||
		echo 'ctest did not end') $(grep -E '^Total Test time' "$log" || true)")
	if [ -s "build/$preset/ctest.xml" ]; then
		count "$preset"
	else
		fail "$preset: ctest did not end in time"
	fi
}

# Microseconds for 64 MiB of fresh memory, the best of three: 25,000 or so; 60,000 to
# 280,000 on such a machine.
memory_us() {
	local best=9999999 from us
	for _ in 1 2 3; do
		from=${EPOCHREALTIME/[.,]/}
		dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null
		us=$((${EPOCHREALTIME/[.,]/} - from))
		[ $us -ge $best ] || best=$us
	done
	echo $best
}

scripts/deps.sh test
mkdir -p build
if [ "${1:-}" = programs ]; then
	shift
	scripts/build.sh release
	rm -f build/programs/rows
	status=0
	tests/programs/run-programs --uhmm build/release/uhmm --scale full \
		--out build/programs --table build/programs/rows --all "$@" ||
		status=$?
	tests/programs/write-doc build/programs/rows docs/programs.md
	exit $status
fi
if [ "${1:-}" = conformance ]; then
	shift
	scripts/build.sh dev
	tests/matrix/run-matrix --build build/dev --out build/matrix "$@"
	tests/matrix/write-doc build/matrix docs/conformance.md
	exit
fi
[ $# = 0 ] || { echo "test.sh: what is '$1'?" >&2; exit 2; }
echo "uname: $(uname -srm), $(nproc) CPUs, $(gcc --version | head -n 1)"

dev_args=()
memory=$(memory_us)
if [ "$memory" -gt 45000 ] && [ "${UHMM_TEST_ALL:-0}" = 0 ]; then
	slow='check\.tidy|bench_figures|programs\.python3|probe_hammer'
	slow+='|probe_exclusive_(all|many)|golden\.together\.uring'
	slow+='|golden\.(together|fixed|gen-[a-z]*)\.copy\..*'
	slow+='|golden\.hand\.(epoll|copy\.uring)'
	dev_args=(-E "^($slow)(\.(epoll|copy\..*))?\$")
	echo "a slow machine ($memory us for 64 MiB): without tests $slow in other" \
		"variants"
fi

# static checks run clang-tidy beside the tests: it wants build/tidy
build release || true
if build dev; then
	suite dev "${dev_args[@]}"
fi
sanitizers=(asan tsan) sanitizer_args=(-LE '^(check|kernel)$')
if [ $SECONDS -gt 430 ] && [ "${UHMM_TEST_ALL:-0}" = 0 ]; then
	sanitizers=(asan) sanitizer_args=(-L '^(unit|fuzz)$')
	echo "$SECONDS s so far: without tsan, of asan units only"
fi
for preset in "${sanitizers[@]}"; do
	if build "$preset"; then
		suite "$preset" "${sanitizer_args[@]}"
	fi
done

echo
echo "== summary ($SECONDS s)"
[ ${#summaries[@]} = 0 ] || printf '%s\n' "${summaries[@]}"
[ ${#skips[@]} = 0 ] || printf 'skipped: %s\n' "${skips[@]}"
[ ${#failures[@]} = 0 ] || printf 'FAILED: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
