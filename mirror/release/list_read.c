/*
 * list_read.c - a body becomes a list, or all that is wrong with it is told.
 *
 * JSON is first held against jansson, which is strict and names the place of a
 * slip; then it is read by the YAML parser, of which it is a part, since that
 * knows the line of every value.  What is wrong is noted and reading goes on,
 * so that whoever sent it mends it once.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/map.h"
#include "common/yaml.h"
#include "list_int.h"
#include "oci/reference.h"

#define FIELD_MAX 80
#define IMAGE_KEY_MAX 1024

struct reader {
	struct release_list *list;
	const struct config *config;
	struct release_faults *faults;
	struct map *seen;      /* references; owned */
	struct map *upstreams; /* names in the list's pool, by name; owned */
};

/* ---- faults ------------------------------------------------------------- */

static void
fault(struct reader *r, unsigned line, const char *field, const struct err *err)
{
	release_faults_add(r->faults, line, field, err->code, err->text);
}

__attribute__((format(printf, 4, 5))) static void
wrong(struct reader *r, unsigned line, const char *field, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	release_faults_add(r->faults, line, field, ERR_BAD_REQUEST, text);
}

/* ---- one image ---------------------------------------------------------- */

static const char *
copy(struct reader *r, const char *text)
{
	return pool_copy(&r->list->pool, str_of(text));
}

/* Thousands of images share a few upstreams. */
static const char *
copy_upstream(struct reader *r, const char *name)
{
	char *known = map_find(r->upstreams, name, strlen(name));

	if (known != NULL)
		return known;
	known = pool_copy(&r->list->pool, str_of(name));
	if (known != NULL)
		(void)map_put(r->upstreams, name, strlen(name), known);
	return known;
}

static int
keep_image(struct reader *r, struct release_image *image, struct str text,
    const struct reference *ref, struct err *err)
{
	char field[FIELD_MAX];

	(void)snprintf(
	    field, sizeof(field), "images[%zu].image", r->list->n_images);
	image->reference = pool_copy(&r->list->pool, text);
	image->upstream = copy_upstream(r, ref->upstream->name);
	image->repository = copy(r, ref->repository);
	image->tag = ref->tag[0] != '\0' ? copy(r, ref->tag) : NULL;
	image->digest = ref->digest;
	image->field = copy(r, field);
	if (image->reference == NULL || image->upstream == NULL ||
	    image->repository == NULL || image->field == NULL ||
	    (ref->tag[0] != '\0' && image->tag == NULL))
		return list_no_memory(err);
	return 0;
}

/* Only what is pinned stays the same for every store. */
static int
check_pinned(const struct reader *r, struct reference *ref, struct str text,
    struct err *err)
{
	char shown[200];

	if (ref->digest.alg != 0)
		return 0;
	if (!r->list->resolve_tags)
		return err_set(err, ERR_BAD_REQUEST,
		    "\"%s\" has no digest; pin it (NAME@sha256:...) or set "
		    "resolve_tags",
		    str_printable(text, shown, sizeof(shown)));
	if (ref->tag[0] == '\0')
		(void)snprintf(ref->tag, sizeof(ref->tag), "latest");
	return 0;
}

/* The same image for the same platforms, in however many words. */
static bool
is_known(struct reader *r, const struct release_image *image)
{
	char key[IMAGE_KEY_MAX], digest[DIGEST_TEXT_MAX] = "";
	int n;

	if (image->platforms != r->list->platforms)
		return false;
	if (image->digest.alg != 0)
		(void)digest_text(&image->digest, digest);
	n = snprintf(key, sizeof(key), "%s %s %s %s %d", image->upstream,
	    image->repository, image->tag != NULL ? image->tag : "", digest,
	    image->platforms_optional);
	if (n < 0 || n >= (int)sizeof(key))
		return false;
	if (map_find(r->seen, key, (size_t)n) != NULL)
		return true;
	(void)map_put(r->seen, key, (size_t)n, r);
	return false;
}

