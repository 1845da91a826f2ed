/*
 * fuzz_docker_config.c - Docker's config.json, what helpers say, and base64.
 *
 * A helper's name becomes a program's: only what the contract allows may come
 * out.
 */
#include <stdint.h>
#include <string.h>

#include "common/check.h"
#include "oci/docker_config.h"
#include "upstream/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
try_host(struct str json, struct str host)
{
	struct docker_login l;
	struct err err;

	if (docker_config_find(json, host, &l, &err) != 0)
		return;
	check((l.helper == NULL) == (l.server == NULL));
	if (l.helper != NULL)
		check(l.helper[0] != '\0' &&
		    strspn(
			l.helper, "abcdefghijklmnopqrstuvwxyz0123456789._-") ==
			strlen(l.helper));
	docker_login_done(&l);
}

static void
try_reply(struct str json)
{
	struct docker_login l;
	struct err err;

	if (docker_helper_parse(json, &l, &err) != 0)
		return;
	check((l.username != NULL && l.password != NULL) ||
	    l.identity_token != NULL);
	docker_login_done(&l);
}

static void
try_base64(struct str text)
{
	struct buf bytes, again;

	buf_init(&bytes, text.n + 1);
	buf_init(&again, text.n + 1);
	if (base64_decode(&bytes, text) == 0) {
		base64_encode(&again, buf_str(&bytes));
		check(str_eq(buf_str(&again), text));
	}
	buf_done(&bytes);
	buf_done(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str s = { (const char *)bytes, size };

	try_host(s, STR("a.test"));
	try_host(s, STR("docker.io"));
	try_reply(s);
	try_base64(s);
	return 0;
}
