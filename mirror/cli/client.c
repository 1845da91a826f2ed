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

#include "cli_int.h"
#include "common/buf.h"

#define CONNECT_MS 3000L
#define TOTAL_MS 15000L
#define ANSWER_MAX_BYTES (16u << 20)
#define TOKEN_MAX 4096
#define URL_MAX_BYTES 4096

struct client {
	CURL *curl;
	struct curl_slist *headers;
	const char *url; /* borrowed */
	struct buf body;
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
	buf_done(&c->body);
	free(c);
}

/* ---- asking ------------------------------------------------------------- */

/* The server's own sentence, when the answer has one. */
static int
refused(struct client *c, long status, const json_t *answer, struct err *err)
{
	enum err_code code = status == 401 ? ERR_UNAUTHORIZED
	    : status == 403                ? ERR_DENIED
	    : status / 100 == 4            ? ERR_BAD_REQUEST
					   : ERR_UPSTREAM_DOWN;
	const json_t *first =
	    json_array_get(json_object_get(answer, "errors"), 0);
	const char *message =
	    json_string_value(json_object_get(first, "message"));
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
	json_t *answer =
	    json_loadb(c->body.p != NULL ? c->body.p : "", c->body.n, 0, NULL);

	if (status == 200 && json_is_object(answer))
		return answer;
	(void)refused(c, status, answer, err);
	json_decref(answer);
	return NULL;
}

json_t *
client_get(struct client *c, const char *path, struct err *err)
{
	long status = 0;

	if (ask(c, path, &status, err) != 0)
		return NULL;
	return read_answer(c, status, err);
}

json_t *
client_patch(
    struct client *c, const char *path, const json_t *body, struct err *err)
{
	char *text = json_dumps(body, 0);
	long status = 0;
	int rc;

	if (text == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a request");
		return NULL;
	}
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, "PATCH");
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, text);
	rc = ask(c, path, &status, err);
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, NULL);
	curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	free(text);
	return rc == 0 ? read_answer(c, status, err) : NULL;
}
