/*
 * freeze.c - railhead freeze: close all gates and stop bringing releases in,
 * until it is lifted.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli_int.h"

#define PATH "/v1/freeze"

struct freeze_options {
	struct client_spec client;
	const char *config;
	const char *reason;
	const char *until;
	bool lifts;
	bool as_json;
};

static json_t *
put(const struct freeze_options *o, struct client *c, struct err *err)
{
	json_t *body =
	    json_pack("{s:s, s:s?}", "reason", o->reason, "until", o->until);
	char *text = body != NULL ? json_dumps(body, 0) : NULL;
	json_t *answer = NULL;

	if (text != NULL)
		answer = client_send(
		    c, "PUT", PATH, "application/json", str_of(text), err);
	else
		(void)err_set(err, ERR_BAD_REQUEST, "the reason is not UTF-8");
	free(text);
	json_decref(body);
	return answer;
}

static void
print_freeze(const json_t *o)
{
	char shown[ERR_TEXT_MAX], by[SHOWN_MAX], until[SHOWN_MAX];
	const char *reason = answer_text(o, "reason", "");

	if (!json_is_true(json_object_get(o, "frozen"))) {
		printf("not frozen\n");
		return;
	}
	printf("frozen until %s by %s: %s\n",
	    answer_show(o, "until", "lifted", until),
	    answer_show(o, "by", "", by),
	    str_printable(str_of(reason), shown, sizeof(shown)));
}

static int
run_freeze(struct freeze_options *o)
{
	char url[ADMIN_URL_MAX];
	struct client *c = client_open("freeze", &o->client, o->config, url);
	struct err err;
	json_t *answer;

	if (c == NULL)
		return EXIT_USAGE;
	if (o->lifts)
		answer = client_send(c, "DELETE", PATH, NULL, STR(""), &err);
	else if (o->reason != NULL)
		answer = put(o, c, &err);
	else
		answer = client_get(c, PATH, &err);
	client_free(c);
	if (answer == NULL)
		return client_exit("freeze", &err);
	if (o->as_json)
		client_print(answer);
	else
		print_freeze(answer);
	json_decref(answer);
	return EXIT_YES;
}

int
cli_freeze(int argc, char **argv)
{
	struct freeze_options o = { .config = NULL };
	/* clang-format off */
	const struct option_row rows[] = {
		{ "reason", OPTION_TEXT, &o.reason, "TEXT", "freeze; whoever finds a gate closed will read this" },
		{ "until",  OPTION_TEXT, &o.until,  "TIME", "a time, or a duration from now like 4h (default: until lifted)" },
		{ "lift",   OPTION_FLAG, &o.lifts,  NULL,   "thaw" },
		CLIENT_OPTIONS(o.client, o.config, o.as_json),
	};
	/* clang-format on */
	const struct option_table table = { "freeze",
		"Closes all gates and stops bringing releases in; stores are "
		"served as ever.  With\nneither --reason nor --lift, tells how "
		"it is.  Exit status: 0 done, 2 wrong use,\n3 the mirror can't "
		"be reached.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	if ((o.lifts && o.reason != NULL) ||
	    (o.until != NULL && o.reason == NULL))
		return cli_fail(EXIT_USAGE, "freeze",
		    "it is --reason TEXT [--until TIME], or --lift");
	return run_freeze(&o);
}
