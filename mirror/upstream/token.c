/*
 * token.c - passes: what an endpoint wants to see for a repository.
 *
 *	         401                 credentials            token
 *	IDLE ----------> CREDENTIALS ----------> TOKEN ----------> IDLE
 *	  ^  or renewal       |  (none are configured: at once)
 *	  +-------------------+  basic auth, or nothing was found
 *
 * A pass holds what was wanted (`scheme`, `want`) and, once there is one, the
 * header to send with its edition and times.  A step that fails while the old
 * header is still good is tried again later; else those who wait are told why,
 * and the pass is open again, so that the next request finds out anew.
 */
#include "upstream/token.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/map.h"
#include "oci/challenge.h"
#include "token_int.h"
#include "upstream/url.h"

#define BASIC_KEEP_MS (5 * 60 * 1000) /* then the files are looked at again */
#define AGAIN_MS 5000                 /* after a renewal that failed */
#define KEY_MAX_BYTES 2048
#define IN_USE_MAX 8192
#define CHALLENGE_MAX_BYTES (16u << 10)

TAILQ_HEAD(pass_waits, pass_wait);
TAILQ_HEAD(pass_list, pass);

struct pass_desk {
	struct pass_desk_spec at;
	struct map *passes;      /* owned, with its values */
	struct pass_list by_use; /* the longest unused first */
};

enum pass_step { PASS_IDLE, PASS_CREDENTIALS, PASS_TOKEN };

struct pass {
	unsigned refs; /* the desk's, and one for each user */
	struct pass_desk *desk;
	TAILQ_ENTRY(pass) link;
	struct buf key;
	struct config *config; /* counted; of the last who asked */
	const struct config_upstream *upstream;
	const struct config_endpoint *endpoint;
	char *origin;
	char *repository;

	enum challenge_scheme scheme; /* NONE: nothing was wanted so far */
	struct token_want want;

	char *header; /* owned; NULL: there is none */
	unsigned edition;
	uint64_t renew_at_ms;
	uint64_t expires_at_ms;

	enum pass_step step;
	bool ask_anew;  /* kept credentials have been refused */
	bool uses_post; /* GET is not known there */
	struct credential_wait credential_wait;
	struct credentials credentials; /* copies, while a token is asked for */
	struct token_request request;
	struct pass_waits waits;
};

static void pass_start(struct pass *);

static uint64_t
now_ms(const struct pass *p)
{
	return loop_now_ms(p->desk->at.loop);
}

static bool
has_header(const struct pass *p)
{
	return p->header != NULL && now_ms(p) < p->expires_at_ms;
}

