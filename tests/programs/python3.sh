# SPDX-License-Identifier: MIT
about="python3 -m test"

tests="test_list test_json"
[ "$scale" = short ] || tests+=" test_dict test_set test_bytes test_gc test_threading
	test_subprocess test_mmap test_re test_zlib test_pickle
	test_fork1 test_struct test_decimal"

python=/usr/bin/python3

have() {
	[ -x $python ] || { echo "no python3: install python3"; return 1; }
	$python -c 'import test.test_list' 2>/dev/null ||
		{ echo "no tests: install libpython3.N-testsuite"; return 1; }
}
version() { $python --version; }

# which tests, and how each ended; not how long they took
work() {
	# shellcheck disable=SC2086 # words are meant
	under $python -m test --randseed 1 $tests >log 2>&1
	local status=$?
	grep -E '^(Tests? result|Result|Total tests|[0-9]+ tests? )' log |
		grep -v duration
	return $status
}