/* IMAGE has platforms, line; FIELD is for faults. */
static void
add_image(struct reader *r, struct release_image *image, struct str text,
    const char *field)
{
	struct reference ref;
	struct err err;

	if (reference_parse(&ref, text, r->config, &err) != 0 ||
	    check_pinned(r, &ref, text, &err) != 0 ||
	    keep_image(r, image, text, &ref, &err) != 0)
		fault(r, image->line, field, &err);
	else if (!is_known(r, image))
		r->list->images[r->list->n_images++] = *image;
}

/* Room for N; false: it was said why not. */
static bool
make_room(struct reader *r, size_t n, unsigned line)
{
	struct err err;

	if (n == 0 || n > RELEASE_IMAGES_MAX) {
		wrong(r, line, "images",
		    "a release has 1 to %d images, not %zu", RELEASE_IMAGES_MAX,
		    n);
		return false;
	}
	r->list->images =
	    pool_take(&r->list->pool, n * sizeof(*r->list->images));
	if (r->list->images != NULL)
		return true;
	(void)list_no_memory(&err);
	fault(r, line, "images", &err);
	return false;
}

static struct release_image
new_image(const struct reader *r, unsigned line)
{
	return (struct release_image){ .line = line,
		.platforms = r->list->platforms,
		.n_platforms = r->list->n_platforms,
		.platforms_optional = r->list->platforms_optional };
}

/* ---- a tree: JSON, YAML ------------------------------------------------- */

struct platforms {
	const char **all;
	size_t n;
};

/* -1: it was said why not. */
static int
read_platforms(struct reader *r, const struct yaml_node *node,
    const char *field, struct platforms *out)
{
	const struct yaml_node *each;
	struct err err;
	int failed = 0;

	if (node->kind != YAML_LIST || node->n > RELEASE_PLATFORMS_MAX) {
		wrong(r, node->line, field,
		    "platforms are a list of at most %d, like "
		    "[\"linux/amd64\"]",
		    RELEASE_PLATFORMS_MAX);
		return -1;
	}
	out->n = 0;
	out->all = pool_take(&r->list->pool, (node->n + 1) * sizeof(*out->all));
	if (out->all == NULL) {
		(void)list_no_memory(&err);
		fault(r, node->line, field, &err);
		return -1;
	}
	for (each = node->first; each != NULL; each = each->next)
		if (list_platform(
			r->list, each->text, &out->all[out->n++], &err) != 0) {
			fault(r, each->line, field, &err);
			failed = -1;
		}
	return failed;
}

static bool
is_given(const struct yaml_node *node)
{
	return node != NULL && !yaml_is_null(node);
}

static void
read_optional(struct reader *r, struct release_image *image,
    const struct yaml_node *node, const char *field)
{
	bool yes = str_eqz(node->text, "true");

	if (yes || str_eqz(node->text, "false"))
		image->platforms_optional = yes;
	else
		wrong(r, node->line, field,
		    "platforms_optional is true or false");
}

static void
read_image_keys(struct reader *r, const struct yaml_node *map, size_t i)
{
	const struct yaml_node *node;
	char field[FIELD_MAX], shown[80];

	for (node = map->first; node != NULL; node = node->next) {
		if (str_eqz(node->key, "image") ||
		    str_eqz(node->key, "platforms") ||
		    str_eqz(node->key, "platforms_optional"))
			continue;
		(void)snprintf(field, sizeof(field), "images[%zu].%s", i,
		    str_printable(node->key, shown, 40));
		wrong(r, node->line, field,
		    "an image has image, platforms and platforms_optional, "
		    "not \"%s\"",
		    str_printable(node->key, shown, sizeof(shown)));
	}
}