/* Frees a text that may be a secret. */
static void
wipe(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static void
drop_credentials(struct pass *p)
{
	wipe(&p->credentials.username);
	wipe(&p->credentials.password);
	wipe(&p->credentials.identity_token);
}

static void
drop_want(struct pass *p)
{
	p->scheme = CHALLENGE_NONE;
	free(p->want.realm);
	free(p->want.service);
	free(p->want.scope);
	p->want = (struct token_want){ 0 };
}

/* ---- the end of a step ------------------------------------------------- */

static void
pass_tell(struct pass *p, enum fetch_result result, const struct err *err)
{
	struct pass_wait *w;

	p->refs++;
	while ((w = TAILQ_FIRST(&p->waits)) != NULL) {
		pass_leave(w);
		w->result = result;
		if (err != NULL)
			w->err = *err;
		w->on_ready(w);
	}
	pass_unref(p);
}

static void
pass_rest(struct pass *p)
{
	p->step = PASS_IDLE;
	drop_credentials(p);
	token_request_close(&p->request);
}

/* Takes HEADER. */
static void
pass_succeed(struct pass *p, char *header, uint64_t lifetime_ms)
{
	pass_rest(p);
	wipe(&p->header);
	p->header = header;
	p->edition++;
	p->ask_anew = false;
	p->renew_at_ms = now_ms(p) + lifetime_ms / 5 * 4;
	p->expires_at_ms = now_ms(p) + lifetime_ms;
	pass_tell(p, FETCH_RUNNING, NULL);
}

static void
pass_fail(struct pass *p, enum fetch_result result, const struct err *err)
{
	pass_rest(p);
	p->ask_anew = result == FETCH_DENIED;
	if (has_header(p)) {
		p->renew_at_ms = now_ms(p) + AGAIN_MS;
		return;
	}
	drop_want(p);
	pass_tell(p, result, err);
}

static void
pass_fail_text(struct pass *p, enum fetch_result result, enum err_code code,
    const char *text)
{
	struct err err;

	(void)err_set(&err, code, "%s: %s", p->origin, text);
	pass_fail(p, result, &err);
}

/* ---- asking for a token ------------------------------------------------ */

static void on_token(void *);

/* Over plain HTTP our secrets go only to those who get them so anyway. */
static bool
may_see_credentials(const struct pass *p)
{
	char realm[ORIGIN_MAX];

	return ((p->credentials.username != NULL &&
		    p->credentials.password != NULL) ||
		   p->credentials.identity_token != NULL) &&
	    url_origin(p->want.realm, realm) == 0 &&
	    (origin_is_https(realm) || !origin_is_https(p->origin));
}

static void
pass_ask_token(struct pass *p)
{
	struct token_ask ask = {
		.desk = &p->desk->at,
		.endpoint = p->endpoint,
		.want = &p->want,
		.credentials = may_see_credentials(p) ? &p->credentials : NULL,
		.is_post = p->uses_post,
		.on_end = on_token,
		.arg = p,
	};
	struct err err;

	p->step = PASS_TOKEN;
	if (token_request_start(&p->request, &ask, &err) != 0)
		pass_fail(p, FETCH_FAILED, &err);
}

static void
on_token(void *arg)
{
	struct pass *p = arg;
	enum fetch_result result;
	uint64_t lifetime_ms = 0;
	char *token = NULL, *header;
	struct err err;

	if (token_request_wants_post(&p->request)) {
		p->uses_post = true;
		token_request_close(&p->request);
		pass_ask_token(p);
		return;
	}
	result = token_request_result(&p->request, &token, &lifetime_ms, &err);
	if (result != FETCH_DONE) {
		(void)err_wrap(&err, "the token server of %s", p->origin);
		pass_fail(p, result, &err);
		return;
	}
	header = authorization_bearer(token);
	wipe(&token);
	if (header == NULL)
		pass_fail_text(p, FETCH_FAILED, ERR_NO_MEMORY,
		    "out of memory for its token");
	else
		pass_succeed(p, header, lifetime_ms);
}

/* ---- with or without credentials --------------------------------------- */

static void
pass_go_basic(struct pass *p)
{
	char *header;

	if (p->credentials.username == NULL ||
	    p->credentials.password == NULL) {
		pass_fail_text(p, FETCH_DENIED, ERR_DENIED,
		    "wants a username and a password; `auth` of the upstream "
		    "has none for it");
		return;
	}
	header = authorization_basic(&p->credentials);
	if (header == NULL)
		pass_fail_text(p, FETCH_FAILED, ERR_NO_MEMORY,
		    "out of memory for its credentials");
	else
		pass_succeed(p, header, BASIC_KEEP_MS);
}

static void
pass_have_credentials(struct pass *p)
{
	if (p->scheme == CHALLENGE_BASIC)
		pass_go_basic(p);
	else
		pass_ask_token(p);
}

static int
copy_secret(char **out, const char *text)
{
	*out = text == NULL ? NULL : str_dup(str_of(text));
	return text != NULL && *out == NULL ? -1 : 0;
}

static void
on_credentials(struct credential_wait *w, const struct credentials *c,
    const struct err *err)
{
	struct pass *p = container_of(w, struct pass, credential_wait);
	struct err why;

	if (err != NULL) {
		why = *err;
		(void)err_wrap(&why, "the credentials for %s", p->origin);
		pass_fail(p, FETCH_FAILED, &why);
		return;
	}
	if (copy_secret(&p->credentials.username, c->username) != 0 ||
	    copy_secret(&p->credentials.password, c->password) != 0 ||
	    copy_secret(&p->credentials.identity_token, c->identity_token) != 0)
		pass_fail_text(p, FETCH_FAILED, ERR_NO_MEMORY,
		    "out of memory for its credentials");
	else
		pass_have_credentials(p);
}

/* May come to its end at once: callers look at the pass afterwards. */
static void
pass_start(struct pass *p)
{
	const struct config_auth *auth = &p->upstream->auth;
	struct err err;

	check(p->step == PASS_IDLE && p->scheme != CHALLENGE_NONE);
	p->step = PASS_CREDENTIALS;
	if (!credentials_are_configured(auth))
		pass_have_credentials(p);
	else if (credentials_ask(p->desk->at.credentials, auth,
		     origin_host(p->origin), p->ask_anew, &p->credential_wait,
		     &err) != 0)
		pass_fail(p, FETCH_FAILED, &err);
}

/* ---- challenges -------------------------------------------------------- */

static int
set_want(struct pass *p, const struct challenge *c)
{
	struct buf scope;

	buf_init(&scope, KEY_MAX_BYTES);
	if (c->scope.n > 0)
		buf_adds(&scope, c->scope);
	else
		buf_printf(&scope, "repository:%s:pull", p->repository);
	drop_want(p);
	p->want.realm = str_dup(c->realm);
	p->want.service = str_dup(c->service);
	p->want.scope = buf_take(&scope);
	buf_done(&scope);
	if (p->want.realm == NULL || p->want.service == NULL ||
	    p->want.scope == NULL) {
		drop_want(p);
		return -1;
	}
	p->scheme = c->scheme;
	return 0;
}

static int
read_challenge(struct pass *p, struct str challenges, struct err *err)
{
	char block[CHALLENGE_MAX_BYTES], realm[ORIGIN_MAX];
	struct challenge c;
	struct arena arena;

	arena_init(&arena, block, sizeof(block));
	if (!challenge_parse(&arena, challenges, &c))
		return err_set(err, ERR_UPSTREAM_STATUS,
		    "%s: its challenge (401) is malformed", p->origin);
	if (c.scheme == CHALLENGE_NONE)
		return err_set(err, ERR_DENIED,
		    "%s wants to be logged into in a way that is neither "
		    "basic nor by token",
		    p->origin);
	if (set_want(p, &c) != 0)
		return err_set(err, ERR_NO_MEMORY,
		    "%s: out of memory for its challenge", p->origin);
	if (c.scheme == CHALLENGE_BEARER &&
	    url_origin(p->want.realm, realm) != 0) {
		drop_want(p);
		return err_set(err, ERR_UPSTREAM_STATUS,
		    "%s: the realm of its challenge is no URL", p->origin);
	}
	return 0;
}

void
pass_refused(struct pass *p, struct pass_wait *w, unsigned edition,
    struct str challenges)
{
	w->result = FETCH_RUNNING;
	if (has_header(p) && edition != p->edition)
		return; /* another one has been there */
	wipe(&p->header);
	if (p->step != PASS_IDLE)
		return; /* a new one is on its way */
	p->ask_anew = edition != 0;
	if (read_challenge(p, challenges, &w->err) != 0)
		w->result =
		    w->err.code == ERR_DENIED ? FETCH_DENIED : FETCH_FAILED;
}

/* ---- showing ----------------------------------------------------------- */

static enum pass_answer
pass_wait_for(struct pass *p, struct pass_wait *w)
{
	w->of = p;
	TAILQ_INSERT_TAIL(&p->waits, w, link);
	return PASS_WAIT;
}

/* The waiter is at the queue while the step starts, so that one that comes to
 * its end at once reaches him; on_ready is for later, though. */
static enum pass_answer
pass_begin(struct pass *p, struct pass_wait *w)
{
	void (*on_ready)(struct pass_wait *) = w->on_ready;

	(void)pass_wait_for(p, w);
	w->on_ready = pass_leave;
	pass_start(p);
	w->on_ready = on_ready;
	if (w->of != NULL)
		return PASS_WAIT;
	return w->result == FETCH_RUNNING ? PASS_SHOW : PASS_FAILED;
}

enum pass_answer
pass_show(
    struct pass *p, struct pass_wait *w, const char **header, unsigned *edition)
{
	enum pass_answer answer = PASS_SHOW;

	check(w->of == NULL);
	*header = NULL;
	*edition = 0;
	if (w->result != FETCH_RUNNING)
		return PASS_FAILED;
	if (!has_header(p)) {
		if (p->step != PASS_IDLE)
			return pass_wait_for(p, w);
		if (p->scheme == CHALLENGE_NONE)
			return PASS_OPEN;
		answer = pass_begin(p, w);
	} else if (p->step == PASS_IDLE && now_ms(p) >= p->renew_at_ms) {
		pass_start(p);
	}
	if (answer == PASS_SHOW) {
		*header = p->header;
		*edition = p->edition;
	}
	return answer;
}

void
pass_leave(struct pass_wait *w)
{
	if (w->of != NULL)
		TAILQ_REMOVE(&w->of->waits, w, link);
	w->of = NULL;
}

/* ---- passes ------------------------------------------------------------ */

static void
pass_free(struct pass *p)
{
	check(TAILQ_EMPTY(&p->waits));
	credentials_leave(&p->credential_wait);
	pass_rest(p);
	wipe(&p->header);
	drop_want(p);
	buf_done(&p->key);
	free(p->origin);
	free(p->repository);
	config_unref(p->config);
	free(p);
}

void
pass_unref(struct pass *p)
{
	if (p == NULL)
		return;
	check(p->refs > 1); /* the desk's is not given back here */
	p->refs--;
}

static void
desk_forget_oldest(struct pass_desk *d)
{
	struct pass *p;

	TAILQ_FOREACH (p, &d->by_use, link)
		if (p->refs == 1 && p->step == PASS_IDLE)
			break;
	if (p == NULL)
		return; /* all are in use */
	TAILQ_REMOVE(&d->by_use, p, link);
	check(map_take(d->passes, p->key.p, p->key.n) == p);
	pass_free(p);
}

static struct pass *
pass_new(
    struct pass_desk *d, const struct pass_key *key, const struct buf *name)
{
	struct pass *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->refs = 1;
	p->desk = d;
	p->credential_wait.on_ready = on_credentials;
	TAILQ_INIT(&p->waits);
	token_request_init(&p->request);
	buf_init(&p->key, KEY_MAX_BYTES);
	buf_adds(&p->key, buf_str(name));
	p->origin = str_dup(str_of(key->origin));
	p->repository = str_dup(key->repository);
	if (p->origin == NULL || p->repository == NULL || p->key.overflow ||
	    map_put(d->passes, p->key.p, p->key.n, p) != 0) {
		pass_free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&d->by_use, p, link);
	return p;
}

static struct pass *
pass_find(struct pass_desk *d, const struct pass_key *key)
{
	struct pass *p = NULL;
	struct buf name;

	buf_init(&name, KEY_MAX_BYTES);
	buf_printf(&name, "%s|%s|%.*s", key->upstream->name, key->origin,
	    STR_ARG(key->repository));
	if (!name.overflow)
		p = map_find(d->passes, name.p, name.n);
	if (p == NULL && map_count(d->passes) >= PASSES_MAX)
		desk_forget_oldest(d);
	if (p == NULL && !name.overflow)
		p = pass_new(d, key, &name);
	buf_done(&name);
	return p;
}

struct pass *
pass_get(struct pass_desk *d, const struct pass_key *key, struct err *err)
{
	struct pass *p = pass_find(d, key);
	struct config *before;

	if (p == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for a token");
		return NULL;
	}
	TAILQ_REMOVE(&d->by_use, p, link);
	TAILQ_INSERT_TAIL(&d->by_use, p, link);
	before = p->config;
	p->config = config_ref(key->config);
	p->upstream = key->upstream;
	p->endpoint = key->endpoint;
	config_unref(before);
	p->refs++;
	return p;
}

/* ---- the desk ---------------------------------------------------------- */

struct pass_desk *
pass_desk_new(const struct pass_desk_spec *spec, struct err *err)
{
	struct pass_desk *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->at = *spec;
		TAILQ_INIT(&d->by_use);
		d->passes = map_new(IN_USE_MAX);
	}
	if (d == NULL || d->passes == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for tokens");
		free(d);
		return NULL;
	}
	return d;
}

void
pass_desk_free(struct pass_desk *d)
{
	struct pass *p;

	if (d == NULL)
		return;
	while ((p = TAILQ_FIRST(&d->by_use)) != NULL) {
		check(p->refs == 1);
		TAILQ_REMOVE(&d->by_use, p, link);
		pass_free(p);
	}
	map_free(d->passes);
	free(d);
}
