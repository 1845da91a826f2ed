/*
 * release_json.c - releases, images, digests and the freeze as JSON.
 */
#include "common/check.h"
#include "releases_int.h"

/* Null when there is nothing to say. */
static json_t *
json_why(const char *code, const char *text)
{
	if (code[0] == '\0')
		return json_null();
	return json_pack(
	    "{s:s, s:o}", "code", code, "text", admin_json_text(text));
}

static void
add(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static void
add_number(json_t *object, const char *key, uint64_t n)
{
	add(object, key, json_integer((json_int_t)n));
}

static json_t *
json_in_states(const struct release_summary *s)
{
	json_t *all = json_pack("{s:I}", "total", (json_int_t)s->n_images);

	for (int i = 0; i < RELEASE_STATE_COUNT; i++)
		add_number(all, release_state_name((enum release_state)i),
		    s->n_in_state[i]);
	return all;
}

static void
add_times(json_t *o, const struct release_summary *s)
{
	const struct {
		const char *key;
		int64_t at;
	} times[] = {
		{ "published_at", s->published_at },
		{ "not_before", s->not_before },
		{ "deadline", s->deadline },
		{ "pin_until", s->pin_until },
		{ "accepted_at", s->accepted_at },
		{ "begun_at", s->begun_at },
		{ "ready_at", s->ready_at },
		{ "lost_at", s->lost_at },
		{ "window_at", s->window_at },
		{ "next_try_at", s->next_try_at },
		{ "seen_at", s->seen_at },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		add(o, times[i].key, admin_json_time(times[i].at));
}

json_t *
json_summary(const struct release_summary *s)
{
	json_t *o = json_pack("{s:s, s:s}", "release", s->name, "state",
	    release_state_name(s->state));

	add(o, "why", json_why(s->why.code, s->why.text));
	add(o, "images", json_in_states(s));
	add_number(o, "digests", s->counts.n_digests);
	add_number(o, "digests_missing", s->counts.n_missing);
	add_number(o, "bytes", s->counts.bytes);
	add_number(o, "bytes_missing", s->counts.missing_bytes);
	add_number(o, "bytes_coming", s->coming_bytes);
	add(o, "bytes_known", json_boolean(s->is_known));
	add(o, "lag_seconds", json_integer(s->lag_s));
	add(o, "published_in_future", json_boolean(s->is_in_future));
	add_number(o, "priority", s->priority);
	add(o, "catch_up", json_string(catch_up_name(s->catch_up)));
	add(o, "missed_window", json_boolean(s->has_missed));
	add(o, "held_by",
	    s->held_by[0] != '\0' ? admin_json_text(s->held_by) : json_null());
	add_times(o, s);
	return o;
}

json_t *
json_image(const struct release_image_view *v)
{
	json_t *o = json_pack("{s:I, s:s, s:s}", "index", (json_int_t)v->index,
	    "image", v->reference, "state", release_state_name(v->state));

	add(o, "why", json_why(v->code, v->text));
	add_number(o, "digests", v->n_digests);
	add_number(o, "digests_missing", v->n_missing);
	add_number(o, "bytes", v->bytes);
	add_number(o, "bytes_missing", v->missing_bytes);
	add_number(o, "bytes_coming", v->coming_bytes);
	add(o, "bytes_known", json_boolean(v->is_known));
	add(o, "next_try_at", admin_json_time(v->next_try_at));
	return o;
}

json_t *
json_digest(const struct release_digest_view *v)
{
	char digest[DIGEST_TEXT_MAX];
	json_t *o = json_pack("{s:s, s:s, s:s}", "digest",
	    digest_text(&v->digest, digest), "part", release_part_name(v->part),
	    "state", release_state_name(v->state));

	add(o, "why", json_why(v->code, v->text));
	add_number(o, "bytes", v->size);
	add_number(o, "bytes_coming", v->coming_bytes);
	add(o, "next_try_at", admin_json_time(v->next_try_at));
	return o;
}

json_t *
json_freeze(const struct freeze *f)
{
	if (!f->is_on)
		return json_pack("{s:b}", "frozen", false);
	return json_pack("{s:b, s:o, s:o, s:o, s:o}", "frozen", true, "reason",
	    admin_json_text(f->reason), "by", admin_json_text(f->by), "since",
	    admin_json_time(f->since), "until", admin_json_time(f->until));
}

static bool
find_state(struct str text, unsigned *bits)
{
	for (int i = 0; i < RELEASE_STATE_COUNT; i++)
		if (str_eqz(text, release_state_name((enum release_state)i))) {
			*bits |= 1u << i;
			return true;
		}
	return false;
}

int
json_states(struct str text, unsigned *bits, struct err *err)
{
	struct str piece;
	char shown[64];

	while (str_cut(&text, ',', &piece))
		if (!find_state(piece, bits))
			return err_set(err, ERR_BAD_REQUEST,
			    "a state is pending, warming, waiting, ready, "
			    "failed or held, not \"%s\"",
			    str_printable(piece, shown, sizeof(shown)));
	return 0;
}
