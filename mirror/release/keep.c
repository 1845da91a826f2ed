/*
 * keep.c - what outlives a restart: STATE/releases/NAME.json and
 * STATE/freeze.json, replaced by rename on a work thread.
 *
 * A release's file is its list in its one form, and beside it when things
 * happened.  One write a file at a time; what changes meanwhile is written by
 * the next, and what is gone by then is removed.  A file that can't be read is
 * left alone, said in the log, and then all pins stay.
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/file.h"
#include "common/log.h"
#include "release_int.h"

#define FILE_MAX_BYTES (64u << 20)

/* ---- records ---------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *key;
	size_t offset;
} times[] = {
	{ "generation",  offsetof(struct record, generation) },
	{ "accepted_at", offsetof(struct record, accepted_at) },
	{ "begun_at",    offsetof(struct record, begun_at) },
	{ "ready_at",    offsetof(struct record, ready_at) },
	{ "lost_at",     offsetof(struct record, lost_at) },
	{ "window_at",   offsetof(struct record, window_at) },
	{ "window_ends", offsetof(struct record, window_ends) },
};
static const struct {
	const char *key;
	size_t offset;
} marks[] = {
	{ "has_missed", offsetof(struct record, has_missed) },
	{ "is_caught",  offsetof(struct record, is_caught) },
	{ "is_on_hold", offsetof(struct record, is_on_hold) },
};
/* clang-format on */
#define N_TIMES (sizeof(times) / sizeof(times[0]))
#define N_MARKS (sizeof(marks) / sizeof(marks[0]))

/* One that was cut within a letter can't be written; that it was there is
 * what counts. */
static json_t *
text_json(const char *text)
{
	json_t *o = json_string(text);

	return o != NULL ? o : json_string("?");
}

/* NULL: no memory; what lacks a part would be read as another. */
static json_t *
record_json(const struct record *k)
{
	json_t *root = json_object();
	int status = 0;

	for (size_t i = 0; i < N_TIMES; i++) {
		int64_t value;

		memcpy(
		    &value, (const char *)k + times[i].offset, sizeof(value));
		status |= json_object_set_new(
		    root, times[i].key, json_integer(value));
	}
	for (size_t i = 0; i < N_MARKS; i++) {
		bool is_set;

		memcpy(
		    &is_set, (const char *)k + marks[i].offset, sizeof(is_set));
		status |= json_object_set_new(
		    root, marks[i].key, json_boolean(is_set));
	}
	status |= json_object_set_new(root, "held_by", text_json(k->held_by));
	status |= json_object_set_new(root, "held_why", text_json(k->held_why));
	if (status == 0)
		return root;
	json_decref(root);
	return NULL;
}

static void
copy_text(const json_t *root, const char *key, char *out, size_t cap)
{
	const char *text = json_string_value(json_object_get(root, key));

	(void)snprintf(out, cap, "%s", text != NULL ? text : "");
}

static void
record_read(struct record *k, const json_t *root)
{
	for (size_t i = 0; i < N_TIMES; i++) {
		int64_t value =
		    json_integer_value(json_object_get(root, times[i].key));

		memcpy((char *)k + times[i].offset, &value, sizeof(value));
	}
	for (size_t i = 0; i < N_MARKS; i++) {
		bool is_set = json_is_true(json_object_get(root, marks[i].key));

		memcpy((char *)k + marks[i].offset, &is_set, sizeof(is_set));
	}
	copy_text(root, "held_by", k->held_by, sizeof(k->held_by));
	copy_text(root, "held_why", k->held_why, sizeof(k->held_why));
}

/* ---- writing ------------------------------------------------------------------- */

/* A file on its way; there is one a name, so that what is written first is not
 * there last. */
struct keep_file {
	struct work work;
	struct releases *releases;
	char name[RELEASE_NAME_MAX + 1]; /* of a release; or FREEZE */
	char *path;                      /* owned */
	/* Until its calls were answered, which may want more. */
	bool is_running;
	bool is_due;      /* to be written, or written again */
	bool is_gone;     /* the file goes */
	char *text;       /* owned; NULL and not gone: no memory */
	struct err error; /* ERR_NONE: done */
	struct pending_calls now, next; /* answered by this run; the next */
};

