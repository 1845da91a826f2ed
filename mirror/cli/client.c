/*
 * client.c - asks the control plane: one request after the other, with libcurl.
 *
 * Patience and size have ceilings; redirects and proxies are not followed: a
 * token goes to the address that was named and nowhere else.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/buf.h"
#include "common/clock.h"

#define CONNECT_MS 3000L
#define TOTAL_MS 15000L
#define SILENCE_MS 45000 /* of events; the mirror says something every 15 s */
#define KEEPALIVE_S 15L
#define ANSWER_MAX_BYTES (16u << 20)
#define TOKEN_MAX 4096
#define URL_MAX_BYTES 4096

struct client {
	CURL *curl;
	struct curl_slist *headers;
	const char *url; /* borrowed */
	struct buf body;
	json_t *said;      /* the last answer; owned, may be NULL */
	uint64_t heard_ms; /* clock_mono_ms() of the last event's bytes */
	char error[CURL_ERROR_SIZE];
};

/* ---- setting up --------------------------------------------------------- */

static int
read_token(const char *path, char token[TOKEN_MAX], struct err *err)
{
	FILE *f = fopen(path, "re");
	bool has_line;

	if (f == NULL)
		return err_errno(err, ERR_CONFIG, "token file %s", path);
	has_line = fgets(token, TOKEN_MAX, f) != NULL;
	(void)fclose(f);
	if (has_line)
		token[strcspn(token, " \t\r\n")] = '\0';
	if (!has_line || token[0] == '\0')
		return err_set(
		    err, ERR_CONFIG, "token file %s holds no token", path);
	return 0;
}

static int
add_token(struct client *c, const char *path, struct err *err)
{
	char token[TOKEN_MAX];
	char header[TOKEN_MAX + 32];

	if (path == NULL)
		return 0;
	if (read_token(path, token, err) != 0)
		return -1;
	(void)snprintf(
	    header, sizeof(header), "Authorization: Bearer %s", token);
	c->headers = curl_slist_append(NULL, header);
	if (c->headers == NULL)
		return err_set(err, ERR_NO_MEMORY, "no memory for a token");
	return 0;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;

	buf_add(body, bytes, size * n);
	return body->overflow ? 0 : size * n;
}

static void
set_options(struct client *c, const struct client_spec *spec)
{
	CURL *curl = c->curl;

	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_MS);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "railhead");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &c->body);
	if (spec->ca != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, spec->ca);
	if (spec->certificate != NULL)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, spec->certificate);
	if (spec->key != NULL)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, spec->key);
}

struct client *
client_new(const struct client_spec *spec, struct err *err)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a client");
		return NULL;
	}
	c->url = spec->url;
	buf_init(&c->body, ANSWER_MAX_BYTES);
	c->curl = curl_easy_init();
	if (c->curl == NULL)
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a client");
	if (c->curl == NULL || add_token(c, spec->token_file, err) != 0) {
		client_free(c);
		return NULL;
	}
	set_options(c, spec);
	return c;
}

void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	json_decref(c->said);
	buf_done(&c->body);
	free(c);
}

/* ---- asking ------------------------------------------------------------- */

/* The server's own sentence, when the answer has one. */
static int
refused(struct client *c, long status, const json_t *answer, struct err *err)
{
	const json_t *first =
	    json_array_get(json_object_get(answer, "errors"), 0);
	const char *message =
	    json_string_value(json_object_get(first, "message"));
	enum err_code code = status == 401     ? ERR_UNAUTHORIZED
	    : status == 403                    ? ERR_DENIED
	    : status == 404 && message != NULL ? ERR_NOT_FOUND
	    : status / 100 == 4                ? ERR_BAD_REQUEST
					       : ERR_UPSTREAM_DOWN;
	char shown[ERR_TEXT_MAX];

	if (message == NULL)
		return err_set(err, code,
		    "%s answered %ld; is it the admin "
		    "address of a Railhead?",
		    c->url, status);
	return err_set(err, code, "%s answered %ld: %s", c->url, status,
	    str_printable(str_of(message), shown, sizeof(shown)));
}

static int
ask(struct client *c, const char *path, long *status, struct err *err)
{
	char url[URL_MAX_BYTES];
	CURLcode code;

	if (snprintf(url, sizeof(url), "%s%s", c->url, path) >=
	    (int)sizeof(url))
		return err_set(err, ERR_BAD_REQUEST, "the URL is too long");
	buf_reset(&c->body);
	c->error[0] = '\0';
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	code = curl_easy_perform(c->curl);
	if (c->body.overflow)
		return err_set(err, ERR_UPSTREAM_DOWN,
		    "%s answered with more than %u MiB", url,
		    ANSWER_MAX_BYTES >> 20);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return err_set(err, ERR_UPSTREAM_DOWN,
		    "%s has said nothing for %d s; is the line there?", c->url,
		    SILENCE_MS / 1000);
	if (code != CURLE_OK)
		return err_set(err, ERR_UPSTREAM_DOWN,
		    "could not reach %s: %s%s", c->url,
		    c->error[0] != '\0' ? c->error : curl_easy_strerror(code),
		    code == CURLE_COULDNT_CONNECT
			? "; is Railhead running there?"
			: "");
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, status);
	return 0;
}

