/*
 * list_file.c - a release's list, from a file to the control plane; and all
 * that is wrong with it, back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/buf.h"
#include "common/uri.h"
#include "release/list.h"

#define PUT_PATIENCE_MS (30L * 60 * 1000) /* tags and plans ask upstreams */

int
release_path(const char *name, const char *tail, char path[RELEASE_PATH_MAX])
{
	struct buf b;
	int rc = -1;

	buf_init(&b, RELEASE_PATH_MAX);
	buf_addz(&b, "/v1/releases/");
	uri_encode(&b, str_of(name), "");
	buf_addz(&b, tail);
	if (!b.overflow && b.n < RELEASE_PATH_MAX) {
		memcpy(path, b.p, b.n);
		path[b.n] = '\0';
		rc = 0;
	}
	buf_done(&b);
	return rc;
}

/* ---- the file ----------------------------------------------------------- */

static int
read_fd(int fd, const char *path, struct buf *into, struct err *err)
{
	ssize_t n;
	char *room;

	for (;;) {
		room = buf_room(into, 65536);
		if (room == NULL)
			return err_set(err, ERR_TOO_LARGE,
			    "%s is larger than %u bytes", path,
			    RELEASE_BODY_MAX);
		n = read(fd, room, 65536);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_errno(
			    err, ERR_CONFIG, "%s can't be read", path);
		into->n += n > 0 ? (size_t)n : 0;
	}
}

static int
read_file(const char *path, struct buf *into, struct err *err)
{
	int fd = STDIN_FILENO, rc;

	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_CONFIG, "%s can't be opened", path);
	rc = read_fd(fd, path, into, err);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	return rc;
}

/* Does a line begin with the key that every list in YAML has? */
static bool
has_images_key(struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line))
		if (str_starts(line, STR("images:")))
			return true;
	return false;
}

/* By its name, else by what it begins with. */
static const char *
type_of(const char *path, struct str text)
{
	struct str name = str_of(path);
	size_t at = 0;

	while (at < text.n && strchr(" \t\r\n", text.p[at]) != NULL)
		at++;
	if (str_ends(name, STR(".json")) || (at < text.n && text.p[at] == '{'))
		return "application/json";
	if (str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")) ||
	    has_images_key(text))
		return "application/yaml";
	return "text/plain";
}

/* ---- the query ---------------------------------------------------------- */

static void
add_option(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(b, "%s%s=", b->n > 1 ? "&" : "", key);
	uri_encode(b, str_of(value), "");
}

static void
add_flag(struct buf *b, const char *key, bool is_set)
{
	add_option(b, key, is_set ? "true" : NULL);
}

static void
add_query(struct buf *b, const struct list_file *f, const char *more)
{
	buf_addz(b, "?");
	buf_addz(b, more);
	add_option(b, "platforms", f->platforms);
	add_flag(b, "platforms_optional", f->platforms_optional);
	add_flag(b, "referrers", f->referrers);
	add_flag(b, "resolve_tags", f->resolve_tags);
	add_option(b, "published_at", f->published_at);
	add_option(b, "not_before", f->not_before);
	add_option(b, "deadline", f->deadline);
	add_option(b, "pin_until", f->pin_until);
	add_option(b, "priority", f->priority);
	add_option(b, "catch_up", f->catch_up);
	buf_add(b, "", 1);
}

/* ---- there and back ----------------------------------------------------- */

static void
print_fault(const char *path, const json_t *fault)
{
	json_int_t line = json_integer_value(json_object_get(fault, "line"));
	const char *field = json_string_value(json_object_get(fault, "field"));
	const char *text = json_string_value(json_object_get(fault, "message"));
	char shown[ERR_TEXT_MAX], shown_field[80];

	fprintf(stderr, "%s:", strcmp(path, "-") == 0 ? "stdin" : path);
	if (line > 0)
		fprintf(stderr, "%lld:", (long long)line);
	if (field != NULL)
		fprintf(stderr, " %s:",
		    str_printable(
			str_of(field), shown_field, sizeof(shown_field)));
	fprintf(stderr, " %s\n",
	    str_printable(
		str_of(text != NULL ? text : "?"), shown, sizeof(shown)));
}

/* All that is wrong with the list; false: that is not what it was refused
 * for. */
static bool
print_faults(const char *path, const json_t *answer)
{
	const json_t *all = json_object_get(answer, "errors");
	json_int_t found = json_integer_value(json_object_get(answer, "found"));

	if (found == 0)
		return false;
	for (size_t i = 0; i < json_array_size(all); i++)
		print_fault(path, json_array_get(all, i));
	if ((size_t)found > json_array_size(all))
		fprintf(stderr, "and %lld more\n",
		    (long long)found - (long long)json_array_size(all));
	return true;
}

static json_t *
put(const struct list_file *f, struct client *c, const char *name,
    const char *query, struct err *err)
{
	char path[RELEASE_PATH_MAX];
	json_t *answer = NULL;
	struct buf body;

	buf_init(&body, RELEASE_BODY_MAX + 65536);
	if (release_path(name, query, path) != 0)
		(void)err_set(
		    err, ERR_BAD_REQUEST, "the name or an option is too long");
	else if (read_file(f->path, &body, err) == 0)
		answer = client_send(c, "PUT", path,
		    type_of(f->path, buf_str(&body)), buf_str(&body), err);
	buf_done(&body);
	return answer;
}

json_t *
list_file_put(const struct list_file *f, struct client *c, const char *command,
    const char *name, const char *more, int *status)
{
	json_t *answer = NULL;
	struct buf query;
	struct err err;

	buf_init(&query, RELEASE_PATH_MAX);
	add_query(&query, f, more);
	client_set_patience(c, PUT_PATIENCE_MS);
	if (query.overflow)
		(void)err_set(
		    &err, ERR_BAD_REQUEST, "the options are too long");
	else
		answer = put(f, c, name, query.p, &err);
	buf_done(&query);
	if (answer != NULL)
		return answer;
	if (err.code == ERR_BAD_REQUEST &&
	    print_faults(f->path, client_said(c)))
		*status = EXIT_USAGE;
	else
		*status = client_exit(command, &err);
	return NULL;
}