#define FREEZE "/freeze" /* no release's name */

static char *
path_of(struct releases *rs, const char *name)
{
	char *path;
	int n;

	if (strcmp(name, FREEZE) == 0)
		n = asprintf(&path, "%s/freeze.json", rs->spec.state_folder);
	else
		n = asprintf(&path, "%s/%s.json", rs->folder, name);
	return n < 0 ? NULL : path;
}

static void
run_write(struct work *w)
{
	struct keep_file *f = container_of(w, struct keep_file, work);

	int status;

	if (f->is_gone)
		status = file_remove(f->path, &f->error);
	else if (f->text != NULL)
		status = file_replace(f->path, str_of(f->text), &f->error);
	else
		status = err_set(&f->error, ERR_NO_MEMORY,
		    "no memory to write %s; it is as it was", f->path);
	if (status == 0)
		f->error.code = ERR_NONE;
}

/* The list's text goes in as it is. */
static char *
release_text(const struct release *r)
{
	json_t *record = record_json(&r->record);
	char *head = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
	char *text = NULL;

	if (head != NULL &&
	    asprintf(&text, "{\"release\":\"%s\",\"record\":%s,\"list\":%s}\n",
		r->name, head, r->text) < 0)
		text = NULL;
	free(head);
	json_decref(record);
	return text;
}

static char *
freeze_text(const struct freeze *f)
{
	json_t *root = json_pack("{s:b,s:s,s:s,s:I,s:I}", "is_on",
	    (int)f->is_on, "reason", f->reason, "by", f->by, "since",
	    (json_int_t)f->since, "until", (json_int_t)f->until);
	char *text = root != NULL ? json_dumps(root, 0) : NULL;

	json_decref(root);
	return text;
}

/* What is to be in the file now. */
static void
take_text(struct keep_file *f)
{
	struct releases *rs = f->releases;
	struct release *r = release_find(rs, f->name);

	free(f->text);
	f->text = NULL;
	f->is_gone = false;
	if (strcmp(f->name, FREEZE) == 0)
		f->text = freeze_text(&rs->freeze);
	else if (r != NULL)
		f->text = release_text(r);
	else
		f->is_gone = true;
}

static void
file_start(struct keep_file *f)
{
	f->is_due = false;
	f->is_running = true;
	TAILQ_CONCAT(&f->now, &f->next, inside.entry);
	take_text(f);
	work_submit(f->releases->spec.pool, &f->work);
}

static void
file_free(struct keep_file *f)
{
	(void)map_take(f->releases->files, f->name, strlen(f->name));
	free(f->path);
	free(f->text);
	free(f);
}

static void
done_write(struct work *w)
{
	struct keep_file *f = container_of(w, struct keep_file, work);
	struct releases *rs = f->releases;
	bool is_bad = f->error.code != ERR_NONE;
	struct release_call *c;

	if (is_bad)
		log_error("a release's state was not written",
		    LOG_Z("path", f->path), LOG_ERR(&f->error));
	while ((c = TAILQ_FIRST(&f->now)) != NULL) {
		TAILQ_REMOVE(&f->now, c, inside.entry);
		call_saved(rs, c, is_bad ? &f->error : NULL);
	}
	if (f->is_due) {
		file_start(f);
		return;
	}
	file_free(f);
	releases_idle(rs);
}

static struct keep_file *
file_new(struct releases *rs, const char *name)
{
	struct keep_file *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->path = path_of(rs, name)) == NULL ||
	    map_put(rs->files, name, strlen(name), f) != 0) {
		free(f != NULL ? f->path : NULL);
		free(f);
		return NULL;
	}
	f->releases = rs;
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	TAILQ_INIT(&f->now);
	TAILQ_INIT(&f->next);
	f->work.home = rs->spec.origin;
	f->work.run = run_write;
	f->work.done = done_write;
	releases_busy(rs);
	return f;
}

/* NULL: no memory, it is not written. */
static struct keep_file *
file_due(struct releases *rs, const char *name)
{
	struct keep_file *f = map_find(rs->files, name, strlen(name));

	if (f == NULL)
		f = file_new(rs, name);
	if (f != NULL)
		f->is_due = true;
	return f;
}

