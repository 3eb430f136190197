# SPDX-License-Identifier: MIT
about="openssl: speed, digests, encryption, keys"
policy=chaos,rate=100000

have() { need openssl openssl; }
version() { openssl version; }

prepare() {
	awk 'BEGIN { for (i = 0; i < 200000; i++) print i, i * 7919 % 100003 }' >data
}

work() {
	local s
	s=$(short_or 1 3)
	under openssl speed -seconds "$s" sha256 aes-256-cbc rsa2048 \
		>speed.log 2>&1 || return
	under sh -c 'for i in 1 2 3 4 5; do
			for d in sha1 sha256 sha512 blake2b512; do
				openssl dgst -$d ../input/data; done; done | sort -u
		openssl enc -aes-256-cbc -pbkdf2 -k secret -in ../input/data |
			openssl enc -d -aes-256-cbc -pbkdf2 -k secret | sha256sum
		openssl genrsa -out key 2048 2>/dev/null &&
			openssl rsa -in key -check -noout 2>&1 | head -n 1'
}
