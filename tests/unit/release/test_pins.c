/*
 * test_pins.c - the name that a release's pins have: nobody else's, whatever
 * the clock does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "release_int.h"

#define N 1000

static struct releases releases;

static struct release *
make(void)
{
	struct err err;
	struct release *r =
	    release_new(&releases, "r", release_list_new(), NULL, &err);

	assert_non_null(r);
	return r;
}

/* A thousand take less than a thousand milliseconds. */
static void
each_its_own(void **state)
{
	char before[PINS_NAME_MAX] = "";

	(void)state;
	for (int i = 0; i < N; i++) {
		struct release *r = make();

		assert_string_not_equal(r->pins, before);
		memcpy(before, r->pins, sizeof(before));
		release_free(r);
	}
}

static void
the_clock_goes_back(void **state)
{
	int64_t kept = clock_wall_ms() + 3600000;
	struct release *old = make(), *new;

	(void)state;
	release_name_pins(old, kept);
	new = make();
	assert_true(new->record.generation > kept);
	assert_string_not_equal(new->pins, old->pins);
	release_free(old);
	release_free(new);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_its_own),
		cmocka_unit_test(the_clock_goes_back),
	};

	return cmocka_run_group_tests_name("pins", tests, NULL, NULL);
}