static void
keep(struct releases *rs, const char *name)
{
	struct keep_file *f = file_due(rs, name);

	if (f != NULL && !f->is_running)
		file_start(f);
}

void
keep_release(struct release *r)
{
	if (r->plan == NULL && !r->releases->is_closing)
		keep(r->releases, r->name);
}

void
keep_forget(struct releases *rs, const char *name)
{
	keep(rs, name);
}

void
keep_freeze(struct releases *rs)
{
	keep(rs, FREEZE);
}

int
keep_call(struct releases *rs, struct release_call *c)
{
	bool is_freeze = c->verb == RELEASES_FREEZE || c->verb == RELEASES_THAW;
	struct keep_file *f = file_due(rs, is_freeze ? FREEZE : c->name);

	if (f == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&f->next, c, inside.entry);
	if (!f->is_running)
		file_start(f);
	return 0;
}

/* ---- reading ----------------------------------------------------------------------- */

struct kept {
	struct kept *next;
	char name[RELEASE_NAME_MAX + 1];
	struct release_list *list; /* counted */
	char *text;                /* owned */
	struct record record;
};

struct read_all {
	struct work work;
	struct releases *releases;
	struct letter begin;
	struct config *config; /* counted */
	struct kept *first;
	unsigned n_bad;
	struct freeze freeze;
};

static json_t *
load(const char *path, struct err *err)
{
	struct buf buf;
	json_error_t why;
	json_t *root = NULL;

	buf_init(&buf, FILE_MAX_BYTES);
	if (file_read(path, &buf, err) == 0) {
		root = json_loadb(buf.p, buf.n, 0, &why);
		if (root == NULL)
			(void)err_set(err, ERR_DISK, "%s: %s", path, why.text);
	}
	buf_done(&buf);
	return root;
}

static struct release_list *
read_list(const json_t *root, const struct config *config, struct err *err)
{
	char *text = json_dumps(json_object_get(root, "list"), JSON_COMPACT);
	struct release_list *list = NULL;
	struct release_faults faults;

	release_faults_init(&faults);
	if (text != NULL)
		list = release_list_parse(
		    str_of(text), RELEASE_JSON, config, &faults);
	if (list == NULL)
		(void)err_set(err, ERR_DISK, "%s: %s",
		    faults.n > 0 ? faults.all[0].field : "list",
		    faults.n > 0 ? faults.all[0].text : "no such part");
	release_faults_done(&faults);
	free(text);
	return list;
}

static struct kept *
read_one(struct read_all *a, const char *path, struct err *err)
{
	struct kept *k = calloc(1, sizeof(*k));
	json_t *root = k != NULL ? load(path, err) : NULL;

	if (root == NULL) {
		free(k);
		return NULL;
	}
	copy_text(root, "release", k->name, sizeof(k->name));
	record_read(&k->record, json_object_get(root, "record"));
	k->list = read_list(root, a->config, err);
	json_decref(root);
	if (k->list != NULL)
		k->text = release_list_text(k->list);
	if (k->text != NULL && release_name_is_valid(str_of(k->name)))
		return k;
	if (k->list != NULL)
		(void)err_set(err, ERR_DISK, "it has no release's name");
	release_list_unref(k->list);
	free(k->text);
	free(k);
	return NULL;
}

static void
read_file(struct read_all *a, const char *file)
{
	struct err err = { .code = ERR_NONE };
	struct kept *k;
	char *path;

	if (!str_ends(str_of(file), STR(".json")))
		return;
	if (asprintf(&path, "%s/%s", a->releases->folder, file) < 0) {
		a->n_bad++;
		return;
	}
	k = read_one(a, path, &err);
	if (k == NULL) {
		log_error("a release was not read; put its file right, or "
			  "remove it, and restart",
		    LOG_Z("path", path), LOG_ERR(&err));
		a->n_bad++;
	} else {
		k->next = a->first;
		a->first = k;
	}
	free(path);
}

/* It can't be told whether there was a freeze: then there is. */
static void
freeze_unread(struct freeze *f, const struct err *err)
{
	*f = (struct freeze){ .is_on = true, .since = now_s() };
	(void)snprintf(f->by, sizeof(f->by), "this mirror");
	(void)snprintf(f->reason, sizeof(f->reason),
	    "whether it was frozen is not known (%.300s); `railhead freeze "
	    "--lift` when it is not to be",
	    err->text);
	log_error("what was frozen can't be read, so all is",
	    LOG_Z("by", f->by), LOG_ERR(err));
}

