/*
 * credentials.c - looks up credentials on work threads.
 *
 * A case is one lookup: (where the configuration says to look, host).  While
 * its work is out, askers queue up at it; when it is back, all are told.  A
 * case whose answer came from a helper stays for CREDENTIALS_KEEP_MS, others
 * go at once.
 *
 *	asked ---> work out ---> told ---> gone, or kept ---> asked again
 *
 * The work cannot be called off: when the desk is freed meanwhile, the case
 * frees itself as it comes back.
 */
#include "upstream/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/file.h"
#include "common/map.h"
#include "loop/work.h"
#include "oci/docker_config.h"
#include "upstream/base64.h"

#define CASES_MAX 256
#define PASSWORD_MAX_BYTES (64u << 10)
#define CONFIG_MAX_BYTES (1u << 20)

TAILQ_HEAD(credential_waits, credential_wait);

struct credential_desk {
	struct loop *loop;      /* borrowed; outlives us */
	struct work_pool *pool; /* borrowed; outlives us */
	struct map *cases;      /* owned, with its values */
};

struct credential_case {
	struct work work;
	struct credential_desk *desk; /* NULL: freed meanwhile */
	struct buf key;               /* its name in the map */
	char *docker_config;          /* copies; NULL: not given */
	char *username;
	char *password_file;
	char *host;
	struct credential_waits waits;
	unsigned round;
	bool is_out;     /* with the pool, or its waiters being told */
	bool is_known;   /* nothing to look up this time */
	bool is_refused; /* what is kept, or on its way, is no good */
	uint64_t keep_until_ms;
	/* the work's result: */
	struct credentials found;
	bool from_helper;
	bool has_failed;
	struct err err;
};

/* ---- looking up (on a work thread) ------------------------------------- */

static void
credentials_done(struct credentials *c)
{
	char **const all[] = { &c->username, &c->password, &c->identity_token };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (*all[i] != NULL)
			explicit_bzero(*all[i], strlen(*all[i]));
		free(*all[i]);
		*all[i] = NULL;
	}
}

static int
copy_text(char **out, struct str text, struct err *err)
{
	*out = str_dup(text);
	return *out != NULL ? 0
			    : err_set(err, ERR_NO_MEMORY,
				  "the credentials do not fit into memory");
}

/* "username:password" */
static int
set_pair(struct credentials *c, struct str pair, struct err *err)
{
	size_t colon = str_index(pair, ':');

	if (colon == pair.n || memchr(pair.p, '\0', pair.n) != NULL)
		return err_set(err, ERR_CONFIG,
		    "`auth` is not made of a username, ':' and a password");
	if (copy_text(&c->username, (struct str){ pair.p, colon }, err) != 0)
		return -1;
	return copy_text(&c->password, str_from(pair, colon + 1), err);
}

static int
set_auth(struct credentials *c, struct str base64, struct err *err)
{
	struct buf pair;
	int rc;

	buf_init(&pair, PASSWORD_MAX_BYTES);
	if (base64_decode(&pair, base64) != 0 || pair.overflow)
		rc = err_set(err, ERR_CONFIG, "`auth` is not base64");
	else
		rc = set_pair(c, buf_str(&pair), err);
	if (pair.n > 0)
		explicit_bzero(pair.p, pair.n);
	buf_done(&pair);
	return rc;
}

