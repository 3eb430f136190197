#!/bin/bash
# SPDX-License-Identifier: MIT
#
# obligations.sh [--check]: which tests show which rows of tests/obligations.txt,
# as docs/obligations.md. --check: nothing is written; fails when a row has no
# test, a test says a row that there is not, a test that says one does not run,
# or docs/obligations.md is not what would be written.
#
# A test says its rows (S1.2) in the comment in front of it: START_TEST(), or the
# line of a conformance case; a program or script in its first comment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bad=0
say() {
	echo "$*" >&2
	bad=1
}

# "row file test" per line; test "-": all of the file; "!": says no test's row
claims() {
	find tests -type f \( -name '*.c' -o -name 'check-*' -o -name 'run-*' -o -name 'test-*' \) |
		sort | xargs awk '
	function emit(test,   n, i, row) {
		n = split(rows, row, " ")
		for (i = 1; i <= n; i++)
			print row[i], FILENAME, test
		rows = ""
	}
	function note(s) {
		while (match(s, /S[1-9]\.[0-9]+/)) {
			rows = rows " " substr(s, RSTART, RLENGTH)
			s = substr(s, RSTART + RLENGTH)
		}
	}
	FNR == 1 { rows = ""; head = 1; inside = 0; script = /^#!/ }
	script && /^#/ { note($0); next }
	script { emit("-"); nextfile }
	/\/\*/ { inside = 1 }
	inside { note($0) }
	/\*\// { inside = 0; next }
	inside { next }
	head { emit("-"); head = 0 }
	/^START_TEST\(/ {
		split($0, part, /[()]/)
		emit(part[2])
	}
	/^\t\{ "/ {
		split($0, part, "\"")
		emit(part[2])
	}
	/^[}a-z]/ || /^END_TEST/ { if (rows != "") emit("!") }'
}

# Does the test of @file run? One case of it, too?
runs() {
	local file=$1 test=$2 base
	base=$(basename "$file" .c)
	base=${base/#test_model_main/model_main}
	grep -qE "(^|[^a-z_])(${base}|${base#test_}|${base#probe_}|\\$\\{name\\})([^a-z_]|\$)" \
		"$(dirname "$file")/CMakeLists.txt" || say "$file: nobody runs it"
	[ "$test" = - ] && return
	[ "$test" != '!' ] || { say "$file: a row is said in front of no test"; return; }
	[ "$(grep -cE "(^|[^a-z_0-9])$test([^a-z_0-9]|\$)" "$file")" -ge 2 ] ||
		grep -q "\"$test\"" "$file" || say "$file: $test is in no table"
}

is_row() {
	grep -q "^$1 " tests/obligations.txt
}

write() {
	local row what
	cat <<-'EOF'
	<!-- SPDX-License-Identifier: MIT -->
	<!-- Written by scripts/obligations.sh from tests/obligations.txt and the tests: do not edit. -->
	# Obligations, and the tests that show them

	What three kernel patch series ask of an emulation. `ctest` runs each of these
	tests; `CK_RUN_CASE` and a debugger run one case.
	EOF
	while read -r row what; do
		case $row in
		'#'* | '') ;;
		*.*) printf '| %s | %s | %s |\n' "$row" "$what" "$(cell "$row")" ;;
		*) printf '\n## %s. %s\n\n| # | obligation | tests |\n|---|---|---|\n' "$row" "$what" ;;
		esac
	done <tests/obligations.txt
}

cell() {
	awk -v row="$1" '$1 == row {
		if ($2 != file) { out = out (out ? "; " : "") "`" $2 "`"; file = $2; sep = ": " }
		if ($3 != "-") { out = out sep "`" $3 "`"; sep = ", " }
	}
	END { print out }' <<<"$all"
}

all=$(claims | sort -u)
while read -r row file test; do
	is_row "$row" || say "$file: there is no row $row"
	runs "$file" "$test"
done <<<"$all"
while read -r row; do
	grep -q "^$row " <<<"$all" || say "$row: no test shows it"
done < <(grep -oE '^S[0-9]+\.[0-9]+' tests/obligations.txt)

if [ "${1:-}" = --check ]; then
	diff -u docs/obligations.md <(write) >&2 ||
		say "docs/obligations.md is stale: run scripts/obligations.sh"
else
	write >docs/obligations.md
fi
exit $bad
