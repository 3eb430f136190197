# SPDX-License-Identifier: MIT
about="gcc -O2 on a file of many functions"

have() { need gcc gcc; }
version() { gcc --version; }

prepare() {
	awk -v n="$(short_or 250 2500)" 'BEGIN {
		for (i = 0; i < n; i++) {
			printf "int f%d(int a, const int *b)\n{\n\tint s = a;\n", i
			printf "\tfor (int i = 0; i < a %% %d + 3; i++)\n", i + 1
			printf "\t\ts += b[i] * %d ^ (s >> %d);\n", i * 7919, i % 13
			printf "\tswitch (s & 7) {\n"
			for (k = 0; k < 8; k++)
				printf "\tcase %d: return s * %d + b[%d];\n",
					k, k * 31 + i, (i + k) % 64
			printf "\t}\n\treturn %s;\n}\n",
				i ? "f" i - 1 "(s, b + 1)" : "s"
		}
	}' >many.c
}

work() {
	under gcc -O2 -c ../input/many.c -o many.o && sha256sum many.o
}