/* Moves what is there. */
static void
take_login(struct credentials *c, struct docker_login *l)
{
	char **const moves[][2] = {
		{ &c->username, &l->username },
		{ &c->password, &l->password },
		{ &c->identity_token, &l->identity_token },
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		if (*moves[i][1] != NULL) {
			*moves[i][0] = *moves[i][1];
			*moves[i][1] = NULL;
		}
}

static int
ask_helper(struct credential_case *k, const struct docker_login *l)
{
	struct docker_login said = { 0 };
	struct buf out;
	int rc;

	k->from_helper = true;
	buf_init(&out, PASSWORD_MAX_BYTES + 4096);
	rc = credential_helper_run(
	    l->helper, l->server, CREDENTIALS_HELPER_MS, &out, &k->err);
	if (rc == 0 && out.n > 0)
		rc = docker_helper_parse(buf_str(&out), &said, &k->err);
	take_login(&k->found, &said);
	docker_login_done(&said);
	if (out.n > 0)
		explicit_bzero(out.p, out.n);
	buf_done(&out);
	return rc;
}

static int
use_login(struct credential_case *k, struct docker_login *l)
{
	if (l->helper != NULL)
		return ask_helper(k, l);
	if (l->auth != NULL && l->username == NULL &&
	    set_auth(&k->found, str_of(l->auth), &k->err) != 0)
		return err_wrap(&k->err, "%s", k->docker_config);
	take_login(&k->found, l);
	return 0;
}

static int
look_in_docker_config(struct credential_case *k)
{
	struct docker_login login = { 0 };
	struct buf json;
	int rc;

	buf_init(&json, CONFIG_MAX_BYTES);
	rc = file_read(k->docker_config, &json, &k->err);
	if (rc == 0 &&
	    docker_config_find(
		buf_str(&json), str_of(k->host), &login, &k->err) != 0)
		rc = err_wrap(&k->err, "%s", k->docker_config);
	if (json.n > 0)
		explicit_bzero(json.p, json.n);
	buf_done(&json);
	if (rc == 0)
		rc = use_login(k, &login);
	docker_login_done(&login);
	return rc;
}

/* The password is all but the newline that editors leave behind it. */
static int
look_in_password_file(struct credential_case *k)
{
	struct buf text;
	struct str password;
	int rc;

	buf_init(&text, PASSWORD_MAX_BYTES);
	rc = file_read(k->password_file, &text, &k->err);
	password = buf_str(&text);
	while (password.n > 0 && strchr("\r\n", password.p[password.n - 1]))
		password.n--;
	if (rc == 0 &&
	    (password.n == 0 || memchr(password.p, '\0', password.n) != NULL))
		rc = err_set(&k->err, ERR_CONFIG, "%s holds no password",
		    k->password_file);
	if (rc == 0)
		rc = copy_text(&k->found.password, password, &k->err);
	if (rc == 0)
		rc =
		    copy_text(&k->found.username, str_of(k->username), &k->err);
	if (text.n > 0)
		explicit_bzero(text.p, text.n);
	buf_done(&text);
	return rc;
}

static void
case_run(struct work *w)
{
	struct credential_case *k =
	    container_of(w, struct credential_case, work);
	int rc = 0;

	if (k->is_known)
		return;
	k->from_helper = false;
	if (k->username != NULL && k->password_file != NULL)
		rc = look_in_password_file(k);
	else if (k->docker_config != NULL)
		rc = look_in_docker_config(k);
	k->has_failed = rc != 0;
}

/* ---- cases ------------------------------------------------------------- */

static void
case_free(struct credential_case *k)
{
	check(!k->is_out && TAILQ_EMPTY(&k->waits));
	credentials_done(&k->found);
	buf_done(&k->key);
	free(k->docker_config);
	free(k->username);
	free(k->password_file);
	free(k->host);
	free(k);
}

static void
case_forget(struct credential_case *k)
{
	check(map_take(k->desk->cases, k->key.p, k->key.n) == k);
	case_free(k);
}

/* Whoever asks while the others are told, or asks anew while an answer is on
 * its way, is one of the next round. */
static void
case_tell(struct credential_case *k)
{
	struct credential_wait *w;

	k->round++;
	while ((w = TAILQ_FIRST(&k->waits)) != NULL && w->round != k->round) {
		credentials_leave(w);
		w->on_ready(w, &k->found, k->has_failed ? &k->err : NULL);
	}
}

static bool
case_is_kept(const struct credential_case *k)
{
	return loop_now_ms(k->desk->loop) < k->keep_until_ms;
}

/* Also when the answer is kept: it must come from the loop all the same. */
static void
case_submit(struct credential_case *k)
{
	k->is_out = true;
	k->is_known = case_is_kept(k) && !k->is_refused;
	k->is_refused = false;
	if (!k->is_known)
		credentials_done(&k->found);
	work_submit(k->desk->pool, &k->work);
}

static void
case_back(struct work *w)
{
	struct credential_case *k =
	    container_of(w, struct credential_case, work);

	if (k->desk == NULL) {
		k->is_out = false;
		case_free(k);
		return;
	}
	if (!k->is_known)
		k->keep_until_ms = k->from_helper && !k->has_failed
		    ? loop_now_ms(k->desk->loop) + CREDENTIALS_KEEP_MS
		    : 0;
	case_tell(k);
	k->is_out = false;
	if (!TAILQ_EMPTY(&k->waits))
		case_submit(k);
	else if (!case_is_kept(k))
		case_forget(k);
}

/* A copy, or NULL when there is none to make; *rc becomes -1 without memory. */
static char *
copy_option(const char *text, int *rc)
{
	char *copy = text == NULL ? NULL : str_dup(str_of(text));

	if (text != NULL && copy == NULL)
		*rc = -1;
	return copy;
}

static struct credential_case *
case_new(struct credential_desk *d, const struct config_auth *auth,
    const char *host, const struct buf *key)
{
	struct credential_case *k = calloc(1, sizeof(*k));
	int rc = 0;

	if (k == NULL)
		return NULL;
	k->desk = d;
	k->work.home = d->loop;
	k->work.run = case_run;
	k->work.done = case_back;
	TAILQ_INIT(&k->waits);
	buf_init(&k->key, key->max);
	buf_adds(&k->key, buf_str(key));
	k->docker_config = copy_option(auth->docker_config, &rc);
	k->username = copy_option(auth->username, &rc);
	k->password_file = copy_option(auth->password_file, &rc);
	k->host = copy_option(host, &rc);
	if (rc != 0 || k->key.overflow ||
	    map_put(d->cases, k->key.p, k->key.n, k) != 0) {
		case_free(k);
		return NULL;
	}
	return k;
}

/* Makes room: a kept answer can be asked for again. */
static void
forget_idle(const void *key, size_t n, void *value, void *arg)
{
	struct credential_case *k = value;

	(void)key;
	(void)n;
	(void)arg;
	if (!k->is_out)
		case_forget(k);
}

/* The case for this question; made when there is none. */
static struct credential_case *
case_get(
    struct credential_desk *d, const struct config_auth *auth, const char *host)
{
	const char *parts[] = { auth->docker_config, auth->username,
		auth->password_file, host };
	struct credential_case *k = NULL;
	struct buf key;

	buf_init(&key, 16 << 10);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_adds(&key, str_of(parts[i]));
		buf_add(&key, "", 1);
	}
	if (!key.overflow)
		k = map_find(d->cases, key.p, key.n);
	if (k == NULL && map_count(d->cases) >= CASES_MAX)
		map_each(d->cases, forget_idle, NULL);
	if (k == NULL && !key.overflow)
		k = case_new(d, auth, host, &key);
	buf_done(&key);
	return k;
}

