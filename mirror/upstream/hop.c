/*
 * hop.c - an easy handle: what is asked with it, and what its end means.
 *
 * Two options are there against surprises.  QUICK_EXIT: without it libcurl
 * joins a resolver thread that still waits for a name server when a transfer
 * is removed or runs into its timeout, and our loop would wait with it; with
 * it the thread is let go and frees what it holds when it is done.  PROXY and
 * NOPROXY: empty strings keep libcurl from looking into the environment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/version.h"
#include "curl_int.h"
#include "upstream/url.h"

#define RECEIVE_BYTES (256L << 10)
#define KERNEL_FIRST (128 << 10)    /* of a new socket, as SO_RCVBUF tells it */
#define KERNEL_BEGIN (64u << 10)    /* what a new connection may be sent */
#define KERNEL_RMEM_MAX (208 << 10) /* what Linux lets everybody ask for */
#define KERNEL_OPEN (4u << 20)
#define EPOCH_LEAST_S 1000000000 /* so many seconds are no delay */

struct hop {
	struct curl_loop *curl;     /* borrowed; outlives us */
	CURL *easy;                 /* owned; in the multi while RUNNING */
	struct curl_slist *headers; /* owned */
	enum hop_end end;
	bool has_head;
	bool was_stopped;
	uint64_t connect_ms;
	uint64_t total_ms;
	size_t kernel_bytes; /* 0: as the kernel likes */
	curl_socket_t fd;    /* CURL_SOCKET_BAD: libcurl watches none now */
	curl_socket_t sized_fd;
	size_t sized_bytes;      /* what sized_fd was given */
	char origin[ORIGIN_MAX]; /* whom we ask */
	int (*on_head)(void *arg);
	int (*on_bytes)(void *arg, const void *, size_t);
	void (*on_end)(void *arg);
	void *arg;
	struct err err;
	char curl_says[CURL_ERROR_SIZE];
};

/* ---- what comes in ----------------------------------------------------- */

static size_t
hop_stop(struct hop *h)
{
	h->was_stopped = true;
	return 0; /* fewer than all: libcurl gives up */
}

/* One line of a head or a trailer; an empty one ends it. */
static size_t
on_header_line(char *line, size_t one, size_t n, void *arg)
{
	struct hop *h = arg;

	(void)one;
	if (h->has_head || (line[0] != '\r' && line[0] != '\n'))
		return n;
	if (hop_status(h) < 200)
		return n; /* 100 Continue: the answer is still to come */
	h->has_head = true;
	return h->on_head(h->arg) == 0 ? n : hop_stop(h);
}

static size_t
on_body(char *bytes, size_t one, size_t n, void *arg)
{
	struct hop *h = arg;

	int rc = h->on_bytes(h->arg, bytes, n);

	(void)one;
	if (rc == HOP_LATER)
		return CURL_WRITEFUNC_PAUSE;
	return rc == 0 ? n : hop_stop(h);
}

/* ---- what the kernel takes in advance ----------------------------------- */

/*
 * A connection keeps the buffer that it once had, also for whoever uses it
 * next, so "as the kernel likes" undoes a smaller one.  Without privileges
 * there is a ceiling (net.core.rmem_max); above that the kernel's own sizing
 * serves better.
 */
static void
set_receive(curl_socket_t fd, size_t n)
{
	int is = 0, want = (int)(n == 0 ? KERNEL_OPEN : n);
	socklen_t size = sizeof(is);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &is, &size) != 0 ||
	    (n == 0 && is >= KERNEL_FIRST) || is == 2 * want)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof(want)) ==
	    0)
		return;
	if (want < KERNEL_RMEM_MAX || is < KERNEL_FIRST)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof(want));
}

/* Before it connects: only where even what every connection begins with would
 * be too much, since the size then also bounds what it can ever be. */
static int
on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	struct hop *h = arg;

	(void)purpose;
	if (h->kernel_bytes > 0 && h->kernel_bytes < KERNEL_BEGIN)
		set_receive(fd, h->kernel_bytes);
	return CURL_SOCKOPT_OK;
}

/* A paused transfer's socket goes and comes back; nothing is new then. */
void
hop_at_socket(struct hop *h, curl_socket_t fd)
{
	h->fd = fd;
	if (fd == CURL_SOCKET_BAD ||
	    (fd == h->sized_fd && h->kernel_bytes == h->sized_bytes))
		return;
	set_receive(fd, h->kernel_bytes);
	h->sized_fd = fd;
	h->sized_bytes = h->kernel_bytes;
}

void
hop_set_receive(struct hop *h, size_t n)
{
	if (n == h->kernel_bytes || h->end != HOP_RUNNING)
		return;
	h->kernel_bytes = n;
	hop_at_socket(h, h->fd);
}

/* ---- how it ended ------------------------------------------------------ */

