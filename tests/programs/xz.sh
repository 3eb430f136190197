# SPDX-License-Identifier: MIT
about="xz and zstd: a round trip, several threads"

have() { need xz xz-utils; }
version() { xz --version; }

# text that compresses, and noise that does not
prepare() {
	local mib
	mib=$(short_or 1 256)
	{
		awk -v n=$((mib * 8000)) 'BEGIN { for (i = 0; i < n; i++)
			printf "%d %d some words that come again %d\n",
				i, i * 7919 % 100003, i % 997 }'
		head -c $((mib * 600000)) /dev/urandom
	} | head -c $((mib << 20)) >data
}

work() {
	sha256sum <../input/data
	under xz -T2 -2 -c ../input/data >data.xz || return
	under xz -dc data.xz | sha256sum || return
	command -v zstd >/dev/null || return 0
	under zstd -q -T2 -12 -c ../input/data >data.zst || return
	under zstd -q -dc data.zst | sha256sum
}
