/*
 * rows.c - fills the index of a store, for those who want to know how it grows:
 *
 *	rows STORE COUNT
 *
 * Writes COUNT rows of blobs that are public.  One in ten, and never fewer than
 * 1,000, is a manifest whose bytes are in the index too: those can be served,
 * of the others there are no files.  Prints "DIGEST SIZE" for some of the
 * manifests, at most 1,000, from all over the index: so many, however many there
 * are, as what is asked for does not grow with what is kept.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "store/index.h"
#include "store/store.h"

#define BATCH_ROWS 5000
#define MANIFEST_BYTES 1500
#define MANIFESTS_MIN 1000
#define SHOWN_MAX 1000

static const char media_type[] = "application/vnd.oci.image.manifest.v1+json";

struct rows {
	struct store *store;
	struct index_batch *batch;
	unsigned long n;
	unsigned long manifest_every;
	unsigned long shown_every; /* of the manifests */
	unsigned long n_manifests;
};

static void
commit(struct rows *r)
{
	index_commit(r->store, r->batch, NULL, NULL, NULL);
	r->batch = index_batch_new();
	if (r->batch == NULL)
		errx(1, "no memory for rows");
}

static void
add_manifest(struct rows *r, unsigned long number)
{
	char text[MANIFEST_BYTES], name[DIGEST_TEXT_MAX];
	struct str bytes = { text, sizeof(text) };
	struct digest d;

	memset(text, ' ', sizeof(text));
	(void)snprintf(text, sizeof(text), "{\"number\": %lu}", number);
	text[strlen(text)] = '\n';
	digest_of(DIGEST_SHA256, bytes.p, bytes.n, &d);
	index_batch_blob(r->batch, &d, bytes.n, true);
	index_batch_manifest(r->batch, &d, str_of(media_type), bytes);
	if (r->n_manifests++ % r->shown_every == 0)
		printf("%s %zu\n", digest_text(&d, name), bytes.n);
}

static void
add_blob(struct rows *r, unsigned long number)
{
	struct digest d;

	digest_of(DIGEST_SHA256, &number, sizeof(number), &d);
	index_batch_blob(r->batch, &d, 1 << 20, true);
}

static void
write_rows(struct rows *r)
{
	unsigned long i;

	for (i = 0; i < r->n; i++) {
		if (i % r->manifest_every == 0)
			add_manifest(r, i);
		else
			add_blob(r, i);
		if (i % BATCH_ROWS == BATCH_ROWS - 1)
			commit(r);
	}
	commit(r);
}

int
main(int argc, char **argv)
{
	struct store_spec spec = { .capacity = UINT64_MAX / 2 };
	struct rows r = { 0 };
	struct err err = { .text = "" };
	unsigned long manifests;

	if (argc != 3)
		errx(2, "usage: rows STORE COUNT");
	spec.path = argv[1];
	r.n = strtoul(argv[2], NULL, 10);
	r.manifest_every = r.n / 10 > MANIFESTS_MIN ? 10 : r.n / MANIFESTS_MIN;
	if (r.manifest_every == 0)
		r.manifest_every = 1;
	manifests = r.n / r.manifest_every;
	r.shown_every = manifests > SHOWN_MAX ? manifests / SHOWN_MAX : 1;
	log_setup(LOG_ERROR, LOG_TEXT);
	metrics_init();
	r.batch = index_batch_new();
	r.store = store_open(&spec, &err);
	if (r.store == NULL || r.batch == NULL)
		errx(1, "%s", err.text);
	write_rows(&r);
	index_batch_free(r.batch);
	store_close(r.store);
	metrics_done();
	return 0;
}
