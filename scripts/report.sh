#!/bin/bash
# SPDX-License-Identifier: MIT
#
# report.sh DIR NAME...: one self-contained page on stdout, from what
# `uhmm run --stats-json DIR/NAME.json` and the program's DIR/NAME.log say.
# The page draws whatever the JSON holds: scalars as a table, lists of objects
# as a table, lists of numbers (histograms) as bars.
set -euo pipefail

dir=$1
shift

escape_html() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }
escape_script() { sed 's/<\//<\\\//g'; }	# data cannot end the script

cat <<'END'
<!doctype html>
<!-- SPDX-License-Identifier: MIT -->
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>uhmm report</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } h3 { margin-bottom: .3rem; font-size: 1rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; margin: .3rem 0 1rem }
td, th { text-align: right; padding: .15rem .8rem; border-bottom: 1px solid #8884; font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left; padding-left: 0 }
pre { overflow-x: auto; background: #8881; padding: .8rem; font-size: 13px }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 2px .6rem; max-width: 44rem }
.bars i { background: #4a7bd0; height: 1em; align-self: center; min-width: 1px }
</style></head><body>
<h1>uhmm report</h1>
END
printf '<p>%s, %s CPUs, %s</p>\n' "$(uname -srm | escape_html)" "$(nproc)" \
	"$(date -u '+%Y-%m-%d %H:%M UTC')"
for name in "$@"; do
	printf '<h2>%s</h2><div id="%s"></div>\n' "$name" "$name"
	printf '<details open><summary>what it printed</summary><pre>'
	tail -n 200 "$dir/$name.log" | escape_html
	printf '</pre></details>\n'
done
echo '<script>"use strict"; const data = {'
for name in "$@"; do
	printf '"%s": ' "$name"
	if [ -s "$dir/$name.json" ]; then
		escape_script <"$dir/$name.json"
	else
		echo null
	fi
	echo ,
done
cat <<'END'
};
const el = (tag, text) => {
	const e = document.createElement(tag);
	if (text !== undefined) e.textContent = text;
	return e;
};
const title = k => k.replaceAll("_", " ");
const show = v => typeof v === "number" ? v.toLocaleString("en") : String(v);
const scalar = v => v === null || typeof v !== "object";
function table(rows) {
	const box = el("div"), t = el("table");
	box.className = "scroll";
	for (const row of rows) {
		const tr = el("tr");
		for (const c of row) tr.append(el(rows.head && row === rows[0] ? "th" : "td", c));
		t.append(tr);
	}
	box.append(t);
	return box;
}
function bars(pairs) {
	const box = el("div"), max = Math.max(...pairs.map(p => p[1]), 1);
	box.className = "bars";
	const first = pairs.findIndex(p => p[1]), last = pairs.findLastIndex(p => p[1]);
	for (const [k, v] of first < 0 ? [] : pairs.slice(first, last + 1)) {
		const i = el("i");
		i.style.width = 100 * v / max + "%";
		if (!v) i.style.visibility = "hidden";
		box.append(el("span", k), i, el("span", show(v)));
	}
	return box;
}
function draw(into, name, v, depth) {
	if (name && depth) into.append(el("h3", title(name)));
	if (Array.isArray(v)) {
		if (v.every(x => typeof x === "number"))
			into.append(bars(v.map((x, i) => ["2^" + i, x])));
		else if (v.every(x => Array.isArray(x) && x.length === 2))
			into.append(bars(v.map(x => [show(x[0]), x[1]])));
		else
			drawList(into, v, depth);
		return;
	}
	const rows = Object.entries(v).filter(e => scalar(e[1]));
	if (rows.length) into.append(table(rows.map(e => [title(e[0]), show(e[1])])));
	for (const [k, x] of Object.entries(v))
		if (!scalar(x)) draw(into, name && depth ? name + ": " + k : k, x, depth + 1);
}
function drawList(into, list, depth) {
	const keys = [...new Set(list.flatMap(x => Object.keys(x)))]
		.filter(k => list.every(x => scalar(x[k] ?? null)));
	const rows = [keys.map(title), ...list.map(x => keys.map(k => show(x[k] ?? "")))];
	rows.head = true;
	into.append(table(rows));
	list.forEach((x, i) => {
		for (const [k, y] of Object.entries(x))
			if (!scalar(y)) draw(into, (x.name ?? i) + ": " + k, y, depth + 1);
	});
}
for (const [name, v] of Object.entries(data))
	if (v) draw(document.getElementById(name), "", v, 0);
	else document.getElementById(name).append(el("p", "no numbers were left"));
</script></body></html>
END
