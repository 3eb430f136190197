/* SPDX-License-Identifier: MIT */
/* conf.c - options and environment (conf.h) */
#include "conf.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "near.h"
#include "sys/pagesize.h"

static const char help[] =
	"usage: uhmmd [OPTION]...\n"
	"Serve /dev/hmm_dmirror0.. to programs that run with the preload\n"
	"library. `uhmm run` starts one of its own; this is for many programs.\n"
	"\n"
	"  --socket PATH           listen there; else $UHMM_SOCKET, else the\n"
	"                          user's runtime directory\n"
	"  --socket-fd N           listen on descriptor N, which does already\n"
	"  --ready-fd N            write one byte to it when ready\n"
	"  --device NAME:TYPE:SIZE hmm_dmirrorN, private or coherent, 64G\n"
	"                          (repeatable); else hmm_dmirror0 and 1, private,\n"
	"                          64G each, 2 and 3, coherent, 256M each\n"
	"  --driver FILE           load a driver, which brings devices of its\n"
	"                          own: uhmm/device.h (repeatable)\n"
	"  --engine auto|move|copy|protect\n"
	"                          how pages are taken from the CPU\n"
	"  --loop auto|uring|epoll how to wait for events\n"
	"  --near auto|idle|spin|off\n"
	"                          how to serve a program on the CPU it runs on\n"
	"  --workers N             threads that serve programs (1)\n"
	"  --policy SPEC           move pages of programs that do not ask for it:\n"
	"                          chaos, evict=PERCENT, script=FILE (repeatable);\n"
	"                          prefetch=N: N pages come back for one touched\n"
	"  --inject NAME=N         the Nth time something fails: alloc, lock,\n"
	"                          slow, reply; N+: from then on (repeatable)\n"
	"  --parent-death          end when the process that started it ends\n"
	"  --foreground            stay in the foreground (it always does)\n"
	"  --help, --version\n"
	"\n"
	"Environment: UHMM_SOCKET, UHMM_ENGINE, UHMM_LOOP, UHMM_NEAR, UHMM_INJECT,\n"
	"UHMM_DEBUG.\n"
	"Ends on SIGTERM and SIGINT; pages go back to their programs first.\n";

enum {
	OPT_SOCKET = 256,
	OPT_SOCKET_FD,
	OPT_READY_FD,
	OPT_DEVICE,
	OPT_DRIVER,
	OPT_ENGINE,
	OPT_LOOP,
	OPT_NEAR,
	OPT_WORKERS,
	OPT_POLICY,
	OPT_INJECT,
	OPT_PARENT_DEATH,
	OPT_FOREGROUND,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "socket-fd", required_argument, NULL, OPT_SOCKET_FD },
	{ "ready-fd", required_argument, NULL, OPT_READY_FD },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "driver", required_argument, NULL, OPT_DRIVER },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "loop", required_argument, NULL, OPT_LOOP },
	{ "near", required_argument, NULL, OPT_NEAR },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "inject", required_argument, NULL, OPT_INJECT },
	{ "parent-death", no_argument, NULL, OPT_PARENT_DEATH },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static bool parse_number(const char *word, unsigned int max, unsigned int *out)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (word[0] < '0' || word[0] > '9' || *end || n > max)
		return false;
	*out = (unsigned int)n;
	return true;
}

/* ---- devices ---- */

/* 4096, 256M, 64G, 1T. Return: 0 it is none */
static uint64_t parse_size(const char *word)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long n = strtoull(word, &end, 10);
	const char *unit;
	unsigned int shift = 0;

	if (word[0] < '0' || word[0] > '9' || n == ULLONG_MAX)
		return 0;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return 0;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	return n > UINT64_MAX >> shift ? 0 : (uint64_t)n << shift;
}

const char *conf_parse_device(const char *word, struct conf_device *dev)
{
	char name[32], type[16], size[32];
	int used = 0;

	if (sscanf(word, "%31[^:]:%15[^:]:%31[^:]%n", name, type, size,
		   &used) != 3 || word[used])
		return "expected NAME:TYPE:SIZE, as hmm_dmirror0:private:64G";
	if (strncmp(name, "hmm_dmirror", 11) != 0 ||
	    !parse_number(name + 11, CONF_DEVICES_MAX - 1, &dev->minor))
		return "NAME must be hmm_dmirrorN, N from 0 to 15";
	if (!strcmp(type, "private"))
		dev->type = UHMM_MEMORY_DEVICE_PRIVATE;
	else if (!strcmp(type, "coherent"))
		dev->type = UHMM_MEMORY_DEVICE_COHERENT;
	else
		return "TYPE must be private or coherent";
	dev->bytes = parse_size(size);
	if (!dev->bytes || dev->bytes % uhmm_page_bytes())
		return "SIZE must be pages: bytes, or a number with K, M, G, T";
	if (dev->bytes > UINT64_C(1) << 44)
		return "SIZE is more than 16T";
	return NULL;
}

