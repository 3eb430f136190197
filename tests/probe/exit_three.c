/* SPDX-License-Identifier: MIT */
/* exit_three.c - linked statically: what the preload library cannot serve */
int main(void)
{
	return 3;
}
