/*
 * lane.c - the transfers of a fill.
 *
 * on_head and on_bytes are called by libcurl: they look and store, and wake the
 * fill from the loop where there is more to do.
 */
#include "lane.h"

#include <string.h>

#include "common/check.h"
#include "common/metrics.h"
#include "fill_int.h"

/* ---- heads --------------------------------------------------------------- */

static int
ask_again(struct lane *l, struct err *err, const char *why)
{
	l->asks_again = true;
	return err_set(
	    err, ERR_UPSTREAM_BROKEN, "%s %s", l->fill->endpoint->name, why);
}

/* A 200 whose validator is another one than ours would bring all again.  Since
 * it is the digest that decides what is right, we ask for the rest once more,
 * without If-Range.  One that only ignores Range is read from the start. */
static int
check_validator(struct lane *l, const struct fetch_head *head, struct err *err)
{
	struct validator *v = &l->fill->validator;

	if (l->shows_validator && head->status == 200 &&
	    !str_eqz(head->etag, v->etag)) {
		v->is_useless = true;
		return ask_again(
		    l, err, "calls the blob otherwise than before");
	}
	if (head->etag.n == 0 || head->etag.n > VALIDATOR_MAX)
		return 0;
	memcpy(v->etag, head->etag.p, head->etag.n);
	v->etag[head->etag.n] = '\0';
	v->is_useless = v->is_useless && v->from == l->fill->endpoint;
	v->from = l->fill->endpoint;
	return 0;
}

/* Several lanes need parts, and the size of the whole. */
static int
check_part(struct lane *l, const struct fetch_head *head, struct err *err)
{
	struct fill *f = l->fill;
	bool is_part = l->end != LANE_TO_END;

	if (head->status == 200 && (is_part || l->start > 0)) {
		f->is_single = true;
		if (fill_n_running(f) > 1)
			return ask_again(l, err, "sends no parts");
		l->end = LANE_TO_END;
	} else if (is_part && head->total < 0 && f->expected_size == 0) {
		f->is_single = true;
		return ask_again(l, err, "does not tell the blob's size");
	}
	return 0;
}

static int
check_size(struct lane *l, int64_t total, struct err *err)
{
	struct fill *f = l->fill;

	if (total > 0 && f->expected_size != 0 &&
	    (uint64_t)total != f->expected_size)
		return err_set(err, ERR_UPSTREAM_BROKEN,
		    "%s says the blob has %lld bytes, it must have %llu",
		    f->endpoint->name, (long long)total,
		    (unsigned long long)f->expected_size);
	if (f->expected_size == 0 && total > 0)
		f->expected_size = (uint64_t)total;
	if (f->expected_size == 0)
		return 0;
	draft_set_size(f->draft, f->expected_size);
	if (f->expected_size <= draft_front(f->draft))
		return 0;
	return store_has_room(
	    f->cache->store, f->expected_size - draft_front(f->draft), err);
}

/* Is this head one that we can go on with?  Stores what it says. */
static int
on_head(void *arg, const struct fetch_head *head, struct err *err)
{
	struct lane *l = arg;
	int64_t total = head->status == 206 ? head->total : head->length;

	if (check_validator(l, head, err) != 0 ||
	    check_part(l, head, err) != 0 || check_size(l, total, err) != 0)
		return -1;
	l->at = head->first;
	l->state = LANE_FLOWS;
	timer_set(&l->fill->soon, 0);
	return 0;
}

/* ---- bytes --------------------------------------------------------------- */

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Writes what is missing of [l->at, END). */
static int
take_missing(struct lane *l, const char *bytes, uint64_t end, struct err *err)
{
	struct draft *draft = l->fill->draft;
	uint64_t at = l->at, start, stop;

	while (draft_gap(draft, at, &start, &stop) && start < end) {
		stop = smaller(stop, end);
		if (draft_write(draft, start, bytes + (start - l->at),
			(size_t)(stop - start), err) != 0)
			return -1;
		l->had += stop - start;
		at = stop;
	}
	return 0;
}

/* After the first bytes another lane may join. */
static int
on_bytes(void *arg, const void *bytes, size_t n, struct err *err)
{
	struct lane *l = arg;
	struct fill *f = l->fill;
	uint64_t had = l->had, from = l->at;

	if (f->expected_size != 0 &&
	    (l->at > f->expected_size || n > f->expected_size - l->at))
		return err_set(err, ERR_UPSTREAM_BROKEN,
		    "%s sends more than the blob's %llu bytes",
		    f->endpoint->name, (unsigned long long)f->expected_size);
	if (take_missing(l, bytes, l->at + n, err) != 0)
		return -1;
	l->at += n;
	if (l->had == had)
		return 0; /* it sent again what is here */
	f->progress_ms = loop_now_ms(f->cache->origin);
	if (f->stream != NULL)
		fill_tell_bytes(f, from, l->at);
	fill_look_for_readers(f);
	if (had == 0)
		timer_set(&f->widen, WIDEN_MS);
	return 0;
}

static void
on_end(void *arg)
{
	struct lane *l = arg;

	fill_run(l->fill);
}

/* ---- asking -------------------------------------------------------------- */

static struct str
validator_for(struct lane *l)
{
	const struct validator *v = &l->fill->validator;

	l->shows_validator = l->start > 0 && v->etag[0] != '\0' &&
	    !v->is_useless && v->from == l->fill->endpoint;
	return str_of(l->shows_validator ? v->etag : "");
}

static void
count_resumed(struct fill *f, const struct fetch_spec *spec)
{
	if (!f->is_resuming || spec->offset == 0)
		return;
	metric_count1(M_fill_resumed_total, link_class_name(spec->class), 1);
	f->is_resuming = false;
}

int
lane_start(struct lane *l, uint64_t start, uint64_t end, struct err *err)
{
	struct fill *f = l->fill;
	char text[DIGEST_TEXT_MAX];
	struct fetch_spec spec = {
		.upstreams = f->cache->upstreams,
		.config = f->target.config,
		.upstream = f->target.upstream,
		.endpoint = f->endpoint,
		.target = FETCH_BLOB,
		.repository = target_repository(&f->target),
		.reference = str_of(digest_text(&f->target.digest, text)),
		.offset = start,
		.end = end == LANE_TO_END ? 0 : end,
		.class = fill_class(f),
		.on_head = on_head,
		.on_bytes = on_bytes,
		.on_end = on_end,
		.arg = l,
	};

	check(l->state == LANE_IDLE);
	*l =
	    (struct lane){ .fill = f, .start = start, .end = end, .at = start };
	l->was_first = fill_is_empty(f);
	spec.validator = validator_for(l);
	count_resumed(f, &spec);
	l->fetch = fetch_start(&spec, err);
	if (l->fetch == NULL)
		return -1;
	l->state = LANE_ASKED;
	return 0;
}

void
lane_close(struct lane *l)
{
	fetch_close(l->fetch);
	l->fetch = NULL;
	l->state = LANE_IDLE;
}

bool
lane_has_ended(const struct lane *l)
{
	return l->fetch != NULL && fetch_result(l->fetch) != FETCH_RUNNING;
}

bool
lane_has_arrived(const struct lane *l)
{
	return l->at >= l->end ||
	    (l->fill->expected_size != 0 && l->at >= l->fill->expected_size);
}
