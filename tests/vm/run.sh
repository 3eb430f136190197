#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [options] [VERSION...]: boot stock Debian kernels and run our tests
# on them. VERSION is 6.1 or 6.12 (default: both). No KVM is needed: QEMU
# emulates, which takes its time, so this is no part of ./run test.
#
#   --build DIR       a build tree with tests (default: build/dev)
#   --label REGEX     labels of the tests (default: what speaks to the kernel)
#   --tests REGEX     names of the tests
#   --skip REGEX      names of tests to leave out (default: what takes for ever
#                     on an emulated CPU, or is no matter of the kernel)
#   --cache DIR       where kernels are kept (default: ~/.cache/uhmm-vm)
#   --out DIR         where logs go (default: BUILD/vm)
#   --add             keep the results that DIR has of other tests
#   --user            run as a plain user inside, not as root
#   --append ARGS     further arguments of the kernel
#
# The guest has an initramfs: busybox, the tools that the tests call, the build
# tree and the shared libraries they need, at the paths they have here; and in
# /tmp a file system that is written back to a disk, for which it needs modules
# of the kernel's package. Ends with one line per kernel, "KERNEL: N passed, N
# failed, N skipped"; exit status 0 only if nothing failed. Needs
# qemu-system-x86, busybox-static, cpio, dpkg, xz-utils (Debian).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
build=$source/build/dev out='' user=0 append='' tests=. add=''
skip='^(probe_(hammer|roundtrip|many_opens|null_gpu)|bench_|preload-symbols)'
label='^(unit|daemon|kernel|preload|probe|kselftest|golden|conformance)$'
cache=${XDG_CACHE_HOME:-$HOME/.cache}/uhmm-vm
versions=()

die() { echo "vm/run.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
	case $1 in
	--build) build=$(realpath "$2"); shift ;;
	--label) label=$2; shift ;;
	--tests) tests=$2; shift ;;
	--skip) skip=$2; shift ;;
	--cache) cache=$2; shift ;;
	--out) out=$2; shift ;;
	--add) add=yes ;;
	--user) user=65534 ;;
	--append) append=$2; shift ;;
	6.1 | 6.12) versions+=("$1") ;;
	*) die "'$1'? see the head of this file" ;;
	esac
	shift
done
[ ${#versions[@]} -gt 0 ] || versions=(6.1 6.12)
[ -e "$build/CTestTestfile.cmake" ] || die "$build: no build; ./run build dev"
for tool in qemu-system-x86_64 cpio dpkg-deb apt-get ldd xz; do
	command -v $tool >/dev/null || die "$tool is missing"
done
[ -x /bin/busybox ] || die "busybox-static is missing"
out=${out:-$build/vm}
mkdir -p "$cache" "$out"

# What ext4 on a loop device needs.
modules='loop ext4 jbd2 mbcache crc16 crc32c_generic crc32c-intel libcrc32c'

# Those of the unpacked package in the current folder, as another initramfs.
pack_modules() {
	local version module file
	version=$(ls lib/modules)
	for module in $modules; do
		file=$(find lib/modules -name "$module.ko*")
		[ -n "$file" ] || continue
		mkdir -p "root/lib/modules/$version"
		case $file in
		*.xz) xz -dc "$file" ;;
		*) cat "$file" ;;
		esac >"root/lib/modules/$version/$module.ko"
	done
	(cd root && find . | cpio -o -H newc --quiet) | gzip >modules.cpio.gz
}

