/*
 * fuzz_config.c - any bytes as a configuration: it is taken or refused with a
 * sentence, and a snapshot that is taken answers look-ups.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "common/check.h"
#include "common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct str text = { (const char *)data, size };
	struct err err = { .text = "" };
	struct config *c;
	size_t i;

	c = config_parse("fuzz.yaml", text, &err);
	if (c == NULL) {
		check(err.code == ERR_CONFIG && err.text[0] != '\0');
		return 0;
	}
	check(c->n_listens > 0 && c->n_rings > 0);
	for (i = 0; i < c->n_upstreams; i++) {
		check(c->upstreams[i].n_endpoints > 0);
		check(config_find_upstream(c, str_of(c->upstreams[i].name)) ==
		    &c->upstreams[i]);
	}
	(void)config_find_upstream(c, text);
	(void)config_tag_rule(c, STR("library/nginx"), STR("1.27"));
	check(config_ring(c, STR("store-1"), (const struct sockaddr *)&v4) <
	    c->n_rings);
	config_unref(c);
	return 0;
}
