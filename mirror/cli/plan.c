/*
 * plan.c - railhead plan NAME -f FILE: what a release would cost, and when it
 * would be here.  Nothing is started.
 */

#include "cli/cli.h"
#include "cli_int.h"
#include "common/amount.h"
#include "common/buf.h"
#include "common/uri.h"

struct plan_options {
	struct client_spec client;
	const char *config;
	const char *name;
	struct list_file file;
	const char *stores;
	bool as_json;
};

/* "4 min at 80 Mbit" */
static void
print_stretch(const json_t *o)
{
	const json_t *rate = json_object_get(o, "bytes_per_second");
	const json_t *s = json_object_get(o, "seconds");
	char time[AMOUNT_TEXT_MAX], at[AMOUNT_TEXT_MAX], when[SHOWN_MAX];

	printf("    %-20s %-10s", answer_show(o, "when", "", when),
	    json_is_null(rate)
		? "unlimited"
		: amount_rate(answer_number(o, "bytes_per_second"), at));
	printf(" %s\n",
	    json_is_null(s) ? "never"
			    : amount_duration(json_integer_value(s), time));
}

static void
print_without(const json_t *o)
{
	const json_t *s = json_object_get(o, "seconds");
	char line[AMOUNT_TEXT_MAX], time[AMOUNT_TEXT_MAX];

	printf("    %llu stores without the mirror: %s on the line, %s\n",
	    (unsigned long long)answer_number(o, "stores"),
	    answer_bytes(o, "line_bytes", line),
	    json_is_null(s) ? "never done"
			    : amount_duration(json_integer_value(s), time));
}

static void
print_link(const json_t *o)
{
	const json_t *rates = json_object_get(o, "rates");
	char missing[AMOUNT_TEXT_MAX], line[AMOUNT_TEXT_MAX];
	char name[SHOWN_MAX], ready[SHOWN_MAX], why[SHOWN_MAX];

	printf("  %s: %s to come, %s on the line; ready at %s\n",
	    answer_show(o, "link", "no link", name),
	    answer_bytes(o, "bytes_missing", missing),
	    answer_bytes(o, "line_bytes", line),
	    answer_show(o, "ready_at",
		answer_show(o, "never_because", "never", why), ready));
	for (size_t i = 0; i < json_array_size(rates); i++)
		print_stretch(json_array_get(rates, i));
	if (json_is_object(json_object_get(o, "without_mirror")))
		print_without(json_object_get(o, "without_mirror"));
}

static void
print_upstream(const json_t *o)
{
	char all[AMOUNT_TEXT_MAX], missing[AMOUNT_TEXT_MAX], name[SHOWN_MAX];

	printf("  %s: %s, of which %s to come\n",
	    answer_show(o, "upstream", "?", name),
	    answer_bytes(o, "bytes", all),
	    answer_bytes(o, "bytes_missing", missing));
}

static void
print_image(const json_t *o)
{
	char all[AMOUNT_TEXT_MAX], missing[AMOUNT_TEXT_MAX];
	char name[SHOWN_MAX], why[SHOWN_MAX] = "";
	const json_t *reason = json_object_get(o, "why");

	if (json_is_object(reason))
		(void)answer_show(reason, "text", "", why);
	printf("  %10s  %10s  %s%s%s\n", answer_bytes(o, "bytes", all),
	    answer_bytes(o, "bytes_missing", missing),
	    answer_show(o, "image", "?", name), why[0] != '\0' ? ": " : "",
	    why);
}

static void
print_each(const char *title, const json_t *all, void (*print)(const json_t *))
{
	printf("%s\n", title);
	for (size_t i = 0; i < json_array_size(all); i++)
		print(json_array_get(all, i));
}

static void
print_plan(const json_t *o)
{
	const json_t *holds = json_object_get(o, "deadline_holds");
	char a[AMOUNT_TEXT_MAX], b[AMOUNT_TEXT_MAX], c[AMOUNT_TEXT_MAX];
	char d[AMOUNT_TEXT_MAX], at[SHOWN_MAX], deadline[SHOWN_MAX];

	printf("%s in all, %s unique, %s here, %s to come%s\n",
	    answer_bytes(o, "bytes", a), answer_bytes(o, "bytes_unique", b),
	    answer_bytes(o, "bytes_here", c),
	    answer_bytes(o, "bytes_missing", d),
	    json_is_true(json_object_get(o, "bytes_known"))
		? ""
		: " (at least: not all manifests are known)");
	print_each("links", json_object_get(o, "links"), print_link);
	print_each(
	    "upstreams", json_object_get(o, "upstreams"), print_upstream);
	print_each(
	    "images (all, to come)", json_object_get(o, "images"), print_image);
	printf("ready at %s", answer_show(o, "ready_at", "no time", at));
	if (!json_is_null(holds))
		printf("; the deadline %s %s",
		    answer_show(o, "deadline", "", deadline),
		    json_is_true(holds) ? "holds" : "DOES NOT HOLD");
	printf("\n");
}

static int
run_plan(struct plan_options *o)
{
	char url[ADMIN_URL_MAX], more[128];
	struct client *c;
	int status = EXIT_YES;
	json_t *answer;
	size_t n;

	n = (size_t)snprintf(more, sizeof(more), "dry_run=true%s%s",
	    o->stores != NULL ? "&stores=" : "",
	    o->stores != NULL ? o->stores : "");
	if (n >= sizeof(more))
		return cli_fail(EXIT_USAGE, "plan", "--stores is a number");
	c = client_open("plan", &o->client, o->config, url);
	if (c == NULL)
		return EXIT_USAGE;
	answer = list_file_put(&o->file, c, "plan", o->name, more, &status);
	client_free(c);
	if (answer == NULL)
		return status;
	if (o->as_json)
		client_print(answer);
	else
		print_plan(answer);
	status = json_is_false(json_object_get(answer, "deadline_holds"))
	    ? EXIT_NO
	    : EXIT_YES;
	json_decref(answer);
	return status;
}

int
cli_plan(int argc, char **argv)
{
	struct plan_options o = { .config = NULL };
	/* clang-format off */
	const struct option_row rows[] = {
		LIST_OPTIONS(o.file),
		{ "stores", OPTION_TEXT, &o.stores, "N", "tell what so many stores would cost the links without the mirror" },
		CLIENT_OPTIONS(o.client, o.config, o.as_json),
	};
	/* clang-format on */
	const struct option_table table = { "plan",
		"Tells what a release would cost: bytes, time on each link at "
		"each of its rates,\nwhether the deadline holds.  Upstreams "
		"are asked only for manifests that are not\nhere.  Exit "
		"status: 0 done, 1 the deadline does not hold, 2 wrong use or "
		"a wrong\nlist, 3 the mirror can't be reached.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	uint64_t n;
	int status;

	if (!cli_options_and(&table, "NAME", &o.name, argc, argv, &status))
		return status;
	if (o.file.path == NULL)
		return cli_fail(EXIT_USAGE, "plan", "-f FILE is missing");
	if (o.stores != NULL && !str_u64(str_of(o.stores), &n))
		return cli_fail(EXIT_USAGE, "plan", "--stores is a number");
	return run_plan(&o);
}
