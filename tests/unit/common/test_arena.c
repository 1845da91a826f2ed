/*
 * test_arena.c - pieces, alignment, the end of the block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"

static void
pieces_are_zeroed_and_aligned(void **state)
{
	_Alignas(16) char block[256];
	struct arena a;
	char *first, *second;

	(void)state;
	memset(block, 0xee, sizeof(block));
	arena_init(&a, block + 1, sizeof(block) - 1); /* an odd start */
	first = arena_alloc(&a, 3);
	second = arena_alloc(&a, 40);
	assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
	assert_int_equal((uintptr_t)second % _Alignof(max_align_t), 0);
	assert_true(second >= first + 3);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(second[i], 0);
	assert_false(a.overflow);
}

static void
the_end_is_the_end(void **state)
{
	_Alignas(16) char block[64];
	struct arena a;

	(void)state;
	arena_init(&a, block, sizeof(block));
	assert_non_null(arena_alloc(&a, 64));
	assert_false(a.overflow);
	assert_null(arena_alloc(&a, 1));
	assert_true(a.overflow);
	arena_reset(&a);
	assert_false(a.overflow);
	assert_null(arena_alloc(&a, 65));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_non_null(arena_alloc(&a, 33)); /* of the 31 left, 15 pad */
	assert_null(arena_alloc(&a, 17));
	assert_non_null(arena_alloc(&a, 16));
}

static void
an_empty_arena_has_nothing(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, NULL, 0);
	assert_null(arena_alloc(&a, 0));
	assert_null(arena_copy(&a, STR("")).p);
	assert_null(arena_printf(&a, "%s", "").p);
	assert_true(a.overflow);
}

static void
copies_end_with_a_nul(void **state)
{
	char block[8];
	struct arena a;
	struct str s;

	(void)state;
	memset(block, 'x', sizeof(block));
	arena_init(&a, block, sizeof(block));
	s = arena_copy(&a, (struct str){ "a\0bc", 4 });
	assert_int_equal(s.n, 4);
	assert_memory_equal(s.p, "a\0bc", 5);
	s = arena_copy(&a, STR("de"));
	assert_string_equal(s.p, "de"); /* 5 + 3: full to the last byte */
	assert_false(a.overflow);
	assert_null(arena_copy(&a, STR("")).p);
	assert_true(a.overflow);
	assert_null(arena_copy(&a, (struct str){ "", SIZE_MAX }).p);
}

static void
printing_fits_or_changes_nothing(void **state)
{
	char block[8];
	struct arena a;
	struct str s;

	(void)state;
	arena_init(&a, block, sizeof(block));
	assert_null(arena_printf(&a, "%s", "12345678").p);
	assert_int_equal(a.used, 0);
	assert_true(a.overflow);
	s = arena_printf(&a, "%d-%s", 123, "456");
	assert_string_equal(s.p, "123-456");
	assert_int_equal(s.n, 7);
	assert_int_equal(a.used, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_and_aligned),
		cmocka_unit_test(the_end_is_the_end),
		cmocka_unit_test(an_empty_arena_has_nothing),
		cmocka_unit_test(copies_end_with_a_nul),
		cmocka_unit_test(printing_fits_or_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
