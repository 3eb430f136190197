/* SPDX-License-Identifier: MIT */
/* exit_three.c - what the preload library cannot serve, by how it is built */
#ifdef GO_NOTE
/* As Go's linker has it: sizes of name and content, type, name, content. */
__attribute__((section(".note.go.buildid"), used, aligned(4)))
static const struct {
	unsigned int name_bytes, bytes, type;
	char name[4], id[4];
} note = { 4, 4, 4, "Go", "abc" };
#endif

int main(void)
{
	return 3;
}
