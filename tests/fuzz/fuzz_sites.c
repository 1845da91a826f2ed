/*
 * fuzz_sites.c - the file of sites, under a right mark and check sum.
 *
 * Whatever is believed of it is in the order of its names, and can be asked
 * about.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/check.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "common/metrics.h"
#include "loop/loop.h"
#include "site/site.h"

#define MARK "railhead sites 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct loop *loop;
static int file;
static char path[64];

static void
set_up(void)
{
	struct err err;

	if (loop != NULL)
		return;
	log_setup(LOG_ERROR, LOG_TEXT);
	metrics_init();
	loop = loop_new("admin", &err);
	file = memfd_create("sites", 0);
	check(loop != NULL && file >= 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
}

static void
put(const void *p, size_t n, uint32_t *sum)
{
	*sum = crc32c(*sum, p, n);
	check(write(file, p, n) == (ssize_t)n);
}

static void
write_file(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0, last;

	check(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
	put(MARK, sizeof(MARK) - 1, &sum);
	put(bytes, size, &sum);
	last = sum;
	put(&last, sizeof(last), &sum);
}

static void
look_at(const struct site *s)
{
	struct digest digest = { .alg = DIGEST_SHA256 };
	char address[SITE_TEXT_MAX];

	check(s->name[0] != '\0' && s->origin <= SITE_BY_CERTIFICATE);
	check(site_address_text(s->address, address)[0] != '\0');
	check(site_state(s, 0) < SITE_STATES);
	check(s->n_rows <= SITE_ROWS_MAX && s->n_rows <= s->max_rows);
	(void)site_pulled_at(s, &digest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct sites_spec spec = { .path = path };
	const struct site *s, *before = NULL;
	struct sites *sites;
	size_t n = 0;
	struct err err;

	set_up();
	write_file(bytes, size);
	spec.admin = loop;
	sites = sites_new(&spec, &err);
	check(sites != NULL);
	for (s = sites_next(sites, NULL); s != NULL;
	     s = sites_next(sites, s->name)) {
		check(before == NULL || strcmp(before->name, s->name) < 0);
		check(sites_find(sites, s->name) == s);
		look_at(s);
		before = s;
		n++;
	}
	check(n == sites_count(sites));
	sites_free(sites);
	return 0;
}
