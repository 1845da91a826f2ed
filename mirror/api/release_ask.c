/*
 * release_ask.c - asks the releases on behalf of a request.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "releases_int.h"

/* ---- answers of all ----------------------------------------------------- */

static json_t *
json_fault(const struct release_fault *f)
{
	return json_pack("{s:s, s:o, s:s?, s:o}", "code", err_oci_code(f->code),
	    "message", admin_json_text(f->text), "field",
	    f->field[0] != '\0' ? f->field : NULL, "line",
	    f->line > 0 ? json_integer(f->line) : json_null());
}

void
ask_fail_faults(struct exchange *e, const struct release_faults *faults)
{
	json_t *all = json_array();

	for (size_t i = 0; i < faults->n; i++)
		(void)json_array_append_new(all, json_fault(&faults->all[i]));
	admin_reply_json(e, 400,
	    json_pack("{s:o, s:I}", "errors", all, "found",
		(json_int_t)faults->n_found));
}

static void
fail(struct release_ask *ask)
{
	if (ask->failed != NULL)
		ask->failed(ask);
	else if (ask->call.faults.n > 0)
		ask_fail_faults(ask->exchange, &ask->call.faults);
	else
		admin_fail(ask->exchange, &ask->call.error, NULL);
}

/* ---- there and back ----------------------------------------------------- */

static void
on_ended(struct exchange *e, enum exchange_end end)
{
	struct release_ask *ask = e->owner;

	(void)end;
	ask->exchange = NULL;
}

void
ask_free(struct release_ask *ask)
{
	release_call_done(&ask->call);
	if (ask->done != NULL)
		ask->done(ask->arg);
	free(ask);
}

void
ask_keep(struct release_ask *ask)
{
	ask->is_kept = true;
	if (ask->exchange == NULL)
		return;
	ask->exchange->owner = ask;
	ask->exchange->on_end = on_ended;
}

static void
on_done(struct release_call *call)
{
	struct release_ask *ask = container_of(call, struct release_ask, call);
	struct exchange *e = ask->exchange;

	ask->is_kept = false;
	if (e != NULL) {
		e->owner = NULL;
		e->on_end = NULL;
		if (call->error.code != ERR_NONE)
			fail(ask);
		else
			ask->answer(ask);
	}
	if (!ask->is_kept)
		ask_free(ask);
}

void
ask_send(struct release_ask *ask)
{
	ask->call.home = ask->admin->spec.admin;
	ask->call.done = on_done;
	ask_keep(ask);
	releases_call(ask->admin->spec.releases, &ask->call);
}

void
ask_again(struct release_ask *ask, enum release_verb verb, ask_fn *answer)
{
	release_view_unref(ask->call.view);
	release_overview_unref(ask->call.overview);
	ask->call.view = NULL;
	ask->call.overview = NULL;
	ask->call.verb = verb;
	ask->answer = answer;
	ask_send(ask);
}

/* ---- what is asked ------------------------------------------------------ */

bool
ask_name(struct exchange *e, char name[RELEASE_NAME_MAX + 1])
{
	struct str rest = str_from(e->request.path, sizeof(RELEASES_PATH) - 1);
	struct str text;
	char shown[RELEASE_NAME_MAX + 40];
	struct err err;

	(void)str_cut(&rest, '/', &text);
	if (release_name_is_valid(text)) {
		memcpy(name, text.p, text.n);
		name[text.n] = '\0';
		return true;
	}
	(void)err_set(&err, ERR_BAD_REQUEST,
	    "\"%s\" is no name of a release: 1 to %d of A-Z a-z 0-9 . _ -, "
	    "not beginning with . or -",
	    str_printable(text, shown, sizeof(shown)), RELEASE_NAME_MAX);
	admin_fail(e, &err, "name");
	return false;
}

struct release_ask *
ask_new(
    struct admin *a, struct exchange *e, enum release_verb verb, ask_fn *answer)
{
	struct release_ask *ask = calloc(1, sizeof(*ask));
	bool is_of_all = verb == RELEASES_LIST || verb == RELEASES_FREEZE ||
	    verb == RELEASES_THAW;
	struct err err;

	if (ask == NULL) {
		(void)err_set(
		    &err, ERR_NO_MEMORY, "no memory to ask the releases");
		admin_fail(e, &err, NULL);
		return NULL;
	}
	if (!is_of_all && !ask_name(e, ask->call.name)) {
		free(ask);
		return NULL;
	}
	ask->admin = a;
	ask->exchange = e;
	ask->answer = answer;
	ask->call.verb = verb;
	admin_caller(a, e, ask->call.by, sizeof(ask->call.by));
	return ask;
}
