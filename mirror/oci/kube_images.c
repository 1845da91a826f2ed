/*
 * kube_images.c - the images that rendered Kubernetes manifests name.
 *
 * Which kinds hold a pod template changes with every operator that is
 * installed, so kinds are not looked at: a list called `containers` whose
 * entries have an `image` is the same thing wherever it stands.  A schema of a
 * custom resource has maps in these places, and is passed over by that.
 */
#include "oci/kube_images.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/map.h"
#include "common/yaml.h"

#define IMAGES_MAX 100000

struct kube_images {
	bool every;
	struct map *seen; /* references; owned */
	struct buf rows;  /* of struct kube_image */
	size_t n_odd;
	struct kube_image first_odd;
	bool is_full;
};

/* ---- gathering ---------------------------------------------------------- */

static bool
is_odd(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return true;
	return s.n == 0;
}

static void
add(struct kube_images *k, const struct yaml_node *text)
{
	struct kube_image image = { text->text, text->line };

	if (is_odd(text->text)) {
		if (k->n_odd++ == 0)
			k->first_odd = image;
		return;
	}
	if (map_find(k->seen, image.reference.p, image.reference.n) != NULL)
		return;
	if (map_put(k->seen, image.reference.p, image.reference.n, k) != 0)
		k->is_full = true;
	buf_add(&k->rows, &image, sizeof(image));
}

/* The entry KEY of a map, or of what is merged into it. */
static const struct yaml_node *
find(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *found = yaml_find(map, key), *merged, *each;

	if (found != NULL)
		return found;
	merged = yaml_find(map, "<<");
	if (merged == NULL || merged->kind == YAML_TEXT)
		return NULL;
	if (merged->kind == YAML_MAP)
		return find(merged, key);
	for (each = merged->first; each != NULL && found == NULL;
	     each = each->next)
		found = find(each, key);
	return found;
}

static void
add_containers(struct kube_images *k, const struct yaml_node *list)
{
	const struct yaml_node *container, *image;

	if (list->kind != YAML_LIST)
		return;
	for (container = list->first; container != NULL;
	     container = container->next) {
		image = find(container, "image");
		if (image != NULL && image->kind == YAML_TEXT)
			add(k, image);
	}
}

static void
add_volumes(struct kube_images *k, const struct yaml_node *list)
{
	const struct yaml_node *volume, *reference;

	if (list->kind != YAML_LIST)
		return;
	for (volume = list->first; volume != NULL; volume = volume->next) {
		reference = find(find(volume, "image"), "reference");
		if (reference != NULL && reference->kind == YAML_TEXT)
			add(k, reference);
	}
}

/* ---- walking ------------------------------------------------------------ */

static void
look_at(struct kube_images *k, const struct yaml_node *entry)
{
	struct str key = entry->key;

	if (str_eqz(key, "containers") || str_eqz(key, "initContainers") ||
	    str_eqz(key, "ephemeralContainers"))
		add_containers(k, entry);
	else if (str_eqz(key, "volumes"))
		add_volumes(k, entry);
	else if (k->every && str_eqz(key, "image") &&
	    entry->kind == YAML_TEXT && !is_odd(entry->text) &&
	    !yaml_is_null(entry))
		add(k, entry);
}

/* Recurses as deep as the parser let the tree become. */
static void
walk(struct kube_images *k, const struct yaml_node *node)
{
	const struct yaml_node *child;

	for (child = node->first; child != NULL; child = child->next) {
		if (node->kind == YAML_MAP)
			look_at(k, child);
		walk(k, child);
	}
}

struct kube_images *
kube_images_find(const struct yaml_doc *doc, bool every, struct err *err)
{
	struct kube_images *k = calloc(1, sizeof(*k));

	if (k == NULL)
		goto no_memory;
	k->every = every;
	buf_init(&k->rows, IMAGES_MAX * sizeof(struct kube_image));
	k->seen = map_new(IMAGES_MAX);
	if (k->seen == NULL)
		goto no_memory;
	walk(k, yaml_doc_root(doc));
	if (!k->is_full && !k->rows.overflow)
		return k;
	(void)err_set(err, ERR_TOO_LARGE,
	    "there are more than %d images, or they do not fit into memory",
	    IMAGES_MAX);
	kube_images_free(k);
	return NULL;

no_memory:
	(void)err_set(err, ERR_NO_MEMORY, "no memory for a list of images");
	kube_images_free(k);
	return NULL;
}

void
kube_images_free(struct kube_images *k)
{
	if (k == NULL)
		return;
	map_free(k->seen);
	buf_done(&k->rows);
	free(k);
}

size_t
kube_images_count(const struct kube_images *k)
{
	return k->rows.n / sizeof(struct kube_image);
}

struct kube_image
kube_images_at(const struct kube_images *k, size_t i)
{
	const struct kube_image *rows = (const void *)k->rows.p;

	return rows[i];
}

size_t
kube_images_odd(const struct kube_images *k, struct kube_image *first)
{
	*first = k->first_odd;
	return k->n_odd;
}