static void
read_image_map(struct reader *r, const struct yaml_node *map, size_t i)
{
	const struct yaml_node *text = yaml_find(map, "image");
	const struct yaml_node *platforms = yaml_find(map, "platforms");
	const struct yaml_node *optional = yaml_find(map, "platforms_optional");
	struct release_image image = new_image(r, map->line);
	struct platforms own;
	char field[FIELD_MAX];

	read_image_keys(r, map, i);
	(void)snprintf(field, sizeof(field), "images[%zu].platforms", i);
	if (is_given(platforms) &&
	    read_platforms(r, platforms, field, &own) == 0) {
		image.platforms = own.all;
		image.n_platforms = own.n;
	}
	(void)snprintf(
	    field, sizeof(field), "images[%zu].platforms_optional", i);
	if (is_given(optional))
		read_optional(r, &image, optional, field);
	(void)snprintf(field, sizeof(field), "images[%zu].image", i);
	if (!is_given(text) || text->kind != YAML_TEXT) {
		wrong(r, map->line, field, "the reference is missing");
		return;
	}
	image.line = text->line;
	add_image(r, &image, text->text, field);
}

static void
read_image(struct reader *r, const struct yaml_node *node, size_t i)
{
	struct release_image image = new_image(r, node->line);
	char field[FIELD_MAX];

	(void)snprintf(field, sizeof(field), "images[%zu]", i);
	if (node->kind == YAML_MAP)
		read_image_map(r, node, i);
	else if (node->kind == YAML_TEXT)
		add_image(r, &image, node->text, field);
	else
		wrong(r, node->line, field,
		    "an image is a reference or a map with image: and "
		    "platforms:");
}

static void
read_images(struct reader *r, const struct yaml_node *list)
{
	const struct yaml_node *node;
	size_t i = 0;

	if (!is_given(list) || list->kind != YAML_LIST)
		wrong(r, list != NULL ? list->line : 0, "images",
		    "images is missing: a list of references");
	else if (make_room(r, list->n, list->line))
		for (node = list->first; node != NULL; node = node->next)
			read_image(r, node, i++);
}

static void
read_option(struct reader *r, const struct yaml_node *node)
{
	char field[FIELD_MAX];
	struct platforms all;
	struct err err;

	(void)str_printable(node->key, field, sizeof(field));
	if (yaml_is_null(node) || str_eqz(node->key, "images"))
		return;
	if (str_eqz(node->key, "platforms")) {
		if (read_platforms(r, node, field, &all) != 0)
			return;
		r->list->platforms = all.all;
		r->list->n_platforms = all.n;
	} else if (release_list_set(r->list, node->key,
		       node->kind == YAML_TEXT ? node->text : STR("[...]"),
		       &err) != 0) {
		fault(r, node->line, field, &err);
	}
}

static void
read_root(struct reader *r, const struct yaml_node *root)
{
	const struct yaml_node *node;

	if (root->kind != YAML_MAP) {
		wrong(r, root->line, "",
		    "a release is a map with images:, not %s",
		    yaml_kind_name(root));
		return;
	}
	for (node = root->first; node != NULL; node = node->next)
		read_option(r, node);
	read_images(r, yaml_find(root, "images"));
}

/* "body:3: this is not YAML": the line goes into its own place. */
static void
fault_of_syntax(struct reader *r, const struct err *err)
{
	struct str text = str_of(err->text), front, line;
	struct err rest = { .code = ERR_BAD_REQUEST };
	uint64_t n = 0;

	if (str_cut(&text, ':', &front) && str_cut(&text, ':', &line) &&
	    str_u64(line, &n))
		(void)snprintf(rest.text, sizeof(rest.text), "%.*s",
		    STR_ARG(str_trim(text)));
	else
		rest = *err;
	fault(r, (unsigned)n, "", &rest);
}

static bool
is_json(struct reader *r, struct str body)
{
	json_error_t why;
	json_t *value = json_loadb(body.n > 0 ? body.p : "", body.n,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);

	if (value == NULL)
		wrong(r, why.line > 0 ? (unsigned)why.line : 0, "",
		    "this is not JSON: %s", why.text);
	json_decref(value);
	return value != NULL;
}

