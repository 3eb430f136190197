# SPDX-License-Identifier: MIT
#
# lines.awk: what table and compare share: figures and goals, read.
# BENCH, ENGINE, LOOP of a line; value(LINE, KEY).

function value(line, key,    at) {
	at = index(line, "\"" key "\": ")
	if (!at)
		return ""
	line = substr(line, at + length(key) + 4)
	sub(/[,}].*/, "", line)
	gsub(/"/, "", line)
	return line
}

# The figure's own: ns, bytes, whatever it is measured in.
function amount(line) {
	if (match(line, /"[a-z]+_per_[a-z]+": /))
		return value(line, substr(line, RSTART + 1, RLENGTH - 4))
	return ""
}

function unit(line) {
	if (match(line, /"[a-z]+_per_[a-z]+": /))
		return substr(line, RSTART + 1, RLENGTH - 4)
	return ""
}