/* ---- the contract ------------------------------------------------------ */

bool
credentials_are_configured(const struct config_auth *auth)
{
	return auth->docker_config != NULL ||
	    (auth->username != NULL && auth->password_file != NULL);
}

int
credentials_ask(struct credential_desk *d, const struct config_auth *auth,
    const char *host, bool anew, struct credential_wait *w, struct err *err)
{
	struct credential_case *k = case_get(d, auth, host);

	if (k == NULL)
		return err_set(
		    err, ERR_NO_MEMORY, "out of memory for credentials");
	k->is_refused = k->is_refused || anew;
	w->of = k;
	w->round = k->round + (anew && k->is_out ? 1 : 0);
	TAILQ_INSERT_TAIL(&k->waits, w, link);
	if (!k->is_out)
		case_submit(k);
	return 0;
}

void
credentials_leave(struct credential_wait *w)
{
	if (w->of != NULL)
		TAILQ_REMOVE(&w->of->waits, w, link);
	w->of = NULL;
}

struct credential_desk *
credential_desk_new(
    struct loop *origin, struct work_pool *pool, struct err *err)
{
	struct credential_desk *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->loop = origin;
		d->pool = pool;
		d->cases = map_new(CASES_MAX);
	}
	if (d == NULL || d->cases == NULL) {
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for credentials");
		credential_desk_free(d);
		return NULL;
	}
	return d;
}

/* Nobody waits any more; what is out comes back to itself. */
static void
case_orphan(const void *key, size_t n, void *value, void *arg)
{
	struct credential_case *k = value;

	(void)key;
	(void)n;
	(void)arg;
	check(TAILQ_EMPTY(&k->waits));
	k->desk = NULL;
	if (!k->is_out)
		case_free(k);
}

void
credential_desk_free(struct credential_desk *d)
{
	if (d == NULL)
		return;
	if (d->cases != NULL)
		map_each(d->cases, case_orphan, NULL);
	map_free(d->cases);
	free(d);
}
