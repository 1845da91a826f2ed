/*
 * ask_list.c - asks for tag lists and referrers.
 *
 * All pages of the upstream become one document, which is kept.  Where an
 * upstream has no referrers API, the tag "<algorithm>-<hex>" is read instead
 * (OCI distribution specification, "Referrers tag schema"); where it has
 * neither, the list is empty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "common/clock.h"
#include "tag.h"

#define LIST_MAX_BYTES (16u << 20)
#define LIST_MAX_PAGES 1000

static enum document_kind
document_of(const struct ask *a)
{
	return a->kind == ASK_TAGS ? DOCUMENT_TAGS : DOCUMENT_REFERRERS;
}

static struct str
document_key(const struct ask *a, char text[DIGEST_TEXT_MAX])
{
	if (a->kind == ASK_TAGS)
		return STR("");
	return str_of(digest_text(&a->target.digest, text));
}

static struct answer *
document_answer(char *bytes, size_t n, int64_t confirmed_at)
{
	struct answer *answer = answer_new();

	if (answer == NULL || bytes == NULL) {
		answer_unref(answer);
		free(bytes);
		return NULL;
	}
	answer->bytes = bytes;
	answer->size = answer->n_bytes = n;
	answer->confirmed_at = confirmed_at;
	return answer;
}

/* The row points into the index until index_release(). */
static bool
find_stale_list(struct ask *a, struct document_row *row)
{
	char text[DIGEST_TEXT_MAX];

	return index_find_document(a->cache->reader, document_of(a),
		   target_scope(&a->target), document_key(a, text), row) &&
	    list_age(&a->target, row->confirmed_at, clock_wall_s()) !=
	    TAG_EXPIRED;
}

bool
list_has_stale(struct ask *a)
{
	struct document_row row;
	bool has_it = find_stale_list(a, &row);

	index_release(a->cache->reader);
	return has_it;
}

struct answer *
list_stale(struct ask *a)
{
	struct answer *answer = NULL;
	struct document_row row;

	if (find_stale_list(a, &row))
		answer = document_answer(
		    str_dup(row.bytes), row.bytes.n, row.confirmed_at);
	index_release(a->cache->reader);
	if (answer != NULL)
		answer->is_stale = true;
	return answer;
}

enum ask_step
list_begin(struct ask *a)
{
	a->pages = list_pages_new(
	    a->kind == ASK_TAGS ? LIST_TAGS : LIST_REFERRERS, LIST_MAX_BYTES);
	if (a->pages == NULL) {
		ask_answer(a, NULL);
		return ask_done(a);
	}
	if (a->kind == ASK_TAGS)
		return ask_upstream(a, FETCH_TAGS, false, NULL);
	(void)digest_text(&a->target.digest, a->reference);
	return ask_upstream(a, FETCH_REFERRERS, false, NULL);
}

static enum ask_step
list_end(struct ask *a)
{
	struct document_row row = { .confirmed_at = clock_wall_s() };
	char text[DIGEST_TEXT_MAX];
	struct index_batch *batch;
	struct answer *answer;
	struct buf document;
	struct err err;
	size_t n;

	buf_init(&document, LIST_MAX_BYTES);
	if (list_pages_document(a->pages, &document, &err) != 0) {
		buf_done(&document);
		return ask_fail(a, FETCH_FAILED, &err);
	}
	n = document.n;
	answer = document_answer(buf_take(&document), n, row.confirmed_at);
	ask_answer(a, answer);
	batch = index_batch_new();
	if (batch != NULL && answer != NULL) {
		row.bytes = (struct str){ answer->bytes, answer->n_bytes };
		index_batch_document(batch, document_of(a),
		    target_scope(&a->target), document_key(a, text), &row);
	}
	return ask_commit(a, batch);
}

static enum ask_step
next_page(struct ask *a)
{
	struct str next = list_next_link(str_of(a->gather.next_link));
	struct err err;

	if (next.p == NULL)
		return list_end(a);
	if (++a->n_pages >= LIST_MAX_PAGES || next.n >= sizeof(a->page)) {
		(void)err_set(&err, ERR_UPSTREAM_BROKEN,
		    "%s: %s gives a list in more than %d pages, or a next page "
		    "with an address over %zu bytes",
		    a->target.scope, a->gather.endpoint->name, LIST_MAX_PAGES,
		    sizeof(a->page) - 1);
		return ask_fail(a, FETCH_FAILED, &err);
	}
	memcpy(a->page, next.p, next.n);
	a->page[next.n] = '\0';
	return ask_upstream(a, FETCH_PAGE, false, NULL);
}

/* "sha256-<hex>" */
static enum ask_step
read_fallback_tag(struct ask *a)
{
	char hex[DIGEST_TEXT_MAX];

	a->is_fallback = true;
	(void)snprintf(a->reference, sizeof(a->reference), "%s-%s",
	    digest_alg_name(&a->target.digest),
	    digest_hex(&a->target.digest, hex));
	return ask_upstream(a, FETCH_MANIFEST, false, NULL);
}

enum ask_step
list_fetched(struct ask *a)
{
	enum fetch_result result = a->gather.result;
	struct err err;
	bool is_absent = result == FETCH_NOT_FOUND || result == FETCH_REFUSED;

	if (a->kind == ASK_REFERRERS && is_absent)
		return a->is_fallback ? list_end(a) : read_fallback_tag(a);
	if (result != FETCH_DONE)
		return ask_fail(a, result, &a->gather.error);
	if (list_pages_add(a->pages, buf_str(&a->gather.body), &err) != 0)
		return ask_fail(a, FETCH_FAILED, &err);
	return a->is_fallback ? list_end(a) : next_page(a);
}
