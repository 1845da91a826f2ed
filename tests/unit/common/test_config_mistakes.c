/*
 * test_config_mistakes.c - each kind of mistake, with the line, the place and
 * the words that tell what is allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/config.h"

#define LINK(body) "links:\n  fibre:\n    " body "\n"
#define ENDPOINT(body) "upstreams:\n  a.io:\n    endpoints:\n      - " body "\n"
#define WINDOWS "links:\n  a:\n    windows:\n"

struct mistake {
	const char *yaml;
	const char *begin; /* of the sentence: line and place */
	const char *words; /* somewhere in it */
};

static void
refused(const struct mistake *m)
{
	char begin[200];
	struct err err;
	struct config *c;

	c = config_parse("railhead.yaml", str_of(m->yaml), &err);
	if (c != NULL)
		fail_msg("taken: %s", m->yaml);
	assert_int_equal(err.code, ERR_CONFIG);
	(void)snprintf(begin, sizeof(begin), "railhead.yaml:%s", m->begin);
	if (strncmp(err.text, begin, strlen(begin)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", err.text, begin);
	if (strstr(err.text, m->words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", m->words, err.text);
}

static void
all_refused(const struct mistake *mistakes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		refused(&mistakes[i]);
}

#define ALL_REFUSED(m) all_refused(m, sizeof(m) / sizeof((m)[0]))

/* clang-format off */
static void
test_keys_and_kinds(void **state)
{
	static const struct mistake m[] = {
		{ "regio: x", "1: regio: unknown key", "did you mean region? Allowed: listen, admin, store, limits, links, upstreams, tags, sites, gate, releases, log, region, serve_loops, default_upstream" },
		{ "\nstore:\n  pth: /x", "3: store.pth: unknown key", "did you mean path? Allowed: path, capacity, min_free" },
		{ "limits: {conections: 3}", "1: limits.conections: unknown key", "did you mean connections?" },
		{ "store: {colour: red}", "1: store.colour: unknown key; allowed: path", "min_free" },
		{ LINK("rates: 8Mbit"), "3: links.fibre.rates: unknown key", "did you mean rate?" },
		{ "\"a\\x01b\": 1", "1: a\\x01b: unknown key", "allowed" },
		{ "- a", "1: is a list, but must be a map", "keys and values" },
		{ "text", "1: is a single value, but must be a map", "" },
		{ "listen: {address: \":1\"}", "1: listen: is a map", "must be a list" },
		{ "listen: [\":5000\"]", "1: listen[0]: is a single value", "must be a map" },
		{ "links: [a]", "1: links: is a list", "must be a map" },
		{ "limits: 5", "1: limits: is a single value", "must be a map" },
		{ "region: [a]", "1: region: is a list, but must be one value", "" },
		{ "region: {a: b}", "1: region: is a map of keys and values, but must be one value", "" },
		{ "region: a\nregion: b", "2: the key \"region\" is given twice", "line 1" },
		{ "region: *x", "1: anchors and aliases", "" },
	};

	(void)state;
	ALL_REFUSED(m);
}

static void
test_amounts(void **state)
{
	static const struct mistake m[] = {
		{ "\n" LINK("rate: fast"), "4: links.fibre.rate: \"fast\" is not a rate; write it like 200Mbit or 8Mbit", "" },
		{ LINK("rate: 0"), "3: links.fibre.rate: \"0\" is too small; allowed: 8bit to unlimited", "" },
		{ LINK("rate: off"), "3: links.fibre.rate: \"off\" is too small", "8bit to unlimited" },
		{ LINK("rate: 7bit"), "3: links.fibre.rate: \"7bit\" is too small", "8bit" },
		{ LINK("prewarm: maybe"), "3: links.fibre.prewarm: \"maybe\" is not a rate", "" },
		{ LINK("windows: [{rate: unlimited}]"), "3: links.fibre.windows[0].rate: \"unlimited\" is too large; allowed: 8bit to", "" },
		{ LINK("connections: 0"), "3: links.fibre.connections: \"0\" is too small; allowed: 1 to 1024", "" },
		{ LINK("connections: 1025"), "3: links.fibre.connections: \"1025\" is too large; allowed: 1 to 1024", "" },
		{ LINK("connections: many"), "3: links.fibre.connections: \"many\" is not a whole number", "" },
		{ LINK("overhead: 5"), "3: links.fibre.overhead: \"5\" is not a share; write it like 5%", "" },
		{ LINK("overhead: 101%"), "3: links.fibre.overhead: \"101%\" is too large; allowed: 0% to 100%", "" },
		{ LINK("stall: 60"), "3: links.fibre.stall: \"60\" is not a duration; write it like 30s", "" },
		{ LINK("shares: {refresh: 51%}"), "3: links.fibre.shares.refresh: \"51%\" is too large", "50%" },
		{ "store: {capacity: 0}", "1: store.capacity: \"0\" is too small; allowed: 1B to", "" },
		{ "store: {capacity: 2TiBs}", "1: store.capacity: \"2TiBs\" is not a size; write it like 200GiB", "" },
		{ "limits: {head: 2MiB}", "1: limits.head: \"2MiB\" is too large; allowed: 1KiB to 1MiB", "" },
		{ "serve_loops: 257", "1: serve_loops: \"257\" is too large; allowed: 0 to 256", "" },
		{ "serve_loops: 99999999999999999999", "1: serve_loops: ", "is not a whole number" },
		{ "tags:\n  - ttl: 500ms", "2: tags[0].ttl: \"500ms\" is not a duration in seconds", "" },
		{ "tags:\n  - immutable: maybe", "2: tags[0].immutable: \"maybe\" is not on or off", "" },
		{ "gate: {min_hit_ratio: 1.5}", "1: gate.min_hit_ratio: \"1.5\" is not a ratio; write it like 0.98", "" },
		{ "upstreams: {a.io: {denied: 500}}", "1: upstreams.a.io.denied: \"500\" is too large; allowed: 403 to 404", "" },
		{ LINK("quota: {resets_on: 29}"), "3: links.fibre.quota.resets_on: \"29\" is too large; allowed: 1 to 28", "" },
	};

	(void)state;
	ALL_REFUSED(m);
}

static void
test_texts(void **state)
{
	static const struct mistake m[] = {
		{ "log: {level: verbose}", "1: log.level: \"verbose\" is not known; allowed: debug, info, warn, error", "" },
		{ "log: {format: xml}", "1: log.format: \"xml\" is not known; allowed: json, text", "" },
		{ "upstreams: {a.io: {visibility: hidden}}", "1: upstreams.a.io.visibility: \"hidden\" is not known; allowed: public, private", "" },
		{ "region: \"a\\nb\"", "1: region: \"a\\x0ab\" is not a text of one line", "" },
		{ "region: \"a\\0b\"", "1: region: \"a\\x00b\" is not a text of one line", "" },
		{ "region: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1: region: is 65 bytes long; at most 64", "" },
		{ LINK("interface: abcdefghijklmnop"), "3: links.fibre.interface: is 16 bytes long; at most 15", "" },
		{ "store: {path: \"\"}", "1: store.path: is empty; write a path", "" },
		{ LINK("timezone: Europe/Atlantis"), "3: links.fibre.timezone: \"Europe/Atlantis\" is not a time zone", "Europe/Budapest" },
		{ LINK("timezone: ../../../etc/passwd"), "3: links.fibre.timezone: ", "is not a time zone" },
		{ LINK("timezone: /etc/passwd"), "3: links.fibre.timezone: ", "is not a time zone" },
		{ LINK("timezone: Europe"), "3: links.fibre.timezone: ", "is not a time zone" },
		{ LINK("timezone: \"\""), "3: links.fibre.timezone: ", "is not a time zone" },
		{ "sites: [{ring: a}]", "1: sites[0].match: is missing", "" },
		{ "sites: [{match: a}]", "1: sites[0].ring: is missing", "" },
		{ "sites: [{match: 10.1.0.0/33, ring: a}]", "1: sites[0].match: \"10.1.0.0/33\" is not a block", "10.1.0.0/16" },
		{ "sites: [{match: 10.1.0.5/16, ring: a}]", "1: sites[0].match: \"10.1.0.5/16\" is not a block", "no bits set behind the prefix" },
		{ "sites: [{match: \"fd00::1/64\", ring: a}]", "1: sites[0].match: ", "is not a block" },
		{ "sites: [{match: \"\", ring: a}]", "1: sites[0].match: is empty", "" },
	};

	(void)state;
	ALL_REFUSED(m);
}

static void
test_addresses(void **state)
{
	static const struct mistake m[] = {
		{ "listen: []", "1: listen: names no address", "" },
		{ "listen:\n  - address: localhost:5000", "2: listen[0].address: \"localhost:5000\" is not an address and port; write it like 127.0.0.1:5000, [::1]:5000 or :5000", "" },
		{ "listen:\n  - address: 127.0.0.1", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: 127.0.0.1:65536", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: \"127.0.0.1:\"", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: \"::1:5000\"", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: \"[::1:5000\"", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: \"[127.0.0.1]:5000\"", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: \"[]:5000\"", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: \"\"", "2: listen[0].address: ", "is not an address and port" },
		{ "listen:\n  - address: \":5000\"\n  - address: \"[::]:5000\"", "3: listen[1]: an earlier entry listens on [::]:5000, too", "" },
		{ "listen:\n  - address: 127.0.0.1:5001", "2: listen[0]: admin listens on 127.0.0.1:5001, too", "" },
		{ "admin: {address: 0.0.0.0:5001}", "1: admin: whoever reaches 0.0.0.0:5001", "name tokens or tls.client_ca, or listen on 127.0.0.1" },
		{ "admin: {address: \":5001\"}", "1: admin: whoever reaches :5001", "tokens" },
		{ "admin: {address: 10.0.0.1:5001, tls: {certificate: /c, key: /k}}", "1: admin: whoever reaches", "" },
		{ "listen:\n  - tls: {certificate: /c}", "2: listen[0].tls: needs both certificate and key; key is missing", "" },
		{ "listen:\n  - tls: {key: /k}", "2: listen[0].tls: needs both certificate and key; certificate is missing", "" },
		{ "listen:\n  - tls: {client_ca: /a}", "2: listen[0].tls: client_ca needs certificate and key", "" },
		{ "admin:\n  tls:\n    key: /k", "2: admin.tls: needs both", "" },
	};

	(void)state;
	ALL_REFUSED(m);
}

static void
test_links(void **state)
{
	static const struct mistake m[] = {
		{ "links:\n  \"a b\": {}", "2: links.a b: a link's name is made of letters", "" },
		{ "links:\n  \"\": {}", "2: links.: a link's name", "" },
		{ "links:\n  \"a\\0b\": {}", "2: links.a\\x00b: a link's name", "" },
		{ LINK("shares: {refresh: 20%, prewarm: 20%, repair: 11%}"), "3: links.fibre.shares: add up to 51%; at most 50%", "" },
		{ LINK("shares: {prewarm: 45.5%}"), "3: links.fibre.shares: add up to 50.5%; at most 50%", "" },
		{ LINK("quota: {bytes: 1GB, reserve: 1GiB}"), "3: links.fibre.quota: the reserve is larger than bytes", "" },
		{ LINK("quota: {reserve: 1}"), "3: links.fibre.quota: the reserve is larger than bytes", "" },
		{ LINK("proxy: ftp://me:secret@a.io"), "3: links.fibre.proxy: \"...@a.io\" is not a URL", "http, https, socks5, socks5h" },
		{ LINK("windows: [{days: someday, rate: 1Mbit}]"), "3: links.fibre.windows[0].days: \"someday\" is not days; write them like mon-sat", "" },
		{ LINK("windows: [{days: [], rate: 1Mbit}]"), "3: links.fibre.windows[0].days: names no day", "" },
		{ LINK("windows: [{days: [[mon]], rate: 1Mbit}]"), "3: links.fibre.windows[0].days: ", "is not days" },
		{ LINK("windows: [{days: {mon: on}, rate: 1Mbit}]"), "3: links.fibre.windows[0].days: ", "is not days" },
		{ LINK("windows: [{from: 8:00, rate: 1Mbit}]"), "3: links.fibre.windows[0].from: \"8:00\" is not a time of day; write it like \"08:00\"", "" },
		{ LINK("windows: [{from: \"24:00\", rate: 1Mbit}]"), "3: links.fibre.windows[0].from: \"24:00\" is too large; allowed: 00:00 to 23:59", "" },
		{ LINK("windows: [{from: \"08:00\", to: \"08:00\", rate: 1Mbit}]"), "3: links.fibre.windows[0]: begins and ends at the same time", "" },
		{ LINK("windows: [{from: \"08:00\"}]"), "3: links.fibre.windows[0]: changes nothing; write a rate, a prewarm, or both", "" },
		{ LINK("windows: [~]"), "3: links.fibre.windows[0]: changes nothing", "" },
		{ WINDOWS "      - {rate: 1Mbit, from: \"08:00\", to: \"12:00\"}\n      - {rate: 1Mbit, from: \"11:59\", to: \"13:00\"}", "5: links.a: windows[1]: overlaps the window on line 4", "" },
		{ WINDOWS "      - {rate: 1Mbit, days: tue, from: \"00:00\", to: \"00:01\"}\n      - {rate: 1Mbit, days: mon, from: \"22:00\", to: \"06:00\"}", "5: links.a: windows[1]: overlaps the window on line 4", "" },
		{ WINDOWS "      - {rate: 1Mbit, days: sun, from: \"22:00\", to: \"06:00\"}\n      - {rate: 1Mbit, days: mon, from: \"05:00\", to: \"06:00\"}", "5: links.a: windows[1]: overlaps the window on line 4", "" },
	};

	(void)state;
	ALL_REFUSED(m);
}

static void
test_upstreams(void **state)
{
	static const struct mistake m[] = {
		{ "upstreams:\n  nodots: {}", "2: upstreams.nodots: is not a registry's name; write it like docker.io", "" },
		{ "upstreams:\n  -a.io: {}", "2: upstreams.-a.io: is not a registry's name", "" },
		{ "upstreams:\n  a..io: {}", "2: upstreams.a..io: is not a registry's name", "" },
		{ "upstreams:\n  a.io/b: {}", "2: upstreams.a.io/b: is not a registry's name", "" },
		{ "upstreams:\n  a.io:0: {}", "2: upstreams.a.io:0: is not a registry's name", "" },
		{ "upstreams:\n  \"\":", "2: upstreams.: is not a registry's name", "" },
		{ "upstreams:\n  a.io: {aliases: a}", "2: upstreams.a.io.aliases: must be a list", "" },
		{ "upstreams:\n  a.io: {aliases: [b]}", "2: upstreams.a.io.aliases: \"b\" is not a registry's name", "" },
		{ "upstreams:\n  a.io: {aliases: [[b]]}", "2: upstreams.a.io.aliases: ", "is not a registry's name" },
		{ "upstreams:\n  a.io: {aliases: [b.io]}\n  c.io: {aliases: [B.io:443]}", "3: upstreams.c.io: the name b.io is given twice, here and in a.io", "" },
		{ "upstreams:\n  a.io: {aliases: [b.io]}\n  b.io: {}", "3: upstreams.b.io: the name b.io is given twice, here and in a.io", "" },
		{ "upstreams:\n  a.io: {}\n  A.io: {}", "3: upstreams.a.io: the name a.io is given twice", "" },
		{ "upstreams:\n  a.io: {aliases: [a.io]}", "2: upstreams.a.io: the name a.io is given twice", "" },
		{ "default_upstream: a.io", "1: default_upstream: \"a.io\" is not one of the upstreams", "" },
		{ "upstreams:\n  a.io: {endpoints: []}", "2: upstreams.a.io: endpoints: names none; write one, or leave it out for https://a.io", "" },
		{ ENDPOINT("{}"), "4: upstreams.a.io.endpoints[0]: needs a url or a layout, and has none", "" },
		{ ENDPOINT("{url: https://a.io, layout: /x}"), "4: upstreams.a.io.endpoints[0]: needs a url or a layout, but not both", "" },
		{ ENDPOINT("{url: https://a.io, link: lte}"), "4: upstreams.a.io.endpoints[0].link: \"lte\" is not a link; none is defined", "" },
		{ LINK("rate: 1Mbit") ENDPOINT("{url: https://a.io, link: lte}"), "7: upstreams.a.io.endpoints[0].link: \"lte\" is not one of the links", "" },
		{ ENDPOINT("{url: ftp://a.io}"), "4: upstreams.a.io.endpoints[0].url: \"ftp://a.io\" is not a URL; write it like https://host.example.com, with one of http, https", "" },
		{ ENDPOINT("{url: a.io}"), "4: upstreams.a.io.endpoints[0].url: \"a.io\" is not a URL", "" },
		{ ENDPOINT("{url: \"https://\"}"), "4: upstreams.a.io.endpoints[0].url: ", "is not a URL" },
		{ ENDPOINT("{url: \"https://a.io:0\"}"), "4: upstreams.a.io.endpoints[0].url: ", "is not a URL" },
		{ ENDPOINT("{url: \"https://a.io?x=y\"}"), "4: upstreams.a.io.endpoints[0].url: ", "is not a URL" },
		{ ENDPOINT("{url: \"https://a.io#x\"}"), "4: upstreams.a.io.endpoints[0].url: ", "is not a URL" },
		{ ENDPOINT("{url: \"https://a.io/a b\"}"), "4: upstreams.a.io.endpoints[0].url: ", "is not a URL" },
		{ ENDPOINT("{url: \"https://[::1\"}"), "4: upstreams.a.io.endpoints[0].url: ", "is not a URL" },
		{ ENDPOINT("{url: \"https://[::g]\"}"), "4: upstreams.a.io.endpoints[0].url: ", "is not a URL" },
		{ ENDPOINT("{url: \"https://me:secret@a.io\"}"), "4: upstreams.a.io.endpoints[0].url: the URL holds a user", "under auth" },
		{ "upstreams: {a.io: {auth: {username: u}}}", "1: upstreams.a.io.auth: needs both username and password_file; password_file is missing", "" },
		{ "upstreams: {a.io: {auth: {password_file: /p}}}", "1: upstreams.a.io.auth: needs both username and password_file; username is missing", "" },
		{ "upstreams: {a.io: {auth: {username: u, password_file: /p, docker_config: /c}}}", "1: upstreams.a.io.auth: takes docker_config or username", "not both" },
	};

	(void)state;
	ALL_REFUSED(m);
}
/* clang-format on */

/* Secrets that were put in the wrong place are not repeated. */
static void
test_secrets_stay_hidden(void **state)
{
	static const char *const texts[] = {
		ENDPOINT("{url: \"https://me:secret@a.io\"}"),
		LINK("proxy: \"ftp://me:secret@a.io\""),
		LINK("proxy: \"http://me:secret@a.io:port\""),
		ENDPOINT("{url: \"https://me:secret@a.io:port\"}"),
		ENDPOINT("{url: \"me:@secret@@a.io\"}"),
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_null(config_parse("r.yaml", str_of(texts[i]), &err));
		assert_null(strstr(err.text, "secret"));
	}
}

static void
test_too_many(void **state)
{
	struct err err;
	struct buf b;
	unsigned i;

	(void)state;
	buf_init(&b, 1u << 20);
	buf_addz(&b, "listen:\n");
	for (i = 0; i < 65; i++)
		buf_printf(&b, "  - address: 127.0.0.1:%u\n", 6000 + i);
	assert_null(config_parse("r.yaml", buf_str(&b), &err));
	assert_string_equal(err.text,
	    "r.yaml:1: listen: has 65 entries; at most 64 are allowed");

	buf_reset(&b);
	buf_addz(&b, "upstreams: {a.io: {aliases: [");
	for (i = 0; i < 17; i++)
		buf_printf(&b, "b%u.io, ", i);
	buf_addz(&b, "]}}");
	assert_null(config_parse("r.yaml", buf_str(&b), &err));
	assert_string_equal(err.text,
	    "r.yaml:1: upstreams.a.io.aliases: must be a list of at most 16 "
	    "names");
	buf_done(&b);
}

/* The place is cut when it grows too long; nothing else is hurt. */
static void
test_long_keys(void **state)
{
	struct err err;
	struct buf b;
	unsigned i;

	(void)state;
	buf_init(&b, 1u << 20);
	buf_addz(&b, "links: {");
	for (i = 0; i < 900; i++)
		buf_addz(&b, "k");
	buf_addz(&b, ": {rate: fast}}");
	assert_null(config_parse("r.yaml", buf_str(&b), &err));
	assert_non_null(strstr(err.text, "links.kkkk"));
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_and_kinds),
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_upstreams),
		cmocka_unit_test(test_secrets_stay_hidden),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_long_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
