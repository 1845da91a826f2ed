/*
 * test_map.c - the table against a plain array, and the hash against others'.
 *
 * The module's source is included, for its static functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../../common/map.c"

/* CPython 3.11 hashes bytes with SipHash-1-3; PYTHONHASHSEED=0 is a zero key.
 */
static void
hash_is_siphash13(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} known[] = {
		{ "a", 0x407448d2b89b1813 },
		{ "ab", 0x555508cbc6add439 },
		{ "abcdefg", 0x6db12aae9070f506 },
		{ "abcdefgh", 0x3f7b849c0b8e35ea },
		{ "abcdefghi", 0xf89b34a3d11eb6e5 },
		{ "the quick brown fox", 0x5a17575ad3449cba },
	};
	const uint64_t zero[2] = { 0, 0 };
	const uint64_t count[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_true(sip_hash(zero, (const unsigned char *)known[i].text,
				strlen(known[i].text)) == known[i].hash);
	assert_true(sip_hash(count, (const unsigned char *)"", 0) ==
	    0xabac0158050fc4dc);
}

static void
the_key_is_random(void **state)
{
	struct map *m = map_new(1);

	(void)state;
	assert_true(secret[0] != 0 || secret[1] != 0);
	map_free(m);
}

static void
keys_are_bytes(void **state)
{
	struct map *m = map_new(10);
	int a, b, c;

	(void)state;
	assert_int_equal(map_put(m, "k\0a", 3, &a), 0);
	assert_int_equal(map_put(m, "k\0b", 3, &b), 0);
	assert_int_equal(map_put(m, NULL, 0, &c), 0);
	assert_ptr_equal(map_find(m, "k\0a", 3), &a);
	assert_ptr_equal(map_find(m, "k\0b", 3), &b);
	assert_ptr_equal(map_find(m, "", 0), &c);
	assert_null(map_find(m, "k", 1));
	assert_null(map_find(m, "k\0", 2));
	assert_int_equal(map_count(m), 3);
	map_free(m);
	map_free(NULL);
}

static void
keys_are_copied(void **state)
{
	struct map *m = map_new(10);
	char key[] = "name";
	int value;

	(void)state;
	assert_int_equal(map_put(m, key, 4, &value), 0);
	key[0] = 'X';
	assert_null(map_find(m, key, 4));
	assert_ptr_equal(map_find(m, "name", 4), &value);
	map_free(m);
}

static void
the_ceiling(void **state)
{
	struct map *m = map_new(2);
	int a, b;

	(void)state;
	assert_int_equal(map_put(m, "1", 1, &a), 0);
	assert_int_equal(map_put(m, "2", 1, &a), 0);
	assert_int_equal(map_put(m, "3", 1, &a), -1);
	assert_int_equal(map_count(m), 2);
	assert_int_equal(map_put(m, "2", 1, &b), 0); /* replaces */
	assert_ptr_equal(map_find(m, "2", 1), &b);
	assert_ptr_equal(map_take(m, "1", 1), &a);
	assert_null(map_take(m, "1", 1));
	assert_int_equal(map_put(m, "3", 1, &a), 0);
	map_free(m);
}

#define N_KEYS 5000

/* Random puts and takes, held against an array. */
static void
against_an_array(void **state)
{
	static char there[N_KEYS];
	struct map *m = map_new(N_KEYS);
	uint32_t random = 7;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < 40 * N_KEYS; i++) {
		uint32_t key =
		    (random = random * 1664525 + 1013904223) % N_KEYS;
		bool put = random >> 31;
		void *value = &there[key];

		if (put) {
			assert_int_equal(map_put(m, &key, 4, value), 0);
			count += !there[key];
		} else {
			assert_ptr_equal(
			    map_take(m, &key, 4), there[key] ? value : NULL);
			count -= there[key] != 0;
		}
		there[key] = put;
		assert_int_equal(map_count(m), count);
	}
	for (uint32_t key = 0; key < N_KEYS; key++)
		assert_ptr_equal(
		    map_find(m, &key, 4), there[key] ? &there[key] : NULL);
	map_free(m);
}

struct walk {
	struct map *m;
	unsigned seen[1000];
};

static void
take_odd(const void *key, size_t n, void *value, void *arg)
{
	struct walk *w = arg;
	unsigned id;

	assert_int_equal(n, sizeof(id));
	memcpy(&id, key, n);
	w->seen[id]++;
	if (id % 2 == 1)
		assert_ptr_equal(map_take(w->m, key, n), value);
}

static void
a_walk_may_take_where_it_is(void **state)
{
	struct walk w = { .m = map_new(1000) };

	(void)state;
	for (unsigned id = 0; id < 1000; id++)
		assert_int_equal(map_put(w.m, &id, sizeof(id), &w.seen[id]), 0);
	map_each(w.m, take_odd, &w);
	for (unsigned id = 0; id < 1000; id++)
		assert_int_equal(w.seen[id], 1);
	assert_int_equal(map_count(w.m), 500);
	map_each(w.m, take_odd, &w);
	for (unsigned id = 0; id < 1000; id++)
		assert_int_equal(w.seen[id], id % 2 == 1 ? 1 : 2);
	map_free(w.m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_is_siphash13),
		cmocka_unit_test(the_key_is_random),
		cmocka_unit_test(keys_are_bytes),
		cmocka_unit_test(keys_are_copied),
		cmocka_unit_test(the_ceiling),
		cmocka_unit_test(against_an_array),
		cmocka_unit_test(a_walk_may_take_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