static void
read_freeze(struct read_all *a)
{
	struct freeze *f = &a->freeze;
	char *path = path_of(a->releases, FREEZE);
	struct err err = { .code = ERR_NO_MEMORY, .text = "no memory" };
	json_t *root = path != NULL ? load(path, &err) : NULL;
	const json_t *is_on = json_object_get(root, "is_on");

	f->is_on = json_is_true(is_on);
	copy_text(root, "reason", f->reason, sizeof(f->reason));
	copy_text(root, "by", f->by, sizeof(f->by));
	f->since = json_integer_value(json_object_get(root, "since"));
	f->until = json_integer_value(json_object_get(root, "until"));
	if (root != NULL && !json_is_boolean(is_on))
		(void)err_set(&err, ERR_DISK, "%s: is_on is missing", path);
	if (!json_is_boolean(is_on) && err.code != ERR_NOT_FOUND)
		freeze_unread(f, &err);
	json_decref(root);
	free(path);
}

static int
read_folder(struct read_all *a, struct err *err)
{
	DIR *folder = opendir(a->releases->folder);
	struct dirent *entry;
	int status = 0;

	if (folder == NULL)
		return err_errno(
		    err, ERR_DISK, "can't list %s", a->releases->folder);
	for (errno = 0; (entry = readdir(folder)) != NULL; errno = 0)
		read_file(a, entry->d_name);
	if (errno != 0)
		status =
		    err_errno(err, ERR_DISK, "listing %s", a->releases->folder);
	(void)closedir(folder);
	return status;
}

static void
run_read(struct work *w)
{
	struct read_all *a = container_of(w, struct read_all, work);
	struct err err;

	read_freeze(a);
	if (read_folder(a, &err) == 0)
		return;
	log_error("not all releases were read; put their folder right, and "
		  "restart",
	    LOG_ERR(&err));
	a->n_bad++;
}

static int
take_kept(struct releases *rs, struct kept *k, struct err *err)
{
	struct release *r;

	r = release_new(rs, k->name, k->list, k->text, err);
	if (r == NULL)
		return -1;
	r->record = k->record;
	release_name_pins(r, k->record.generation);
	r->is_just_back = true;
	if (release_add(r, err) != 0) {
		release_free(r);
		return -1;
	}
	walk_release(r);
	release_touch(r);
	return 0;
}

/* Takes what was read. */
static void
take_all_kept(struct read_all *a)
{
	struct kept *k;
	struct err err;

	while ((k = a->first) != NULL) {
		a->first = k->next;
		if (a->releases->is_closing) {
			release_list_unref(k->list);
			free(k->text);
		} else if (take_kept(a->releases, k, &err) != 0) {
			log_error("a release is left out until the next start",
			    LOG_Z("name", k->name), LOG_ERR(&err));
			a->n_bad++;
		}
		free(k);
	}
}

static void
done_read(struct work *w)
{
	struct read_all *a = container_of(w, struct read_all, work);
	struct releases *rs = a->releases;

	take_all_kept(a);
	rs->freeze = a->freeze;
	rs->is_read = true;
	if (!rs->is_closing) {
		if (a->n_bad == 0)
			keep_unpin_strays(rs);
		releases_tick(rs);
		calls_go_on(rs);
	}
	config_unref(a->config);
	free(a);
	releases_idle(rs);
}

static void
deliver_begin(struct letter *l)
{
	struct read_all *a = container_of(l, struct read_all, begin);

	releases_busy(a->releases);
	a->config = config_now();
	work_submit(a->releases->spec.pool, &a->work);
}

void
releases_begin(struct releases *rs)
{
	struct read_all *a = calloc(1, sizeof(*a));

	check(a != NULL);
	a->releases = rs;
	a->work.home = rs->spec.origin;
	a->work.run = run_read;
	a->work.done = done_read;
	a->begin.deliver = deliver_begin;
	loop_post(rs->spec.origin, &a->begin);
}
