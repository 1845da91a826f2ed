/*
 * fuzz_challenge.c - WWW-Authenticate values and token replies.
 *
 * What comes out is held against its contract: strings without controls, a
 * token that fits into a header line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "oci/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
check_text(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		check(s.p[i] == '\t' || (unsigned char)s.p[i] >= 0x20);
}

static void
try_challenge(struct str header)
{
	static char block[4096];
	struct arena arena;
	struct challenge c;

	arena_init(&arena, block, sizeof(block));
	if (!challenge_parse(&arena, header, &c))
		return;
	check(c.scheme != CHALLENGE_BEARER || c.realm.n > 0);
	check_text(c.realm);
	check_text(c.service);
	check_text(c.scope);
	check_text(c.error);
}

static void
try_reply(struct str json)
{
	struct token_reply reply;
	struct err err;
	const char *p;

	if (token_reply_parse(json, &reply, &err) != 0)
		return;
	check(reply.token[0] != '\0');
	for (p = reply.token; *p != '\0'; p++)
		check(*p > ' ' && *p <= '~');
	check(reply.lifetime_s >= 1);
	check(reply.lifetime_s <= TOKEN_LIFETIME_MAX_S);
	free(reply.token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str s = { (const char *)bytes, size };

	try_challenge(s);
	try_reply(s);
	return 0;
}