static void
read_tree(struct reader *r, struct str body)
{
	struct yaml_doc *doc;
	const struct yaml_node *root;
	struct err err;

	doc = yaml_stream_parse("body", body, &err);
	if (doc == NULL) {
		fault_of_syntax(r, &err);
		return;
	}
	root = yaml_doc_root(doc);
	if (root->n == 1)
		read_root(r, root->first);
	else
		wrong(r, 0, "", "a release is one document, not %zu", root->n);
	yaml_doc_free(doc);
}

/* ---- lines of text ------------------------------------------------------ */

/* The line without its comment and space; a digest has no '#'. */
static struct str
bare(struct str line)
{
	line.n = str_index(line, '#');
	while (line.n > 0 &&
	    (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
		line.n--;
	return str_trim(line);
}

static void
read_line(struct reader *r, struct str line, unsigned number)
{
	struct release_image image = new_image(r, number);

	if (str_index(line, ' ') < line.n || str_index(line, '\t') < line.n)
		wrong(r, number, "image",
		    "there is more than a reference in this line; write one "
		    "a line");
	else
		add_image(r, &image, line, "image");
}

static void
read_text(struct reader *r, struct str body)
{
	struct str rest = body, line;
	unsigned number = 0;
	size_t n = 0;

	while (str_cut(&rest, '\n', &line))
		n += bare(line).n > 0;
	if (!make_room(r, n, 0))
		return;
	rest = body;
	while (str_cut(&rest, '\n', &line)) {
		number++;
		if (bare(line).n > 0)
			read_line(r, bare(line), number);
	}
}

/* ---- all of it ---------------------------------------------------------- */

static void
check_times(struct reader *r)
{
	const struct release_list *l = r->list;

	if (l->deadline != 0 && l->deadline <= l->not_before)
		wrong(r, 0, "deadline", "deadline is not after not_before");
	if (l->pin_until != 0 &&
	    (l->pin_until <= l->not_before || l->pin_until < l->deadline))
		wrong(r, 0, "pin_until",
		    "pin_until is before the deadline or not_before: the "
		    "release would be let go before it is needed");
}

static void
read_body(struct reader *r, struct str body, enum release_format format)
{
	if (body.n > RELEASE_BODY_MAX)
		wrong(r, 0, "", "the list has %zu bytes, at most %u are taken",
		    body.n, RELEASE_BODY_MAX);
	else if (format == RELEASE_TEXT)
		read_text(r, body);
	else if (format == RELEASE_YAML || is_json(r, body))
		read_tree(r, body);
	check_times(r);
}

static int
read_list(struct release_list *l, struct str body, enum release_format format,
    const struct config *config, struct release_faults *faults)
{
	struct reader r = { .list = l, .config = config, .faults = faults };
	struct err err;

	r.seen = map_new(RELEASE_IMAGES_MAX);
	r.upstreams = map_new(RELEASE_IMAGES_MAX);
	if (r.seen != NULL && r.upstreams != NULL) {
		read_body(&r, body, format);
	} else {
		(void)list_no_memory(&err);
		fault(&r, 0, "", &err);
	}
	map_free(r.seen);
	map_free(r.upstreams);
	return faults->n_found == 0 ? 0 : -1;
}

int
release_list_read(struct release_list *l, struct str body,
    enum release_format format, const struct config *config,
    struct release_faults *faults)
{
	int status = read_list(l, body, format, config, faults);

	if (l->pin_until == 0 || l->pin_until > clock_wall_s())
		return status;
	release_faults_add(faults, 0, "pin_until", ERR_BAD_REQUEST,
	    "pin_until has passed: the release would be let go at once");
	return -1;
}

struct release_list *
release_list_parse(struct str body, enum release_format format,
    const struct config *config, struct release_faults *faults)
{
	struct release_list *l = release_list_new();
	struct err err;

	if (l == NULL) {
		(void)list_no_memory(&err);
		release_faults_add(faults, 0, "", err.code, err.text);
		return NULL;
	}
	if (read_list(l, body, format, config, faults) == 0)
		return l;
	release_list_unref(l);
	return NULL;
}
