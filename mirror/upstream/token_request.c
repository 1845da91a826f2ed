/*
 * token_request.c - one request to a token server.
 *
 * GET with the credentials as basic auth is what all know; some want a POST
 * with them in a form instead, and an identity token can only be POSTed.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/uri.h"
#include "oci/challenge.h"
#include "token_int.h"
#include "upstream/base64.h"
#include "upstream/url.h"

#define URL_MAX_BYTES (16u << 10)
#define FORM_MAX_BYTES (256u << 10)

/* ---- headers ----------------------------------------------------------- */

static char *
authorization(const char *scheme, struct str text)
{
	struct buf b;
	char *out;

	buf_init(&b, TOKEN_MAX_BYTES * 2);
	buf_addz(&b, scheme);
	buf_adds(&b, text);
	out = buf_take(&b);
	buf_done(&b);
	return out;
}

char *
authorization_bearer(const char *token)
{
	return authorization("Bearer ", str_of(token));
}

char *
authorization_basic(const struct credentials *c)
{
	struct buf pair, base64;
	char *out = NULL;

	buf_init(&pair, TOKEN_MAX_BYTES);
	buf_init(&base64, TOKEN_MAX_BYTES * 2);
	buf_printf(&pair, "%s:%s", c->username, c->password);
	base64_encode(&base64, buf_str(&pair));
	if (!pair.overflow && !base64.overflow)
		out = authorization("Basic ", buf_str(&base64));
	if (pair.n > 0)
		explicit_bzero(pair.p, pair.n);
	buf_done(&pair);
	buf_done(&base64);
	return out;
}

/* ---- what is sent ------------------------------------------------------ */

static void
add_parameter(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, "%s=", key);
	uri_encode(out, value, "");
	buf_addz(out, "&");
}

/* A challenge's scopes are parted by spaces; GET names each by itself. */
static void
write_url(struct buf *out, const struct token_want *want)
{
	struct str scopes = str_of(want->scope), scope;

	buf_addz(out, want->realm);
	buf_addz(out, strchr(want->realm, '?') == NULL ? "?" : "&");
	if (want->service[0] != '\0')
		add_parameter(out, "service", str_of(want->service));
	while (str_cut(&scopes, ' ', &scope))
		if (scope.n > 0)
			add_parameter(out, "scope", scope);
	if (out->n > 0)
		out->n--; /* the last & or ? */
}

static void
write_form(
    struct buf *out, const struct token_want *want, const struct credentials *c)
{
	add_parameter(out, "grant_type",
	    c->identity_token != NULL ? STR("refresh_token") : STR("password"));
	if (c->identity_token != NULL) {
		add_parameter(out, "refresh_token", str_of(c->identity_token));
	} else {
		add_parameter(out, "username", str_of(c->username));
		add_parameter(out, "password", str_of(c->password));
	}
	if (want->service[0] != '\0')
		add_parameter(out, "service", str_of(want->service));
	add_parameter(out, "scope", str_of(want->scope));
	buf_addz(out, "client_id=railhead");
}

struct token_text {
	struct buf url;
	struct buf form;
	struct buf headers;
};

static void
text_done(struct token_text *t)
{
	struct buf *const all[] = { &t->url, &t->form, &t->headers };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i]->n > 0)
			explicit_bzero(all[i]->p, all[i]->n);
		buf_done(all[i]);
	}
}

static int
text_write(struct token_text *t, const struct token_ask *ask, bool is_post,
    struct err *err)
{
	char *basic;

	buf_init(&t->url, URL_MAX_BYTES);
	buf_init(&t->form, FORM_MAX_BYTES);
	buf_init(&t->headers, FORM_MAX_BYTES);
	if (is_post) {
		buf_addz(&t->url, ask->want->realm);
		write_form(&t->form, ask->want, ask->credentials);
	} else {
		write_url(&t->url, ask->want);
	}
	if (!is_post && ask->credentials != NULL) {
		basic = authorization_basic(ask->credentials);
		if (basic == NULL)
			return err_set(
			    err, ERR_NO_MEMORY, "the credentials are too long");
		buf_printf(&t->headers, "Authorization: %s\n", basic);
		explicit_bzero(basic, strlen(basic));
		free(basic);
	}
	buf_addz(&t->headers, "Accept: application/json\n");
	buf_add(&t->url, "", 1);
	buf_add(&t->form, "", 1);
	buf_add(&t->headers, "", 1);
	if (t->url.overflow || t->form.overflow || t->headers.overflow)
		return err_set(
		    err, ERR_TOO_LARGE, "the request for a token is too long");
	return 0;
}

