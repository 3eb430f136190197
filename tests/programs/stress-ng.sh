# SPDX-License-Identifier: MIT
about="stress-ng --vm --verify"
policy=chaos,rate=100000

have() { need stress-ng stress-ng; }
version() { stress-ng --version; }

work() {
	under stress-ng -q --vm 2 --vm-bytes 64M --vm-ops \
		"$(short_or 2000 20000)" --verify --seed 1 &&
	under stress-ng -q --malloc 2 --malloc-ops "$(short_or 3000 100000)" \
		--verify --seed 1
}