static int take_device(struct conf *c, const char *word)
{
	struct conf_device dev;
	const char *why = conf_parse_device(word, &dev);

	for (unsigned int i = 0; !why && i < c->ndevs; i++)
		if (c->dev[i].minor == dev.minor)
			why = "there is one of that name already";
	if (why) {
		uhmm_err("--device %s: %s", word, why);
		return CONF_EXIT_USAGE;
	}
	c->dev[c->ndevs++] = dev;	/* minors differ, so there is room */
	return -1;
}

static void default_devices(struct conf *c)
{
	for (; c->ndevs < 4; c->ndevs++)
		c->dev[c->ndevs] = (struct conf_device){
			.minor = c->ndevs,
			.type = c->ndevs < 2 ? UHMM_MEMORY_DEVICE_PRIVATE :
					       UHMM_MEMORY_DEVICE_COHERENT,
			.bytes = c->ndevs < 2 ? UINT64_C(64) << 30 :
						UINT64_C(256) << 20,
		};
}

/* ---- the other options ---- */

static int take_loop(struct conf *c, const char *from, const char *word)
{
	static const char *const names[] = {
		[LOOP_AUTO] = "auto",
		[LOOP_URING] = "uring",
		[LOOP_EPOLL] = "epoll",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(word, names[i])) {
			c->loop = (enum loop_kind)i;
			return -1;
		}
	uhmm_err("%s %s: must be auto, uring or epoll", from, word);
	return CONF_EXIT_USAGE;
}

static int take_near(struct conf *c, const char *from, const char *word)
{
	for (int mode = NEAR_AUTO; mode <= NEAR_OFF; mode++)
		if (!strcmp(word, near_mode_name((enum near_mode)mode))) {
			c->near = (enum near_mode)mode;
			return -1;
		}
	uhmm_err("%s %s: must be auto, idle, spin or off", from, word);
	return CONF_EXIT_USAGE;
}

static int take_driver(struct conf *c, const char *word)
{
	if (c->ndrivers == CONF_DRIVERS_MAX) {
		uhmm_err("--driver %s: more than %d drivers", word,
			 CONF_DRIVERS_MAX);
		return CONF_EXIT_USAGE;
	}
	c->driver[c->ndrivers++] = word;
	return -1;
}

static const char *const engine_names[] = {
	[UHMM_ENGINE_AUTO] = "auto",
	[UHMM_ENGINE_MOVE] = "move",
	[UHMM_ENGINE_COPY] = "copy",
	[UHMM_ENGINE_PROTECT] = "protect",
};

const char *conf_engine_name(enum uhmm_engine_kind kind)
{
	return engine_names[kind];
}

static int take_engine(struct conf *c, const char *from, const char *word)
{
	for (size_t i = 0; i < sizeof(engine_names) / sizeof(engine_names[0]);
	     i++)
		if (!strcmp(word, engine_names[i])) {
			c->engine = (enum uhmm_engine_kind)i;
			return -1;
		}
	uhmm_err("%s %s: must be auto, move, copy or protect", from, word);
	return CONF_EXIT_USAGE;
}

static int take_socket(struct conf *c, const char *from, const char *word)
{
	if (word[0] == '@') {
		uhmm_err("%s %s: an abstract name has no mode that keeps "
			 "others out; use a path", from, word);
		return CONF_EXIT_USAGE;
	}
	if (word[0] && strlen(word) < sizeof(c->socket)) {
		memcpy(c->socket, word, strlen(word) + 1);
		return -1;
	}
	uhmm_err("%s %s: a path of 1 to %zu bytes; choose a shorter one", from,
		 word, sizeof(c->socket) - 1);
	return CONF_EXIT_USAGE;
}

static int take_fd(const char *option, const char *word, int *out)
{
	unsigned int n;

	if (!parse_number(word, INT_MAX, &n)) {
		uhmm_err("%s %s: must be the number of an open descriptor",
			 option, word);
		return CONF_EXIT_USAGE;
	}
	*out = (int)n;
	return -1;
}

static int take_workers(struct conf *c, const char *word)
{
	if (parse_number(word, CONF_WORKERS_MAX, &c->nworkers) && c->nworkers)
		return -1;
	uhmm_err("--workers %s: must be 1 to %d", word, CONF_WORKERS_MAX);
	return CONF_EXIT_USAGE;
}

