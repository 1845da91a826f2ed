/*
 * watch.c - how a release comes in, from its events: bars on a terminal
 * (progress.c), one line per change on a pipe.
 *
 * When the stream ends early (the mirror was restarted), it is asked for again;
 * a mirror that can't be reached TRIES times in a row is given up.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/amount.h"
#include "common/clock.h"
#include "common/map.h"
#include "progress.h"

#define TRIES 10
#define TRY_AGAIN_MS 2000
#define IMAGES_MAX 20000

struct watch {
	const char *name;
	bool as_json;
	struct progress *progress; /* owned; NULL: lines */
	struct map *states;        /* of images: string literals */
	char state[32];            /* of the release, as told last */
	int status;                /* -1: goes on */
	bool has_heard;
};

/* ---- lines -------------------------------------------------------------- */

static void
print_why(const json_t *o)
{
	char shown[ERR_TEXT_MAX];
	const char *why = answer_text(o, "why.text", NULL);

	if (why != NULL)
		printf(
		    ": %s", str_printable(str_of(why), shown, sizeof(shown)));
	printf("\n");
	(void)fflush(stdout);
}

/* The word itself, for as long as the process lives. */
static const char *
literal(const char *state)
{
	static const char *const states[] = { "pending", "warming", "waiting",
		"ready", "failed", "held" };

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(state, states[i]) == 0)
			return states[i];
	return "unknown";
}

static void
tell_image(struct watch *w, const json_t *image)
{
	const char *state = literal(answer_text(image, "state", ""));
	const char *name = answer_text(image, "image", "");
	const char *before;
	char key[32], shown[700];
	int n = snprintf(key, sizeof(key), "%llu",
	    (unsigned long long)answer_number(image, "index"));

	before = map_find(w->states, key, (size_t)n);
	if (before != NULL && strcmp(before, state) == 0)
		return;
	(void)map_put(w->states, key, (size_t)n, (void *)state);
	printf(
	    "%s: %s", str_printable(str_of(name), shown, sizeof(shown)), state);
	print_why(image);
}

static void
tell_release(struct watch *w, const json_t *o)
{
	char left[AMOUNT_TEXT_MAX], all[AMOUNT_TEXT_MAX];
	const char *state = answer_text(o, "state", "");

	if (strcmp(w->state, state) == 0)
		return;
	(void)str_printable(str_of(state), w->state, sizeof(w->state));
	printf("%s: %s, %s of %s to go", w->name, w->state,
	    amount_bytes(answer_number(o, "bytes_missing"), left),
	    amount_bytes(answer_number(o, "bytes"), all));
	print_why(o);
}

static void
tell(struct watch *w, const json_t *o)
{
	const json_t *list = json_object_get(o, "list");

	if (w->as_json) {
		(void)json_dumpf(o, stdout, JSON_COMPACT);
		printf("\n");
		(void)fflush(stdout);
		return;
	}
	if (w->progress != NULL) {
		progress_show(w->progress, o);
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		tell_image(w, json_array_get(list, i));
	tell_release(w, o);
}

/* ---- events ------------------------------------------------------------- */

/* Still, something of it may have failed while the rest goes on. */
static int
status_of(const json_t *o)
{
	const char *state = answer_text(o, "state", "");

	if (strcmp(state, "ready") == 0)
		return EXIT_YES;
	return strcmp(state, "failed") == 0 ? EXIT_NO : -1;
}

static bool
on_event(void *arg, const char *event, const json_t *data)
{
	struct watch *w = arg;

	w->has_heard = true;
	if (strcmp(event, "gone") == 0) {
		w->status = cli_fail(EXIT_NO, "warm", "it was deleted");
		return false;
	}
	if (strcmp(event, "state") != 0)
		return true;
	tell(w, data);
	w->status = status_of(data);
	return w->status < 0;
}

static int
listen_on(struct watch *w, struct client *c, const char *path)
{
	struct err err;
	unsigned n_failed = 0;

	while (w->status < 0) {
		w->has_heard = false;
		if (client_listen(c, path, on_event, w, &err) == 0)
			n_failed = 0;
		else if (err.code != ERR_UPSTREAM_DOWN)
			return client_exit("warm", &err);
		else
			n_failed = w->has_heard ? 0 : n_failed + 1;
		if (n_failed == TRIES)
			return client_exit("warm", &err);
		if (w->status < 0)
			(void)poll(NULL, 0, TRY_AGAIN_MS);
	}
	return w->status;
}

int
watch_release(const struct client_spec *spec, const char *name, bool as_json)
{
	struct watch w = { .name = name, .as_json = as_json, .status = -1 };
	char path[RELEASE_PATH_MAX];
	struct client *c;
	struct err err;
	int status;

	if (release_path(name, "/events", path) != 0)
		return cli_fail(EXIT_USAGE, "warm", "the name is too long");
	c = client_new(spec, &err);
	if (c == NULL)
		return client_exit("warm", &err);
	w.states = map_new(IMAGES_MAX);
	if (!as_json && isatty(STDOUT_FILENO))
		w.progress = progress_new(spec);
	status = w.states != NULL ? listen_on(&w, c, path)
				  : cli_fail(EXIT_NO, "warm", "no memory");
	progress_free(w.progress);
	map_free(w.states);
	client_free(c);
	return status;
}
