/*
 * warm.c - railhead warm NAME: hand in a release's list, and see it come.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli_int.h"

enum { DO_NOTHING, DO_RETRY, DO_HOLD, DO_RESUME, DO_VERIFY, DO_DELETE };
#define DO_WORDS "nothing|retry|hold|resume|verify|delete"

struct warm_options {
	struct client_spec client;
	const char *config;
	const char *name;
	struct list_file file;
	int what;
	bool waits;
	bool as_json;
};

/* "r7: warming, 12 of 14 images ready, 311 MiB of 2.1 GiB to go: why" */
static void
print_state(const char *name, const json_t *o)
{
	const char *why = answer_text(o, "why.text", NULL);
	char left[AMOUNT_TEXT_MAX], all[AMOUNT_TEXT_MAX], shown[ERR_TEXT_MAX];
	char state[SHOWN_MAX];

	printf("%s: %s, %llu of %llu images ready, %s of %s to go%s%s\n", name,
	    answer_show(o, "state", "?", state),
	    (unsigned long long)answer_number(o, "images.ready"),
	    (unsigned long long)answer_number(o, "images.total"),
	    answer_bytes(o, "bytes_missing", left),
	    answer_bytes(o, "bytes", all), why != NULL ? ": " : "",
	    why != NULL ? str_printable(str_of(why), shown, sizeof(shown))
			: "");
}

static void
print_verified(const char *name, const json_t *o)
{
	char bytes[AMOUNT_TEXT_MAX], why[SHOWN_MAX];

	printf("%s: %llu digests, %s read; %llu missing, %llu corrupt, %llu "
	       "unread%s%s\n",
	    name, (unsigned long long)answer_number(o, "digests"),
	    answer_bytes(o, "bytes", bytes),
	    (unsigned long long)answer_number(o, "missing"),
	    (unsigned long long)answer_number(o, "corrupt"),
	    (unsigned long long)answer_number(o, "unread"),
	    answer_get(o, "why") != NULL ? ": " : "",
	    answer_show(o, "why", "", why));
}

static void
print_answer(const struct warm_options *o, const json_t *answer)
{
	if (o->as_json)
		client_print(answer);
	else if (o->what == DO_VERIFY)
		print_verified(o->name, answer);
	else if (o->what == DO_DELETE)
		printf("%s: deleted\n", o->name);
	else
		print_state(o->name, answer);
}

/* Says the word, or asks how it is. */
static json_t *
say(const struct warm_options *o, struct client *c, struct err *err)
{
	static const char *const tails[] = { [DO_NOTHING] = "",
		[DO_RETRY] = "/retry",
		[DO_HOLD] = "/hold",
		[DO_RESUME] = "/resume",
		[DO_VERIFY] = "/verify",
		[DO_DELETE] = "" };
	char path[RELEASE_PATH_MAX];

	if (release_path(o->name, tails[o->what], path) != 0) {
		(void)err_set(err, ERR_BAD_REQUEST, "the name is too long");
		return NULL;
	}
	if (o->what == DO_NOTHING)
		return client_get(c, path, err);
	if (o->what == DO_VERIFY)
		client_set_patience(c, 0);
	return client_send(c, o->what == DO_DELETE ? "DELETE" : "POST", path,
	    NULL, STR(""), err);
}

static int
run_warm(struct warm_options *o)
{
	char url[ADMIN_URL_MAX];
	struct client *c = client_open("warm", &o->client, o->config, url);
	int status = EXIT_YES;
	struct err err;
	json_t *answer;

	if (c == NULL)
		return EXIT_USAGE;
	if (o->file.path != NULL) {
		answer =
		    list_file_put(&o->file, c, "warm", o->name, "", &status);
	} else {
		answer = say(o, c, &err);
		if (answer == NULL)
			status = client_exit("warm", &err);
	}
	client_free(c);
	if (answer == NULL)
		return status;
	if (!o->waits || !o->as_json)
		print_answer(o, answer);
	json_decref(answer);
	return o->waits ? watch_release(&o->client, o->name, o->as_json)
			: EXIT_YES;
}

int
cli_warm(int argc, char **argv)
{
	struct warm_options o = { .config = NULL };
	/* clang-format off */
	const struct option_row rows[] = {
		LIST_OPTIONS(o.file),
		{ "wait", OPTION_FLAG,   &o.waits, NULL,     "until it is ready or failed, telling how it goes" },
		{ "do",   OPTION_CHOICE, &o.what,  DO_WORDS, "with a release that is there, instead of -f" },
		CLIENT_OPTIONS(o.client, o.config, o.as_json),
	};
	/* clang-format on */
	const struct option_table table = { "warm",
		"Brings a release in, and keeps it: -f hands its list to the "
		"mirror.  Without -f,\ntells how it is.  Exit status: 0 done "
		"(with --wait: ready), 1 there is none, or it\nfailed, 2 wrong "
		"use or a wrong list, 3 the mirror can't be reached.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options_and(&table, "NAME", &o.name, argc, argv, &status))
		return status;
	if (o.file.path != NULL && o.what != DO_NOTHING)
		return cli_fail(EXIT_USAGE, "warm", "-f and --do do not mix");
	return run_warm(&o);
}
