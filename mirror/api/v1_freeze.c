/*
 * v1_freeze.c - GET, PUT and DELETE /v1/freeze: an operator's declared stop.
 *
 *	{"reason": "power cut in the region", "until": "2026-11-23T06:00:00Z"}
 *	until may be a time, a duration from now ("4h"), or null: until lifted
 */
#include <stdio.h>

#include "common/clock.h"
#include "common/units.h"
#include "releases_int.h"

static void
answer(struct release_ask *ask)
{
	admin_reply_json(
	    ask->exchange, 200, json_freeze(&ask->call.overview->freeze));
}

void
v1_freeze(struct admin *a, struct exchange *e)
{
	struct release_ask *ask = ask_new(a, e, RELEASES_LIST, answer);

	if (ask != NULL)
		ask_send(ask);
}

/* ---- what is asked ------------------------------------------------------ */

static int
read_reason(struct freeze *f, const json_t *value, struct err *err)
{
	const char *text = json_string_value(value);

	if (text == NULL || text[0] == '\0')
		return err_set(err, ERR_BAD_REQUEST,
		    "a freeze has a reason: whoever finds a gate closed will "
		    "read it");
	(void)str_printable(str_of(text), f->reason, sizeof(f->reason));
	return 0;
}

static int
read_until(struct freeze *f, const json_t *value, struct err *err)
{
	const char *text = json_string_value(value);
	uint64_t ms;

	f->until = 0;
	if (value == NULL || json_is_null(value))
		return 0;
	if (text != NULL && units_duration(str_of(text), &ms) && ms >= 1000)
		f->until = f->since + (int64_t)(ms / 1000);
	else if (text == NULL || !units_moment(str_of(text), &f->until))
		return err_set(err, ERR_BAD_REQUEST,
		    "until is a time like 2026-11-22T02:00:00Z, a duration "
		    "from now like 4h, or null");
	if (f->until > f->since)
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "until is in the past");
}

static int
read_freeze(
    struct freeze *f, const json_t *body, const char **field, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)body, key, value)
	{
		*field = "body";
		if (!str_eqz(str_of(key), "reason") &&
		    !str_eqz(str_of(key), "until"))
			return err_set(err, ERR_BAD_REQUEST,
			    "a freeze has reason and until, and nothing else");
	}
	*field = "reason";
	if (read_reason(f, json_object_get(body, "reason"), err) != 0)
		return -1;
	*field = "until";
	return read_until(f, json_object_get(body, "until"), err);
}

void
v1_freeze_put(struct admin *a, struct exchange *e)
{
	struct str text = e->request.body;
	struct freeze f = { .is_on = true, .since = clock_wall_s() };
	json_t *body = json_loadb(
	    text.n > 0 ? text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);
	struct release_ask *ask = NULL;
	const char *field = NULL;
	struct err err;

	if (read_freeze(&f, body, &field, &err) != 0)
		admin_fail(e, &err, field);
	else
		ask = ask_new(a, e, RELEASES_FREEZE, answer);
	json_decref(body);
	if (ask == NULL)
		return;
	(void)snprintf(f.by, sizeof(f.by), "%s", ask->call.by);
	ask->call.freeze = f;
	ask_send(ask);
}

void
v1_freeze_delete(struct admin *a, struct exchange *e)
{
	struct release_ask *ask = ask_new(a, e, RELEASES_THAW, answer);

	if (ask != NULL)
		ask_send(ask);
}
