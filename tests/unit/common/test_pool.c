/*
 * test_pool.c - pieces of a pool: zeroed, apart, aligned, up to the ceiling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/pool.h"

static void
test_pieces_are_apart(void **state)
{
	unsigned char *pieces[100];
	struct pool pool;
	size_t i, k, n;

	(void)state;
	pool_init(&pool, 1u << 20);
	for (i = 0; i < 100; i++) {
		n = 1 + i * 13 % 300;
		pieces[i] = pool_take(&pool, n);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		for (k = 0; k < n; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)i, n);
	}
	for (i = 0; i < 100; i++)
		for (k = 0; k < 1 + i * 13 % 300; k++)
			assert_int_equal(pieces[i][k], i);
	pool_done(&pool);
}

static void
test_ceiling(void **state)
{
	struct pool pool;

	(void)state;
	pool_init(&pool, 10000);
	assert_null(pool_take(&pool, 10001));
	assert_null(pool_take(&pool, SIZE_MAX));
	assert_non_null(pool_take(&pool, 5000));
	assert_null(pool_take(&pool, 5001));
	assert_non_null(pool_take(&pool, 4000));
	assert_null(pool_take(&pool, 4000));
	pool_done(&pool);
	assert_non_null(pool_take(&pool, 9000));
	pool_done(&pool);
}

static void
test_copies(void **state)
{
	struct pool pool;

	(void)state;
	pool_init(&pool, 1u << 20);
	assert_string_equal(pool_copy(&pool, STR("fibre")), "fibre");
	assert_string_equal(
	    pool_copy(&pool, (struct str){ "fibre", 3 }), "fib");
	assert_string_equal(pool_copy(&pool, (struct str){ NULL, 0 }), "");
	pool_done(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_apart),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
