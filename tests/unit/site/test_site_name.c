/*
 * test_site_name.c - which site a request is of, whatever it claims.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "site/name.h"

/* As long as a name may be. */
#define LONG "x123456789012345678901234567890123456789012345678901234567890123"

static struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
static struct sockaddr_in v4 = { .sin_family = AF_INET };

static const struct sockaddr *
at(const char *address)
{
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return (const struct sockaddr *)&v4;
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return (const struct sockaddr *)&v6;
}

static void
expect(const char *certificate, const char *header, const char *address,
    const char *text, enum site_origin origin)
{
	char out[SITE_TEXT_MAX];
	struct site_id id;

	site_id_set(&id, str_of(certificate), str_of(header), at(address));
	assert_string_equal(site_id_text(&id, out), text);
	assert_int_equal(id.origin, origin);
	assert_int_equal(
	    site_id_name(&id).n, origin == SITE_BY_ADDRESS ? 0 : strlen(text));
}

static void
in_their_order(void **state)
{
	(void)state;
	expect(
	    "store-1", "store-2", "10.1.2.3", "store-1", SITE_BY_CERTIFICATE);
	expect(NULL, "store-2", "10.1.2.3", "store-2", SITE_BY_HEADER);
	expect(NULL, NULL, "10.1.2.3", "10.1.2.3", SITE_BY_ADDRESS);
	expect(NULL, NULL, "fd00:1:2:3:4:5:6:7", "fd00:1:2:3::/64",
	    SITE_BY_ADDRESS);
	expect(NULL, NULL, "::ffff:10.1.2.3", "10.1.2.3", SITE_BY_ADDRESS);
	expect("", "", "10.1.2.3", "10.1.2.3", SITE_BY_ADDRESS);
}

static void
what_is_no_name(void **state)
{
	static const char *const wrong[] = { "store 7", "store/7", "a,b",
		"st\xc3\xb6re", "store\n7", "\"", "10.1.2.3", "1", "...", "::1",
		"fd00::/64", LONG "x" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(site_name_is_valid(str_of(wrong[i])));
		expect(NULL, wrong[i], "10.9.8.7", "10.9.8.7", SITE_BY_ADDRESS);
		/* The header does not speak for a certificate. */
		expect(wrong[i], "store-1", "10.9.8.7", "10.9.8.7",
		    SITE_BY_ADDRESS);
	}
	assert_false(site_name_is_valid(STR("")));
	assert_false(site_name_is_valid((struct str){ "a\0b", 3 }));
}

static void
what_is_one(void **state)
{
	static const char *const right[] = { "a", "7-eleven", "Store_9.emea",
		"-", "_", "10.1.2.3.example", LONG };

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		expect(NULL, right[i], "fd00::1", right[i], SITE_BY_HEADER);
}

/* Of a named site the whole address is known, of another its /64. */
static void
addresses(void **state)
{
	char out[SITE_TEXT_MAX];
	struct site_id a, b;

	(void)state;
	site_id_set(&a, STR(""), STR("store-1"), at("fd00:1:2:3:4:5:6:7"));
	assert_string_equal(
	    site_address_text(a.address, out), "fd00:1:2:3:4:5:6:7");
	site_id_set(&a, STR(""), STR(""), at("fd00:1:2:3:4:5:6:7"));
	site_id_set(&b, STR(""), STR(""), at("fd00:1:2:3:9::"));
	assert_memory_equal(a.address, b.address, sizeof(a.address));
	site_id_set(&b, STR(""), STR(""), at("fd00:1:2:4::"));
	assert_memory_not_equal(a.address, b.address, sizeof(a.address));
	site_id_set(&a, STR(""), STR(""), NULL);
	assert_string_equal(site_id_text(&a, out), "::/64");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_their_order),
		cmocka_unit_test(what_is_no_name),
		cmocka_unit_test(what_is_one),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
