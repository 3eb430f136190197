/* SPDX-License-Identifier: MIT */
/* conf.c - run a table of cases (conf.h) */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A case has so long; the machine may be busy with others. */
#define CASE_SECONDS 50

enum outcome {
	PASS,
	FAIL,
	SKIP,
};

static const char *const outcomes[] = { "pass", "fail", "skip" };

static bool is_meant(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

static enum outcome run(const struct conf_table *table,
			const struct conf_case *c)
{
	char name[128];
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(name, sizeof(name), "%s: %s", table->program,
			 c->name);
		probe_begin(name, CASE_SECONDS);
		if (table->set_up)
			table->set_up();
		c->run();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return FAIL;
	if (WIFSIGNALED(status))
		printf("%s: %s: killed by signal %d\n", table->program,
		       c->name, WTERMSIG(status));
	if (!WIFEXITED(status))
		return FAIL;
	return WEXITSTATUS(status) == 0	 ? PASS :
	       WEXITSTATUS(status) == 77 ? SKIP :
					   FAIL;
}

static void list(const struct conf_table *table)
{
	for (size_t i = 0; i < table->ncases; i++)
		printf("%s\t%s\n", table->cases[i].name, table->cases[i].what);
}

int conf_main(int argc, char **argv, const struct conf_table *table)
{
	const char *path = getenv("CONF_RESULTS");
	FILE *results = path ? fopen(path, "we") : NULL;
	size_t count[3] = { 0 };

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list(table);
		return 0;
	}
	if (path && !results) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 2;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < table->ncases; i++) {
		const struct conf_case *c = &table->cases[i];
		enum outcome outcome;

		if (!is_meant(argc, argv, c->name))
			continue;
		outcome = run(table, c);
		count[outcome]++;
		printf("%s %s: %s\n", outcomes[outcome], c->name, c->what);
		if (results)
			fprintf(results, "%s\t%s\t%s\n", outcomes[outcome],
				c->name, c->what);
	}
	if (results)
		fclose(results);
	if (count[PASS] + count[FAIL] + count[SKIP] == 0) {
		fprintf(stderr, "%s: no such case\n", table->program);
		return 2;
	}
	printf("%s: %zu passed, %zu failed, %zu skipped\n", table->program,
	       count[PASS], count[FAIL], count[SKIP]);
	return count[FAIL] ? 1 : count[PASS] ? 0 : 77;
}