/* clang-format off */
static const struct {
	CURLcode code;
	enum hop_end end;
	const char *what; /* NULL: libcurl's own words */
} ends[] = {
	{ CURLE_COULDNT_RESOLVE_HOST,    HOP_UNREACHABLE, "its name could not be resolved" },
	{ CURLE_COULDNT_RESOLVE_PROXY,   HOP_UNREACHABLE, "the name of the proxy could not be resolved" },
	{ CURLE_COULDNT_CONNECT,         HOP_UNREACHABLE, "no connection" },
	{ CURLE_GOT_NOTHING,             HOP_UNREACHABLE, "closed the connection without an answer" },
	{ CURLE_PEER_FAILED_VERIFICATION, HOP_UNREACHABLE, "its certificate is not trusted (`ca` of the endpoint names who may sign it)" },
	{ CURLE_SSL_CACERT_BADFILE,      HOP_UNREACHABLE, "the file that `ca` of the endpoint names could not be read" },
	{ CURLE_SSL_CONNECT_ERROR,       HOP_UNREACHABLE, "TLS failed" },
	{ CURLE_WEIRD_SERVER_REPLY,      HOP_GARBAGE,     "did not answer in HTTP" },
	{ CURLE_UNSUPPORTED_PROTOCOL,    HOP_GARBAGE,     "did not answer in HTTP" },
	{ CURLE_URL_MALFORMAT,           HOP_GARBAGE,     "cannot be asked for such a URL" },
	{ CURLE_LOGIN_DENIED,            HOP_GARBAGE,     "cannot be asked for such a URL" },
	{ CURLE_OUT_OF_MEMORY,           HOP_UNREACHABLE, "out of memory here" },
	{ CURLE_PARTIAL_FILE,            HOP_BROKEN,      "ended the body early" },
};
/* clang-format on */

/* Waiting for the connection, or for the answer: which patience ran out? */
static uint64_t
hop_patience_ms(const struct hop *h)
{
	curl_off_t sent_at_us = 0;

	check(curl_easy_getinfo(h->easy, CURLINFO_PRETRANSFER_TIME_T,
		  &sent_at_us) == CURLE_OK);
	return sent_at_us == 0 || h->total_ms == 0 ? h->connect_ms
						   : h->total_ms;
}

static void
hop_fail_timed_out(struct hop *h)
{
	uint64_t ms = hop_patience_ms(h);

	h->end = h->has_head ? HOP_BROKEN : HOP_UNREACHABLE;
	(void)err_set(&h->err, ERR_UPSTREAM_DOWN,
	    "%s did not answer within %g s", h->origin, (double)ms / 1000);
}

static void
hop_fail(struct hop *h, CURLcode code)
{
	const char *what = curl_easy_strerror(code);
	char says[200] = "";

	h->end = h->has_head ? HOP_BROKEN : HOP_UNREACHABLE;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].code == code) {
			h->end = ends[i].end;
			what = ends[i].what;
		}
	if (h->curl_says[0] != '\0')
		(void)str_printable(str_of(h->curl_says), says, sizeof(says));
	(void)err_set(&h->err, ERR_UPSTREAM_DOWN, "%s: %s%s%s%s", h->origin,
	    what, says[0] == '\0' ? "" : " (", says,
	    says[0] == '\0' ? "" : ")");
}

void
hop_ended(struct hop *h, CURLcode code)
{
	if (h->was_stopped)
		h->end = HOP_STOPPED;
	else if (code == CURLE_OK && h->has_head)
		h->end = HOP_DONE;
	else if (code == CURLE_OK) /* libcurl is content with half a head */
		hop_fail(h, CURLE_GOT_NOTHING);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		hop_fail_timed_out(h);
	else
		hop_fail(h, code);
	h->on_end(h->arg); /* may free the hop */
}

/* ---- asking ------------------------------------------------------------ */

static int
hop_add_headers(struct hop *h, struct str lines)
{
	struct curl_slist *list;
	struct str line;
	char *text;

	while (str_cut(&lines, '\n', &line)) {
		if (line.n == 0)
			continue;
		text = str_dup(line);
		list =
		    text == NULL ? NULL : curl_slist_append(h->headers, text);
		free(text);
		if (list == NULL)
			return -1;
		h->headers = list;
	}
	return 0;
}

/* The only way in which these can fail is a lack of memory. */
#define SET(option, value) rc |= (int)curl_easy_setopt(h->easy, option, value)

static int
hop_set_transfer(struct hop *h, const struct hop_spec *spec)
{
	char agent[64];
	int rc = 0;

	(void)snprintf(agent, sizeof(agent), "railhead/%s", version_number());
	SET(CURLOPT_URL, spec->url);
	SET(CURLOPT_HTTPHEADER, h->headers);
	SET(CURLOPT_USERAGENT, agent);
	SET(CURLOPT_HEADERFUNCTION, on_header_line);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	SET(CURLOPT_PRIVATE, h);
	SET(CURLOPT_ERRORBUFFER, h->curl_says);
	SET(CURLOPT_BUFFERSIZE,
	    spec->read_bytes > 0 ? (long)spec->read_bytes : RECEIVE_BYTES);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	if (spec->method == HOP_HEAD)
		SET(CURLOPT_NOBODY, 1L);
	if (spec->method == HOP_POST)
		SET(CURLOPT_COPYPOSTFIELDS, spec->form);
	return rc;
}

