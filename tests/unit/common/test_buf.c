/*
 * test_buf.c - growth, the ceiling, giving away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

#define assert_bytes(b, z)                                                     \
	do {                                                                   \
		assert_int_equal((b)->n, strlen(z));                           \
		assert_memory_equal((b)->p, z, strlen(z));                     \
	} while (0)

static void
it_grows(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	for (int i = 0; i < 100000; i++)
		buf_add(&b, &"0123456789"[i % 10], 1);
	assert_false(b.overflow);
	assert_int_equal(b.n, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.p[i], '0' + i % 10);
	buf_done(&b);
	assert_null(b.p);
	buf_done(&b);
}

static void
the_ceiling_refuses_whole_writes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_addz(&b, "abc");
	buf_addz(&b, "de");
	assert_true(b.overflow);
	assert_bytes(&b, "abc");
	buf_addz(&b, "d"); /* what fits is taken; the mark stays */
	assert_bytes(&b, "abcd");
	assert_true(b.overflow);
	assert_null(buf_room(&b, 1));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_true(b.cap <= 4);
	buf_reset(&b);
	assert_false(b.overflow);
	assert_int_equal(b.n, 0);
	buf_add(&b, NULL, 0);
	assert_false(b.overflow);
	buf_done(&b);
}

static void
a_ceiling_of_nothing(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 0);
	buf_addz(&b, "");
	assert_false(b.overflow);
	p = buf_take(&b);
	assert_string_equal(p, "");
	free(p);
	buf_addz(&b, "a");
	assert_true(b.overflow);
	buf_done(&b);
}

static void
printing(void **state)
{
	struct buf b;
	char text[301];

	(void)state;
	memset(text, 'x', 300);
	text[300] = '\0';
	buf_init(&b, 310);
	buf_printf(&b, "%d,", 42);
	assert_bytes(&b, "42,");
	buf_printf(&b, "%s", text); /* more than the first allocation */
	assert_int_equal(b.n, 303);
	assert_memory_equal(b.p + 3, text, 300);
	buf_printf(&b, "%s", "12345678");
	assert_true(b.overflow);
	assert_int_equal(b.n, 303);
	b.overflow = false;
	buf_printf(&b, "%s", "1234567"); /* to the last byte */
	assert_false(b.overflow);
	assert_int_equal(b.n, 310);
	buf_printf(&b, "%s", "");
	assert_false(b.overflow);
	buf_done(&b);
}

static void
consuming(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 16);
	buf_consume(&b, 0);
	buf_addz(&b, "abcdef");
	buf_consume(&b, 2);
	assert_bytes(&b, "cdef");
	buf_consume(&b, 4);
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_str(&b).n, 0);
	buf_done(&b);
	assert_non_null(buf_str(&b).p);
}

static void
room_is_written_by_the_caller(void **state)
{
	struct buf b;
	char *room;

	(void)state;
	buf_init(&b, 1000);
	buf_addz(&b, "a");
	room = buf_room(&b, 999);
	assert_non_null(room);
	memset(room, 'b', 999);
	b.n += 999;
	assert_int_equal(b.p[0], 'a');
	assert_int_equal(b.p[999], 'b');
	assert_null(buf_room(&b, 1));
	buf_done(&b);
}

static void
taking_empties(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 3);
	buf_addz(&b, "abc"); /* full: the NUL has its own byte */
	p = buf_take(&b);
	assert_string_equal(p, "abc");
	free(p);
	assert_int_equal(b.n, 0);
	assert_null(b.p);
	buf_addz(&b, "de");
	buf_addz(&b, "fg");
	assert_null(buf_take(&b)); /* overflown */
	assert_int_equal(b.n, 0);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows),
		cmocka_unit_test(the_ceiling_refuses_whole_writes),
		cmocka_unit_test(a_ceiling_of_nothing),
		cmocka_unit_test(printing),
		cmocka_unit_test(consuming),
		cmocka_unit_test(room_is_written_by_the_caller),
		cmocka_unit_test(taking_empties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
