/*
 * plan.c - which requests to send.
 */
#include "plan.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 12

struct reader {
	struct plan plan;
	size_t room;
	const char *path;
	const char *host;
	bool is_one_shot;
};

static struct request *
append(struct reader *r)
{
	if (r->plan.n == r->room) {
		r->room = r->room > 0 ? r->room * 2 : 16;
		r->plan.requests = reallocarray(
		    r->plan.requests, r->room, sizeof(*r->plan.requests));
		if (r->plan.requests == NULL)
			err(2, "%s has too many lines", r->path);
	}
	return memset(
	    &r->plan.requests[r->plan.n++], 0, sizeof(*r->plan.requests));
}

static void
write_request(
    struct request *q, const struct reader *r, char **words, int n_words)
{
	FILE *out = open_memstream(&q->bytes, &q->n);
	int i;

	if (out == NULL)
		err(2, "no memory for a request");
	fprintf(
	    out, "%s %s HTTP/1.1\r\nHost: %s\r\n", words[0], words[1], r->host);
	for (i = 4; i < n_words; i++)
		fprintf(out, "%s\r\n", words[i]);
	fprintf(out, "%s\r\n", r->is_one_shot ? "Connection: close\r\n" : "");
	if (fclose(out) != 0)
		err(2, "no memory for a request");
}

static void
read_line(struct reader *r, char *line)
{
	char *words[WORDS_MAX], *rest = line;
	struct request *q;
	int n = 0;

	while (n < WORDS_MAX && (words[n] = strsep(&rest, " \n")) != NULL)
		n += *words[n] != '\0';
	if (n == 1 && strcmp(words[0], "-") == 0 && r->plan.n > 0) {
		r->plan.requests[r->plan.n - 1].is_part_end = true;
		return;
	}
	if (n < 4)
		errx(2, "%s: a line is METHOD TARGET STATUS LENGTH", r->path);
	q = append(r);
	q->is_head = strcmp(words[0], "HEAD") == 0;
	q->status = (int)strtol(words[2], NULL, 10);
	q->length = strtoll(words[3], NULL, 10);
	write_request(q, r, words, n);
}

struct plan
plan_read(const char *path, const char *host, bool is_one_shot)
{
	struct reader r = {
		.path = path, .host = host, .is_one_shot = is_one_shot
	};
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;

	if (in == NULL)
		err(2, "%s", path);
	while (getline(&line, &room, in) > 0)
		read_line(&r, line);
	free(line);
	(void)fclose(in);
	if (r.plan.n == 0)
		errx(2, "%s is empty", path);
	r.plan.requests[r.plan.n - 1].is_part_end = true;
	return r.plan;
}

void
plan_done(struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->requests[i].bytes);
	free(p->requests);
}