/* Only for an endpoint's `ca` and the system's together: with a folder libcurl
 * does not keep what it has read, and reads the system's bundle again for each
 * connection, 25 ms of our loop each time. */
static bool
wants_ca_folder(const struct hop_spec *spec)
{
	if (spec->ca != NULL)
		return !spec->is_ca_alone;
	return curl_version_info(CURLVERSION_NOW)->cainfo == NULL;
}

static int
hop_set_connection(struct hop *h, const struct hop_spec *spec)
{
	int rc = 0;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)spec->connect_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)spec->total_ms);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_SOCKOPTFUNCTION, on_new_socket);
	SET(CURLOPT_SOCKOPTDATA, h);
	SET(CURLOPT_PROXY, spec->proxy == NULL ? "" : spec->proxy);
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (spec->interface != NULL)
		SET(CURLOPT_INTERFACE, spec->interface);
	if (spec->ca != NULL)
		SET(CURLOPT_CAINFO, spec->ca);
	if (!wants_ca_folder(spec))
		SET(CURLOPT_CAPATH, NULL);
	return rc;
}
#undef SET

static int
hop_set_up(struct hop *h, const struct hop_spec *spec)
{
	check(url_origin(spec->url, h->origin) == 0);
	h->easy = curl_easy_init();
	if (h->easy == NULL || hop_add_headers(h, str_of(spec->headers)) != 0 ||
	    hop_set_transfer(h, spec) != 0 || hop_set_connection(h, spec) != 0)
		return -1;
	return curl_loop_add(h->curl, h->easy);
}

struct hop *
hop_start(const struct hop_spec *spec, struct err *err)
{
	struct hop *h = calloc(1, sizeof(*h));

	if (h != NULL) {
		h->curl = spec->curl;
		h->connect_ms = spec->connect_ms;
		h->total_ms = spec->total_ms;
		h->kernel_bytes = spec->kernel_bytes;
		h->fd = h->sized_fd = CURL_SOCKET_BAD;
		h->on_head = spec->on_head;
		h->on_bytes = spec->on_bytes;
		h->on_end = spec->on_end;
		h->arg = spec->arg;
		h->end = HOP_STOPPED; /* not in the multi yet */
	}
	if (h == NULL || hop_set_up(h, spec) != 0) {
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for a request");
		hop_close(h);
		return NULL;
	}
	h->end = HOP_RUNNING;
	return h;
}

void
hop_resume(struct hop *h)
{
	CURLcode code;

	if (h->end != HOP_RUNNING)
		return;
	code = curl_loop_resume(h->curl, h->easy);
	if (code == CURLE_OK)
		return;
	curl_loop_remove(h->curl, h->easy);
	hop_ended(h, code);
}

void
hop_close(struct hop *h)
{
	if (h == NULL)
		return;
	check(!curl_loop_is_inside(h->curl));
	if (h->end == HOP_RUNNING)
		curl_loop_remove(h->curl, h->easy);
	curl_easy_cleanup(h->easy);
	curl_slist_free_all(h->headers);
	free(h);
}

/* ---- looking ----------------------------------------------------------- */

enum hop_end
hop_end(const struct hop *h)
{
	return h->end;
}

const struct err *
hop_error(const struct hop *h)
{
	return &h->err;
}

int
hop_status(const struct hop *h)
{
	long status = 0;

	check(curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status) ==
	    CURLE_OK);
	return (int)status;
}

int64_t
hop_length(const struct hop *h)
{
	curl_off_t n = -1;

	check(curl_easy_getinfo(
		  h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n) == CURLE_OK);
	return n;
}

struct str
hop_header(const struct hop *h, const char *name, size_t n)
{
	struct curl_header *found;

	if (curl_easy_header(h->easy, name, n, CURLH_HEADER, -1, &found) !=
	    CURLHE_OK)
		return (struct str){ NULL, 0 };
	return str_of(found->value);
}

uint64_t
hop_retry_after_ms(const struct hop *h)
{
	curl_off_t s = 0;

	check(curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &s) == CURLE_OK);
	if (s >= EPOCH_LEAST_S) /* a time, as Docker Hub tells it */
		s -= (curl_off_t)clock_wall_s();
	return s > 0 && s < INT32_MAX ? (uint64_t)s * 1000 : 0;
}

const char *
hop_redirect(const struct hop *h)
{
	char *url = NULL;

	check(curl_easy_getinfo(h->easy, CURLINFO_REDIRECT_URL, &url) ==
	    CURLE_OK);
	return url;
}
