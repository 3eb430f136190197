# SPDX-License-Identifier: MIT
about="bash: 2,000 forks"
policy=chaos,rate=50000

have() { need bash bash; }
version() { bash --version; }

work() {
	under bash -c 's=0
		for i in $(seq '"$(short_or 100 2000)"'); do
			x=$(echo $((i * 7919 % 1009)))
			a[i]=$x s=$((s + x))
			( t=0; for k in "${a[@]:0:40}"; do t=$((t + k)); done
			  exit $((t % 200)) )
			s=$((s + $?))
		done
		echo $s'
}