static json_t *
read_answer(struct client *c, long status, struct err *err)
{
	json_decref(c->said);
	c->said =
	    json_loadb(c->body.p != NULL ? c->body.p : "", c->body.n, 0, NULL);
	if ((status == 200 || status == 201) && json_is_object(c->said))
		return json_incref(c->said);
	(void)refused(c, status, c->said, err);
	return NULL;
}

const json_t *
client_said(const struct client *c)
{
	return c->said;
}

void
client_set_patience(struct client *c, long ms)
{
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, ms);
}

void
client_library_start(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

json_t *
client_get(struct client *c, const char *path, struct err *err)
{
	long status = 0;

	if (ask(c, path, &status, err) != 0)
		return NULL;
	return read_answer(c, status, err);
}

/* The headers of all requests, and this one's type; NULL: no memory. */
static struct curl_slist *
typed_headers(const struct client *c, const char *type)
{
	struct curl_slist *all = NULL, *more;
	char header[128];

	(void)snprintf(header, sizeof(header), "Content-Type: %s", type);
	all = curl_slist_append(NULL, header);
	for (const struct curl_slist *h = c->headers; all != NULL && h != NULL;
	     h = h->next) {
		more = curl_slist_append(all, h->data);
		if (more == NULL)
			curl_slist_free_all(all);
		all = more;
	}
	return all;
}

json_t *
client_send(struct client *c, const char *method, const char *path,
    const char *type, struct str body, struct err *err)
{
	struct curl_slist *headers =
	    typed_headers(c, type != NULL ? type : "application/json");
	long status = 0;
	int rc;

	if (headers == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a request");
		return NULL;
	}
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(
	    c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.n > 0 ? body.p : "");
	rc = ask(c, path, &status, err);
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, NULL);
	curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	curl_slist_free_all(headers);
	return rc == 0 ? read_answer(c, status, err) : NULL;
}

json_t *
client_patch(
    struct client *c, const char *path, const json_t *body, struct err *err)
{
	char *text = json_dumps(body, 0);
	json_t *answer;

	if (text == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a request");
		return NULL;
	}
	answer = client_send(
	    c, "PATCH", path, "application/json", str_of(text), err);
	free(text);
	return answer;
}

/* ---- events ------------------------------------------------------------- */

struct listening {
	struct client *client;
	client_event_fn *fn;
	void *arg;
	bool is_enough;
};

/* One event's lines; what we do not know is passed over. */
static void
hear(struct listening *l, struct str text)
{
	char event[64] = "message";
	json_t *data = NULL;
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		if (str_starts(line, STR("event: ")))
			(void)str_printable(
			    str_from(line, 7), event, sizeof(event));
		if (str_starts(line, STR("data: ")) && data == NULL)
			data = json_loadb(line.p + 6, line.n - 6, 0, NULL);
	}
	if (data != NULL && !l->fn(l->arg, event, data))
		l->is_enough = true;
	json_decref(data);
}

static size_t
on_stream(char *bytes, size_t size, size_t n, void *arg)
{
	struct listening *l = arg;
	struct buf *body = &l->client->body;
	const char *end;
	long status = 0;

	l->client->heard_ms = clock_mono_ms();
	buf_add(body, bytes, size * n);
	curl_easy_getinfo(l->client->curl, CURLINFO_RESPONSE_CODE, &status);
	while (status == 200 && !l->is_enough &&
	    (end = memmem(body->p, body->n, "\n\n", 2)) != NULL) {
		size_t length = (size_t)(end - body->p);

		hear(l, (struct str){ body->p, length });
		buf_consume(body, length + 2);
	}
	return body->overflow || l->is_enough ? 0 : size * n;
}

/* About every second.  A mirror that has vanished sends no FIN. */
static int
on_second(void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_send,
    curl_off_t sent)
{
	const struct client *c = arg;

	(void)to_get;
	(void)got;
	(void)to_send;
	(void)sent;
	return clock_mono_ms() - c->heard_ms > SILENCE_MS;
}

static void
watch_silence(struct client *c, bool is_on)
{
	c->heard_ms = clock_mono_ms();
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_second);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, is_on ? 0L : 1L);
}

int
client_listen(struct client *c, const char *path, client_event_fn *fn,
    void *arg, struct err *err)
{
	struct listening l = { c, fn, arg, false };
	long status = 0;
	int rc;

	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_stream);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &l);
	client_set_patience(c, 0);
	watch_silence(c, true);
	rc = ask(c, path, &status, err);
	watch_silence(c, false);
	client_set_patience(c, TOTAL_MS);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->body);
	if (l.is_enough)
		return 0;
	if (rc != 0)
		return -1;
	if (status == 200)
		return 0;
	(void)read_answer(c, status, err);
	return -1;
}

/* ---- what commands have in common --------------------------------------- */

int
client_exit(const char *command, const struct err *err)
{
	return cli_fail(err->code == ERR_UPSTREAM_DOWN ? EXIT_UNREACHABLE
		: err->code == ERR_NOT_FOUND           ? EXIT_NO
						       : EXIT_USAGE,
	    command, err->text);
}

struct client *
client_open(const char *command, struct client_spec *spec, const char *config,
    char url[ADMIN_URL_MAX])
{
	struct client *c = NULL;
	struct err err;

	if (client_find_admin(spec, config, url, &err) == 0)
		c = client_new(spec, &err);
	if (c == NULL)
		(void)cli_fail(EXIT_USAGE, command, err.text);
	return c;
}

void
client_print(const json_t *value)
{
	(void)json_dumpf(value, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}