# The kernel of Debian's newest package of version $1: the folder it is in.
kernel() {
	local package dir=$cache/$1
	if [ ! -s "$dir/vmlinuz" ] || [ ! -s "$dir/modules.cpio.gz" ]; then
		package=$(apt-cache search --names-only \
			"^linux-image-${1//./\\.}\.[0-9.]+[-+][a-z0-9]+-amd64\$" |
			cut -d' ' -f1 | sort -V | tail -n 1)
		[ -n "$package" ] || die "no package of Linux $1 here"
		mkdir -p "$dir"
		(cd "$dir" && apt-get download -qq "$package" 2>/dev/null &&
			dpkg-deb -x ./*.deb . && pack_modules &&
			mv boot/vmlinuz-* vmlinuz &&
			rm -rf ./*.deb boot lib usr root)
	fi
	echo "$dir"
}

# What scripts of ours call, and programs under uhmm: busybox is static, and
# lacks options.
tools='bash sh awk cat chmod cp cut date dirname basename env expr false find
	flock grep head id kill ln ls mkdir mknod mktemp mount mv printf readlink
	realpath rm rmdir sed seq setpriv sleep sort stat tail tee test timeout
	touch tr true umount uname unshare wc xargs'

# What a program needs beside itself.
libraries() {
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true
}

# Each test as: name, timeout, directory, command; environment is ours.
list_tests() {
	ctest --test-dir "$build" -N -V -L "$label" -R "$tests" -E "$skip" | awk -v OFS='\t' '
		/^[0-9]+: Test command: / {
			sub(/^[0-9]+: Test command: /, ""); command = $0
		}
		/^[0-9]+: Working Directory: / {
			sub(/^[0-9]+: Working Directory: /, ""); dir = $0
		}
		/^ +Test +#[0-9]+: / {
			print $3, dir, command
		}'
}

make_root() {
	local root=$1 file library
	mkdir -p "$root"/{bin,busybox,dev,etc,lib,proc,sys,tmp,run,root,usr}
	cp /bin/busybox "$root/bin/"
	for file in $tools; do
		cp -L "$(type -P "$file")" "$root/bin/$file"
	done
	# pthread_exit() loads it
	cp -L "$(gcc -print-file-name=libgcc_s.so.1)" "$root/lib/"
	ln -s ../bin "$root/usr/bin"
	printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n' \
		>"$root/etc/passwd"
	cp "$here/init" "$root/init"
	list_tests >"$root/tests"
	(cd "$build" && find . -type f \( -perm -u+x -o -name '*.so*' \) \
		! -name '*.o' ! -path './CMakeFiles/*' ! -path './vm/*' -print0 |
		tar -c --null -T - ) | (mkdir -p "$root$build" &&
		tar -x -C "$root$build")
	find "$build" -maxdepth 1 -type l -exec cp -a -t "$root$build" {} +
	mkdir -p "$root$source"
	cp -a "$source/tests" "$source/docs" "$root$source/"
	rm -rf "$root$source/tests/vm"
	{
		find "$root/bin" "$build" -type f -perm -u+x ! -path "$build/vm/*" |
			while read -r file; do libraries "$file"; done
	} | sort -u | while read -r library; do
		[ -e "$library" ] && [ ! -e "$root$library" ] || continue
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done
}

run_on() {
	local version=$1 dir log=$out/$1.log
	dir=$(kernel "$version")
	cat "$work/initrd" "$dir/modules.cpio.gz" >"$work/initrd.$version"
	timeout 7200 qemu-system-x86_64 -accel tcg,thread=multi -cpu max \
		-smp 2 -m 6144 -nographic -nodefaults -serial stdio \
		-monitor none -no-reboot -kernel "$dir/vmlinuz" \
		-initrd "$work/initrd.$version" -append \
		"console=ttyS0 rootfstype=ramfs quiet panic=-1 uhmm_user=$user $append" \
		</dev/null 2>&1 | stdbuf -oL tr -d '\r' >"$log" || true
	grep -a '^@@ ' "$log" | sed 's/^@@ //' >"$work/results" || true
	keep_results "$version"
	grep -a '^FAILED' "$work/results" || true
	sed -n "s/^total/Linux $version:/p" "$work/results" |
		grep . || { echo "Linux $version: did not end, see $log"; false; }
	grep -q '^total .* 0 failed' "$work/results"
}

# And those of tests that were not run now, behind them.
keep_results() {	# VERSION
	local file=$out/$1.results
	[ -z "$add" ] || [ ! -e "$file" ] ||
		awk 'NR == FNR { sub(/:$/, "", $2); now[$2] = 1; next }
			$1 ~ /^(passed|skipped|FAILED)$/ {
				name = $2
				sub(/:$/, "", name)
				if (!(name in now)) print
			}' "$work/results" "$file" >"$work/kept"
	cat "$work/results" >"$file.new"
	[ ! -e "$work/kept" ] || cat "$work/kept" >>"$file.new"
	rm -f "$work/kept"
	mv "$file.new" "$file"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make_root "$work/root"
[ -s "$work/root/tests" ] || die "no such test"
(cd "$work/root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$work/initrd"
rm -rf "$work/root"

status=0
for version in "${versions[@]}"; do
	run_on "$version" || status=1
done
exit $status
