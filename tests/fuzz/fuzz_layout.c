/*
 * fuzz_layout.c - a tar of an OCI layout, and the index.json in it.
 *
 * What is found must lie inside of the file, and be readable there.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/check.h"
#include "upstream/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
try_names(const struct layout_index *x)
{
	static const struct layout_name name = { { "reg.test", 8 },
		{ "team/app", 8 }, { "1.0", 3 } };
	const struct layout_entry *e;
	struct buf tags;

	buf_init(&tags, 1u << 20);
	(void)layout_index_tags(x, &name, &tags);
	buf_done(&tags);
	e = layout_index_find_tag(x, &name);
	check(e == NULL || layout_index_find(x, &e->digest) != NULL);
	for (size_t i = 0; i < layout_index_count(x); i++)
		check(layout_index_get(x, i)->media_type != NULL);
}

static void
try_blobs(const struct layout *l)
{
	const struct layout_index *x = layout_names(l);
	struct layout_blob blob;
	struct err err;
	char piece[512];

	for (size_t i = 0; i < layout_index_count(x); i++) {
		if (layout_blob_open(
			l, &layout_index_get(x, i)->digest, &blob, &err) != 0)
			continue;
		if (blob.size_bytes > 0 &&
		    layout_blob_read(l, &blob, piece, 1, 0, &err) != 0)
			check(err.code == ERR_DISK);
		layout_blob_close(&blob);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("layout", MFD_CLOEXEC);
	char path[64];
	struct layout *l;
	struct layout_index *x;
	struct err err;

	check(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	l = layout_take(path, &err);
	if (l != NULL) {
		try_names(layout_names(l));
		try_blobs(l);
	}
	layout_unref(l);
	(void)close(fd);
	x = layout_index_parse((struct str){ (const char *)bytes, size }, &err);
	if (x != NULL)
		try_names(x);
	layout_index_free(x);
	return 0;
}
