# SPDX-License-Identifier: MIT
about="a program built with AddressSanitizer"
policy=chaos,rate=100000

have() {
	need gcc gcc && echo 'int main(void) { return 0; }' |
		gcc -x c -fsanitize=address -o /dev/null - 2>/dev/null ||
		{ echo "no libasan: install libasan8"; return 1; }
}
version() { gcc --version; }

prepare() {
	cat >work.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 2000u

int main(int argc, char **argv)
{
	static unsigned char *p[N];
	unsigned long s = 0, n = strtoul(argv[argc - 1], NULL, 10);

	for (unsigned long i = 0; i < n; i++) {
		unsigned int k = i * 7919 % N;
		size_t bytes = 10 + i * 31 % 5000;

		if (p[k])
			s += p[k][3];
		free(p[k]);
		p[k] = malloc(bytes);
		memset(p[k], (int)i, bytes);
	}
	for (unsigned int k = 0; k < N; k++)
		free(p[k]);
	printf("%lu\n", s);
	return 0;
}
END
	gcc -O1 -g -fsanitize=address -o work work.c
}

# its runtime wants to be the first library, and must not be
work() {
	ASAN_OPTIONS=verify_asan_link_order=0 \
		under ../input/work "$(short_or 400000 3000000)"
}
