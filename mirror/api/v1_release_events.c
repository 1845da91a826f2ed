/*
 * v1_release_events.c - GET /v1/releases/NAME/events: server-sent events.
 *
 *	event: state	data: {the release, "list": [images that changed]}
 *	event: gone	the release is there no more; the last event
 *
 * The first event has all images.  Events are written into a file in memory,
 * from which the reply is sent: a slow client costs no more than that, and
 * when the file has become large the reply ends and the client comes again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/shared_fd.h"
#include "loop/timer.h"
#include "releases_int.h"

#define STREAM_MAX_BYTES (64u << 20)
#define EVENT_MAX_BYTES (32u << 20)
#define BEAT_MS 1000
#define BEATS_A_COMMENT 15

struct events {
	struct admin *admin;
	struct exchange *exchange;
	struct shared_fd *file; /* counted */
	uint64_t n;             /* bytes written */
	struct release_ear *ear;
	struct timer timer;
	unsigned n_beats;
	bool is_over;
};

static void
on_ended(struct exchange *e, enum exchange_end end)
{
	struct events *ev = e->owner;

	(void)end;
	release_ear_close(ev->ear);
	timer_stop(&ev->timer);
	shared_fd_unref(ev->file);
	free(ev);
}

/* ---- writing ------------------------------------------------------------ */

static void
stop(struct events *ev)
{
	if (ev->is_over)
		return;
	ev->is_over = true;
	reply_stop(ev->exchange);
}

static void
put(struct events *ev, struct str text)
{
	ssize_t n;

	if (ev->is_over)
		return;
	if (ev->n + text.n > STREAM_MAX_BYTES) {
		stop(ev);
		return;
	}
	n = pwrite(ev->file->fd, text.p, text.n, (off_t)ev->n);
	if (n != (ssize_t)text.n) {
		stop(ev);
		return;
	}
	ev->n += text.n;
	reply_allow(ev->exchange, ev->n);
}

static int
add_bytes(const char *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return ((struct buf *)arg)->overflow ? -1 : 0;
}

/* Takes DATA. */
static void
send_event(struct events *ev, const char *name, json_t *data)
{
	struct buf text;

	buf_init(&text, EVENT_MAX_BYTES);
	buf_printf(&text, "event: %s\ndata: ", name);
	(void)json_dump_callback(data, add_bytes, &text, JSON_COMPACT);
	json_decref(data);
	buf_addz(&text, "\n\n");
	if (text.overflow)
		stop(ev);
	else
		put(ev, buf_str(&text));
	buf_done(&text);
}

static void
on_change(void *arg, struct release_view *v)
{
	struct events *ev = arg;
	json_t *data, *images;

	if (v == NULL) {
		send_event(ev, "gone", json_object());
		stop(ev);
		return;
	}
	data = json_summary(&v->summary);
	images = json_array();
	for (size_t i = 0; i < v->n_images; i++)
		(void)json_array_append_new(images, json_image(&v->images[i]));
	(void)json_object_set_new(data, "list", images);
	send_event(ev, "state", data);
}

/* A comment now and then tells both sides that the other is there. */
static void
on_beat(void *arg)
{
	struct events *ev = arg;

	if (atomic_load(&ev->admin->is_draining))
		stop(ev);
	if (++ev->n_beats % BEATS_A_COMMENT == 0)
		put(ev, STR(": still here\n\n"));
	timer_set(&ev->timer, BEAT_MS);
}

/* ---- beginning ---------------------------------------------------------- */

static struct shared_fd *
new_file(struct err *err)
{
	int fd = memfd_create("railhead-events", MFD_CLOEXEC);
	struct shared_fd *file;

	if (fd < 0) {
		(void)err_errno(err, ERR_NO_MEMORY, "no file for events");
		return NULL;
	}
	file = shared_fd_new(fd);
	if (file == NULL)
		(void)err_set(err, ERR_NO_MEMORY, "no memory for events");
	return file;
}

/* Two references to the file: the reply's and ours. */
static void
begin(struct release_ask *ask)
{
	struct exchange *e = ask->exchange;
	struct events *ev = calloc(1, sizeof(*ev));
	struct err err;

	(void)err_set(&err, ERR_NO_MEMORY, "no memory for events");
	if (ev == NULL || (ev->file = new_file(&err)) == NULL) {
		free(ev);
		admin_fail(e, &err, NULL);
		return;
	}
	ev->admin = ask->admin;
	ev->exchange = e;
	timer_init(&ev->timer, ask->admin->spec.admin, on_beat, ev);
	ev->ear = release_ear_open(ask->admin->spec.releases,
	    ask->admin->spec.admin, ask->call.name, on_change, ev);
	if (ev->ear == NULL) {
		shared_fd_unref(ev->file);
		free(ev);
		admin_fail(e, &err, NULL);
		return;
	}
	e->owner = ev;
	e->on_end = on_ended;
	reply_start(e, 200);
	reply_header(e, "Content-Type", STR("text/event-stream"));
	reply_header(e, "Cache-Control", STR("no-store"));
	reply_stream(e, shared_fd_ref(ev->file));
	timer_set(&ev->timer, BEAT_MS);
}

void
v1_release_events(struct admin *a, struct exchange *e)
{
	struct release_ask *ask = ask_new(a, e, RELEASE_VIEW, begin);

	if (ask != NULL)
		ask_send(ask);
}
