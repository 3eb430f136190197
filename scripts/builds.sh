#!/bin/bash
# SPDX-License-Identifier: MIT
#
# builds.sh [BUILD...]: build with what other people have.
#
#   gcc        as always, warnings are errors
#   clang      the same with clang
#   uring-2.1  what uses liburing, with one that has no more than 2.1 has (Ubuntu
#              22.04); the tests of the loop run
#   aarch64    cross-compiled: every object, the static libraries and the preload
#              library, which needs libc alone
#
# Default: all of them, in build/builds/NAME. Needs clang and
# gcc-aarch64-linux-gnu with libc6-dev-arm64-cross (Debian); what is not
# installed is left out, and said. Exit status 0 only if nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs=${UHMM_JOBS:-$(nproc)}
top=build/builds
failed=0

configure() {	# NAME CMAKE-ARG...
	local name=$1
	shift
	cmake -S . -B "$top/$name" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
		-DCMAKE_C_FLAGS_DEBUG="-O1 -g" -DUHMM_WERROR=ON "$@" \
		>"$top/$name.log" 2>&1
}
build() {	# NAME TARGET...
	local name=$1
	shift
	ninja -C "$top/$name" -j "$jobs" "$@" >>"$top/$name.log" 2>&1
}

build_gcc() { configure gcc -DCMAKE_C_COMPILER=gcc && build gcc; }
build_clang() {
	command -v clang >/dev/null || return 77
	configure clang -DCMAKE_C_COMPILER=clang && build clang
}

# The header at hand, without the names that came after 2.1. Who uses one does
# not compile.
build_uring_2_1() {
	local dir=$top/uring-2.1.include
	mkdir -p "$dir"
	cat >"$dir/liburing.h" <<-'END'
	#pragma GCC system_header
	#include_next <liburing.h>
	#undef IORING_SETUP_COOP_TASKRUN
	#undef IORING_SETUP_TASKRUN_FLAG
	#undef IORING_SETUP_SINGLE_ISSUER
	#undef IORING_SETUP_DEFER_TASKRUN
	#pragma GCC poison io_uring_get_events io_uring_submit_and_wait_timeout
	#pragma GCC poison io_uring_sqe_set_data64 io_uring_cqe_get_data64
	#pragma GCC poison io_uring_prep_poll_remove io_uring_submit_and_get_events
	#pragma GCC poison IO_URING_VERSION_MAJOR io_uring_check_version
	#pragma GCC poison io_uring_setup_buf_ring io_uring_prep_cancel64
	END
	configure uring-2.1 -DCMAKE_C_COMPILER=gcc \
		-DCMAKE_C_FLAGS="-I$PWD/$dir" &&
		build uring-2.1 uhmm uhmmd libuhmm-preload.so uhmm-watchdog \
			test_loop kernel.uring_poll conf_kernel_access &&
		ctest --test-dir "$top/uring-2.1" --no-tests=error -R \
			'^(test_loop|kernel.uring_poll|conf_kernel_access.uring)$' \
			>>"$top/uring-2.1.log" 2>&1
}

# Of the libraries only the headers are needed, and those are for any machine.
build_aarch64() {
	local dir=$top/aarch64.include
	command -v aarch64-linux-gnu-gcc >/dev/null || return 77
	mkdir -p "$dir"
	ln -sfnt "$dir" /usr/include/{liburing,liburing.h,uuid,check.h,check_stdint.h}
	configure aarch64 -DCMAKE_SYSTEM_NAME=Linux \
		-DCMAKE_SYSTEM_PROCESSOR=aarch64 \
		-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc \
		-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY \
		-DCMAKE_C_FLAGS="-isystem $PWD/$dir" &&
		ninja -C "$top/aarch64" -t targets all |
		sed -n 's/^\([^ ]*\(\.o\|\.a\|libuhmm-preload\.so\)\): .*/\1/p' |
			grep -v hmm-tests >"$top/aarch64.targets" &&
		xargs ninja -C "$top/aarch64" -j "$jobs" \
			<"$top/aarch64.targets" >>"$top/aarch64.log" 2>&1 &&
		aarch64-linux-gnu-readelf -h "$top/aarch64/libuhmm-preload.so" |
			grep -q AArch64
}

mkdir -p $top
[ $# -gt 0 ] || set -- gcc clang uring-2.1 aarch64
for name; do
	case $name in
	gcc | clang | uring-2.1 | aarch64) ;;
	*) echo "builds.sh: no build '$name'" >&2; exit 2 ;;
	esac
	status=0
	(set +e; "build_${name//[-.]/_}") || status=$?
	case $status in
	0) echo "$name: builds" ;;
	77) echo "$name: left out, no compiler here" ;;
	*)
		echo "$name: FAILED, see $top/$name.log"
		grep -E 'error|FAILED' "$top/$name.log" | head -20
		failed=1
		;;
	esac
done
exit $failed
