/*
 * v2_list.c - tag lists and referrers: pages and filters cut from the document
 * that the cache keeps.
 */
#include <stdlib.h>

#include "common/check.h"
#include "common/uri.h"
#include "oci/lists.h"
#include "v2_int.h"

#define LIST_BODY_MAX (17u << 20)

static int
query_value(struct pull *p, const char *key, struct str *out, struct err *err)
{
	if (uri_query(&p->x->arena, p->x->request.query, str_of(key), out))
		return 0;
	return err_set(err, ERR_BAD_REQUEST,
	    "the query's %s is not well percent-encoded", key);
}

/* n= and last=; a list without n is whole. */
static int
read_page(struct pull *p, struct tags_page *page, struct err *err)
{
	struct str n;
	uint64_t count;

	page->repository = p->route.repository;
	page->n = -1;
	if (query_value(p, "n", &n, err) != 0 ||
	    query_value(p, "last", &page->last, err) != 0)
		return -1;
	if (n.p == NULL)
		return 0;
	if (!str_u64(n, &count))
		return err_set(err, ERR_BAD_REQUEST,
		    "the query's n must be a number of tags, 0 or more");
	page->n = count > INT32_MAX ? INT32_MAX : (long)count;
	return 0;
}

/* As the client named the list, with its ns, so that the next page is asked of
 * the same upstream. */
static void
next_link_header(
    struct pull *p, const struct tags_page *page, struct str last_shown)
{
	struct str ns;
	struct buf link;

	buf_init(&link, 2048);
	buf_addz(&link, "<");
	buf_adds(&link, p->x->request.path);
	buf_printf(&link, "?n=%ld&last=", page->n);
	uri_encode(&link, last_shown, "");
	if (uri_query(&p->x->arena, p->x->request.query, STR("ns"), &ns) &&
	    ns.p != NULL) {
		buf_addz(&link, "&ns=");
		uri_encode(&link, ns, "");
	}
	buf_addz(&link, ">; rel=\"next\"");
	if (!link.overflow)
		reply_header(p->x, "Link", buf_str(&link));
	buf_done(&link);
}

static int
send_tags(struct pull *p, struct str document, struct err *err)
{
	struct tags_page page = { 0 };
	struct buf body, last;
	bool has_more = false;
	int status = -1;

	buf_init(&body, LIST_BODY_MAX);
	buf_init(&last, 1024);
	if (read_page(p, &page, err) == 0)
		status = list_tags_page(
		    document, &page, &body, &has_more, &last, err);
	if (status == 0) {
		pull_start(p, 200);
		pull_stale_header(p);
		reply_header(p->x, "Content-Type", STR("application/json"));
		if (has_more)
			next_link_header(p, &page, buf_str(&last));
		pull_bytes(p, buf_str(&body));
	}
	buf_done(&body);
	buf_done(&last);
	return status;
}

static int
send_referrers(struct pull *p, struct str document, struct err *err)
{
	struct str type;
	struct buf body;
	int status = -1;

	buf_init(&body, LIST_BODY_MAX);
	if (query_value(p, "artifactType", &type, err) == 0)
		status = list_referrers_filter(
		    document, type.p != NULL ? type : STR(""), &body, err);
	if (status == 0) {
		pull_start(p, 200);
		pull_stale_header(p);
		reply_header(p->x, "Content-Type",
		    STR("application/vnd.oci.image.index.v1+json"));
		if (type.n > 0)
			reply_header(
			    p->x, "OCI-Filters-Applied", STR("artifactType"));
		pull_bytes(p, buf_str(&body));
	}
	buf_done(&body);
	return status;
}

static void
send_list(struct pull *p, struct str document, enum traffic_result result)
{
	struct err err;
	int status = p->route.kind == ROUTE_TAGS
	    ? send_tags(p, document, &err)
	    : send_referrers(p, document, &err);

	if (status != 0)
		pull_error(p, &err);
	pull_count(p, result);
}

static void
on_answer(struct ticket *t)
{
	struct pull *p = container_of(t, struct pull, ticket);
	struct answer *a = t->answer;

	timer_stop(&p->timer);
	if (a->error.code != ERR_NONE) {
		pull_error(p, &a->error);
		return;
	}
	p->is_stale = a->is_stale;
	send_list(
	    p, (struct str){ a->bytes, a->n_bytes }, pull_answer_result(p));
}

void
v2_list(struct pull *p)
{
	bool is_tags = p->route.kind == ROUTE_TAGS;
	struct tags_page page;
	struct found found;
	struct err err;

	if (is_tags && read_page(p, &page, &err) != 0) {
		pull_error(p, &err); /* before anybody is asked */
		return;
	}
	if (lookup_list(p->v2->port, &p->target,
		is_tags ? LOOKUP_TAGS : LOOKUP_REFERRERS, &found))
		send_list(p, found.bytes, RESULT_HIT);
	else
		pull_ask(p, is_tags ? ASK_TAGS : ASK_REFERRERS, on_answer);
}