static int take_policy(struct conf *c, const char *word)
{
	const char *why = c->npolicies < CONF_POLICIES_MAX ?
				  policy_conf_parse(word,
						    &c->policy[c->npolicies]) :
				  "there are too many";

	if (why) {
		uhmm_err("--policy %s: %s", word, why);
		return CONF_EXIT_USAGE;
	}
	c->npolicies++;
	return -1;
}

static int take_inject(struct conf *c, const char *from, const char *word)
{
	if (!uhmm_inject_parse(&c->inject, word))
		return -1;
	uhmm_err("%s %s: must be alloc, lock, slow or reply, =, and a number "
		 "from 1, with + for all after it", from, word);
	return CONF_EXIT_USAGE;
}

/* alloc=3,reply=1+ */
static int take_injects(struct conf *c, const char *from, const char *words)
{
	char one[64];
	int status = -1;

	while (status < 0 && *words) {
		size_t n = strcspn(words, ",");

		snprintf(one, sizeof(one), "%.*s", (int)n, words);
		status = take_inject(c, from, one);
		words += n + (words[n] == ',');
	}
	return status;
}

void conf_fini(struct conf *c)
{
	while (c->npolicies)
		policy_conf_fini(&c->policy[--c->npolicies]);
}

static int take(struct conf *c, int opt, const char *arg)
{
	switch (opt) {
	case OPT_SOCKET:
		return take_socket(c, "--socket", arg);
	case OPT_SOCKET_FD:
		return take_fd("--socket-fd", arg, &c->socket_fd);
	case OPT_READY_FD:
		return take_fd("--ready-fd", arg, &c->ready_fd);
	case OPT_DEVICE:
		return take_device(c, arg);
	case OPT_DRIVER:
		return take_driver(c, arg);
	case OPT_ENGINE:
		return take_engine(c, "--engine", arg);
	case OPT_LOOP:
		return take_loop(c, "--loop", arg);
	case OPT_NEAR:
		return take_near(c, "--near", arg);
	case OPT_WORKERS:
		return take_workers(c, arg);
	case OPT_POLICY:
		return take_policy(c, arg);
	case OPT_INJECT:
		return take_inject(c, "--inject", arg);
	case OPT_PARENT_DEATH:
		c->parent_death = true;
		return -1;
	case OPT_FOREGROUND:
		return -1;
	case OPT_HELP:
		fputs(help, stdout);
		return CONF_EXIT_OK;
	case OPT_VERSION:
		puts("uhmmd " UHMM_VERSION);
		return CONF_EXIT_OK;
	default:
		return CONF_EXIT_USAGE;	/* getopt has said it */
	}
}

/* ---- environment and defaults ---- */

void conf_default_socket(char *path, size_t bytes)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	unsigned int uid = (unsigned int)getuid();
	char user[64];
	struct stat st;
	int n;

	snprintf(user, sizeof(user), "/run/user/%u", uid);
	if (!base || base[0] != '/')
		base = stat(user, &st) == 0 ? user : NULL;
	n = base ? snprintf(path, bytes, "%s/uhmm/uhmmd.sock", base) : -1;
	if (n < 0 || (size_t)n >= bytes)
		snprintf(path, bytes, "/tmp/uhmm-%u/uhmmd.sock", uid);
}

static int take_environment(struct conf *c)
{
	const char *word;
	int status = -1;

	if ((word = getenv("UHMM_SOCKET")) && word[0])
		status = take_socket(c, "UHMM_SOCKET", word);
	if (status < 0 && (word = getenv("UHMM_LOOP")) && word[0])
		status = take_loop(c, "UHMM_LOOP", word);
	if (status < 0 && (word = getenv("UHMM_NEAR")) && word[0])
		status = take_near(c, "UHMM_NEAR", word);
	if (status < 0 && (word = getenv("UHMM_ENGINE")) && word[0])
		status = take_engine(c, "UHMM_ENGINE", word);
	if (status < 0 && (word = getenv("UHMM_INJECT")) && word[0])
		status = take_injects(c, "UHMM_INJECT", word);
	return status;
}

int conf_parse(struct conf *c, int argc, char **argv)
{
	int opt, status;

	*c = (struct conf){ .socket_fd = -1, .ready_fd = -1, .nworkers = 1 };
	conf_default_socket(c->socket, sizeof(c->socket));
	status = take_environment(c);
	while (status < 0 &&
	       (opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		status = take(c, opt, optarg);
	if (status < 0 && optind < argc) {
		uhmm_err("%s: no arguments expected; see uhmmd --help",
			 argv[optind]);
		status = CONF_EXIT_USAGE;
	}
	if (status < 0 && !c->ndevs)
		default_devices(c);
	return status;
}