/* ---- asking ------------------------------------------------------------ */

static int
on_head(void *arg)
{
	(void)arg;
	return 0;
}

static int
on_bytes(void *arg, const void *p, size_t n)
{
	struct token_request *r = arg;

	buf_add(&r->body, p, n);
	return r->body.overflow ? -1 : 0;
}

static void
on_end(void *arg)
{
	struct token_request *r = arg;

	r->on_end(r->arg);
}

void
token_request_init(struct token_request *r)
{
	*r = (struct token_request){ 0 };
	buf_init(&r->body, TOKEN_MAX_BYTES);
}

int
token_request_start(
    struct token_request *r, const struct token_ask *ask, struct err *err)
{
	const struct config_link *link = ask->endpoint->link;
	struct hop_spec spec = {
		.curl = ask->desk->curl,
		.ca = ask->endpoint->ca,
		.proxy = link == NULL ? NULL : link->proxy,
		.interface = link == NULL ? NULL : link->interface,
		.connect_ms = *ask->desk->connect_ms,
		.total_ms = *ask->desk->answer_ms,
		.on_head = on_head,
		.on_bytes = on_bytes,
		.on_end = on_end,
		.arg = r,
	};
	struct token_text text;
	int rc;

	check(r->hop == NULL);
	buf_reset(&r->body);
	r->on_end = ask->on_end;
	r->arg = ask->arg;
	r->with_credentials = ask->credentials != NULL;
	r->is_post = r->with_credentials &&
	    (ask->is_post || ask->credentials->identity_token != NULL);
	rc = text_write(&text, ask, r->is_post, err);
	if (rc == 0) {
		spec.method = r->is_post ? HOP_POST : HOP_GET;
		spec.url = text.url.p;
		spec.headers = text.headers.p;
		spec.form = text.form.p;
		r->hop = hop_start(&spec, err);
		rc = r->hop == NULL ? -1 : 0;
	}
	text_done(&text);
	return rc;
}

void
token_request_close(struct token_request *r)
{
	hop_close(r->hop);
	r->hop = NULL;
	if (r->body.n > 0)
		explicit_bzero(r->body.p, r->body.n);
	buf_done(&r->body);
	token_request_init(r);
}

/* ---- what came of it --------------------------------------------------- */

bool
token_request_wants_post(const struct token_request *r)
{
	int status = hop_status(r->hop);

	return hop_end(r->hop) == HOP_DONE && r->with_credentials &&
	    !r->is_post && (status == 400 || status == 404 || status == 405);
}

static enum fetch_result
result_of_status(const struct token_request *r, struct err *err)
{
	int status = hop_status(r->hop);

	if (status == 401 || status == 403) {
		(void)err_set(err, ERR_DENIED, "refused us a token (%d%s)",
		    status,
		    r->with_credentials ? "; are the credentials right?" : "");
		return FETCH_DENIED;
	}
	if (status == 429) {
		(void)err_set(err, ERR_UPSTREAM_LIMITED,
		    "is asked for tokens too often (429)");
		return FETCH_LIMITED;
	}
	(void)err_set(
	    err, ERR_UPSTREAM_STATUS, "answered %d instead of a token", status);
	return FETCH_FAILED;
}

static enum fetch_result
result_of_body(const struct token_request *r, char **token,
    uint64_t *lifetime_ms, struct err *err)
{
	struct token_reply reply;

	if (token_reply_parse(buf_str(&r->body), &reply, err) != 0)
		return FETCH_FAILED;
	*token = reply.token;
	*lifetime_ms = reply.lifetime_s * 1000;
	return FETCH_DONE;
}

enum fetch_result
token_request_result(const struct token_request *r, char **token,
    uint64_t *lifetime_ms, struct err *err)
{
	switch (hop_end(r->hop)) {
	case HOP_DONE:
		if (hop_status(r->hop) == 200)
			return result_of_body(r, token, lifetime_ms, err);
		return result_of_status(r, err);
	case HOP_STOPPED:
		(void)err_set(err, ERR_TOO_LARGE,
		    "sent more than %u bytes for a token", TOKEN_MAX_BYTES);
		return FETCH_FAILED;
	case HOP_UNREACHABLE:
	case HOP_GARBAGE:
	case HOP_BROKEN:
		*err = *hop_error(r->hop);
		return FETCH_FAILED;
	case HOP_RUNNING:
		break;
	}
	unreachable("a running request has no result");
}
