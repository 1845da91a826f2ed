/*
 * fuzz_name.c - names, and routes of any path, namespace and host.
 *
 * Input: PATH \n NS \n HOST, each optional.  What comes out of a route is held
 * against its contract.
 */
#include <stdint.h>
#include <string.h>

#include "common/check.h"
#include "oci/name.h"
#include "oci/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char yaml[] =
    "default_upstream: \"registry.example.test:5000\"\n"
    "upstreams:\n"
    "  docker.io: {aliases: [index.docker.io, registry-1.docker.io]}\n"
    "  \"registry.example.test:5000\":\n";

/* For the whole run. */
static const struct config *config;

static void
try_names(struct str s)
{
	if (name_is_repository(s))
		check(s.n > 0 && s.n <= NAME_MAX_BYTES && s.p[0] != '/');
	if (name_is_tag(s))
		check(s.n > 0 && s.n <= TAG_MAX_BYTES && s.p[0] != '.');
	(void)name_is_registry(s);
}

static void
try_route(struct arena *arena, struct str path, struct str ns, struct str host)
{
	struct route r;
	struct err err;

	if (route_parse(arena, path, &r, &err) != 0 ||
	    route_upstream(arena, config, ns, host, &r, &err) != 0) {
		check(strlen(err.text) > 0);
		return;
	}
	if (r.kind == ROUTE_BASE)
		return;
	check(r.upstream != NULL && name_is_repository(r.repository));
	check(strlen(r.upstream->name) + 1 + r.repository.n <= NAME_MAX_BYTES);
	if (r.kind == ROUTE_MANIFEST)
		check(r.is_by_digest || name_is_tag(r.tag));
	if (r.kind == ROUTE_BLOB || r.kind == ROUTE_REFERRERS)
		check(r.is_by_digest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static char block[4096];
	struct str rest = { (const char *)bytes, size };
	struct str path = STR(""), ns = STR(""), host = STR("");
	struct arena arena;
	struct err err;

	if (config == NULL)
		config = config_parse("fuzz.yaml", STR(yaml), &err);
	check(config != NULL);
	arena_init(&arena, block, sizeof(block));
	(void)str_cut(&rest, '\n', &path);
	(void)str_cut(&rest, '\n', &ns);
	(void)str_cut(&rest, '\n', &host);
	try_names(path);
	try_names(ns);
	try_names(host);
	try_route(&arena, path, ns, host);
	return 0;
}
