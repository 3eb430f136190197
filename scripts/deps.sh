#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deps.sh build|test: find what is missing and install the Debian packages
# that have it. Says which; asks for sudo only when not root; touches nothing
# when all is there, also on other distributions.
set -euo pipefail

# use, package, how to see that it is there
table='
build cmake             command cmake
build ninja-build       command ninja
build gcc               command gcc
build libc6-dev         file /usr/include/stdio.h
build pkg-config        command pkg-config
build liburing-dev      library liburing
build uuid-dev          library uuid
build check             library check
build xz-utils          command xz
build linux-source-6.12 file /usr/src/linux-source-6.12.tar.xz
test  clang             command clang
test  clang-tidy        command clang-tidy
test  cppcheck          command cppcheck
test  sqlite3           command sqlite3
test  git               command git
test  perl              command perl
test  zstd              command zstd
test  python3           command python3
'
# its package is named after the version
python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' \
	2>/dev/null || echo 3)
table+="test libpython$python-testsuite file /usr/share/doc/libpython$python-testsuite"

# Without these the rest still works; their tests skip and say so.
optional=" linux-source-6.12 libpython$python-testsuite "

there() {
	case $1 in
	command) command -v "$2" >/dev/null ;;
	library) command -v pkg-config >/dev/null && pkg-config --exists "$2" ;;
	file) [ -e "$2" ] ;;
	esac
}

missing() {
	local use package kind what
	while read -r use package kind what; do
		[ -n "$use" ] || continue
		[ "$use" = build ] || [ "$1" = test ] || continue
		there "$kind" "$what" || echo "$package"
	done <<<"$table"
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps: not root and no sudo; as root: $*" >&2
		return 1
	fi
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive timeout 900 apt-get "$@"
}

# no pipe into grep -q: it leaves at the first match, apt-cache dies of
# SIGPIPE, and pipefail makes that "no such package"
has_candidate() {
	[[ $(apt-cache policy "$1" 2>/dev/null) =~ 'Candidate: '[^\(] ]]
}

use=${1:-build}
case $use in build | test) ;; *) echo "deps: '$use'? build or test" >&2; exit 2 ;; esac
mapfile -t want < <(missing "$use")
[ ${#want[@]} -gt 0 ] || exit 0
echo "deps: missing: ${want[*]}" >&2
if ! command -v apt-get >/dev/null; then
	echo "deps: no apt-get here; install these or their like by hand" >&2
	exit 1
fi

apt update -qq >&2 || echo "deps: apt-get update failed, trying with what is known" >&2
install=()
for package in "${want[@]}"; do
	if has_candidate "$package"; then
		install+=("$package")
	elif [[ $optional == *" $package "* ]]; then
		echo "deps: no package $package here; doing without" >&2
	else
		echo "deps: no package $package here" >&2
		exit 1
	fi
done
if [ ${#install[@]} -gt 0 ]; then
	echo "deps: installing: ${install[*]}" >&2
	apt install -y -qq --no-install-recommends "${install[@]}" >&2
fi
