/* SPDX-License-Identifier: MIT */
/* env.c - $UHMM_SOCKET, $UHMM_NODES, $UHMM_DEBUG, and a line to stderr without stdio */
#include "env.h"

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static unsigned int address_bytes;
static bool debug;
static bool attach;

/* As many names as drivers can have devices. */
#define NODES_BYTES 1024
static char nodes[NODES_BYTES];

static size_t text_bytes(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

static void init_nodes(const char *names)
{
	size_t n = names ? text_bytes(names) : 0;

	if (n && n < sizeof(nodes))
		memcpy(nodes, names, n + 1);
}

/* The number at *@at, which moves behind it and the comma that follows; -1. */
static int take_number(const char **at)
{
	const char *p = *at;
	int n = 0;

	for (; *p >= '0' && *p <= '9' && n < 10000; p++)
		n = n * 10 + (*p - '0');
	if (p == *at || (*p && *p != ','))
		n = -1;
	*at = p;
	return n;
}

/* Is @name the word at *@at, which ends at '='? *@at moves behind that. */
static bool take_name(const char **at, const char *name)
{
	const char *p = *at;
	bool same = true;

	for (; *p && *p != '='; p++)
		same = same && *name++ == *p;
	*at = *p ? p + 1 : p;
	return same && !*name;
}

int uhmm_env_node(const char *name)
{
	const char *at = nodes;

	while (*at) {
		bool same = take_name(&at, name);
		int n = take_number(&at);

		if (n < 0)
			return -1;	/* not what we were to be given */
		if (same)
			return n;
		if (*at)
			at++;
	}
	return -1;
}

void uhmm_env_init(void)
{
	const char *socket_name = getenv("UHMM_SOCKET");
	const char *debug_words = getenv("UHMM_DEBUG");
	const char *attach_word = getenv("UHMM_ATTACH");
	size_t n = socket_name ? text_bytes(socket_name) : 0;

	debug = debug_words && debug_words[0];
	attach = attach_word && attach_word[0];
	init_nodes(getenv("UHMM_NODES"));
	if (!n || n >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, socket_name, n);
	address_bytes = (unsigned int)(offsetof(struct sockaddr_un, sun_path) +
				       n);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	else
		address_bytes++;
}

unsigned int uhmm_env_address(struct sockaddr_un *addr)
{
	*addr = address;
	return address_bytes;
}

bool uhmm_env_attach(void)
{
	return attach;
}

void uhmm_env_write(int fd, const char *text)
{
	(void)uhmm_sys3(SYS_write, fd, uhmm_ptr(text), (long)text_bytes(text));
}

/* Append @text, as much as fits. */
static size_t put(char *line, size_t room, size_t at, const char *text)
{
	while (*text && at + 1 < room)
		line[at++] = *text++;
	line[at] = '\0';
	return at;
}

void uhmm_env_debug(const char *what, int err)
{
	char line[160];
	char digits[12];
	size_t d = sizeof(digits) - 1;
	size_t at;
	unsigned int n = err < 0 ? 0u - (unsigned int)err : (unsigned int)err;

	if (!debug)
		return;
	digits[d] = '\0';
	do {
		digits[--d] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	at = put(line, sizeof(line), 0, "uhmm: ");
	at = put(line, sizeof(line), at, what);
	at = put(line, sizeof(line), at, ": error ");
	at = put(line, sizeof(line), at, digits + d);
	put(line, sizeof(line), at, "\n");
	uhmm_env_write(STDERR_FILENO, line);
}
