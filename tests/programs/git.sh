# SPDX-License-Identifier: MIT
about="git: clone, repack, fsck of a local repository"

have() { need git git; }
version() { git --version; }

prepare() {
	git init -q --bare repo.git
	awk -v n="$(short_or 500 5000)" '
		function file(name, text) {
			printf "M 100644 inline %s\ndata %d\n%s\n",
				name, length(text), text
		}
		BEGIN {
			for (i = 1; i <= n; i++) {
				printf "commit refs/heads/master\nmark :%d\n", i
				printf "committer A <a@b> %d +0000\n", 1600000000 + i
				printf "data 6\nchange\n"
				if (i > 1) printf "from :%d\n", i - 1
				t = ""
				for (k = 0; k < 40; k++)
					t = t (i * k * 7919 % 10007) " line " k "\n"
				file("d" i % 17 "/f" i % 211, t)
			}
		}' | git -C repo.git fast-import --quiet
}

work() {
	local n
	n=$(short_or 3 4)
	under sh -c "
		for i in \$(seq $n); do
			rm -rf copy
			git clone -q --no-local ../input/repo.git copy || exit
			git -C copy -c gc.auto=0 repack -q -a -d -f --window=20 || exit
			git -C copy fsck --full --strict 2>/dev/null || exit
		done
		git -C copy log --format=%H | sha256sum
		git -C copy ls-files -s | sha256sum"
}
