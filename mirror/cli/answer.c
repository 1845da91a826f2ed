/*
 * answer.c - what is in an answer of the control plane, for those who print it.
 */
#include "cli_int.h"

const json_t *
answer_get(const json_t *value, const char *key)
{
	struct str rest = str_of(key), name;

	while (str_cut(&rest, '.', &name))
		value = json_object_getn(value, name.p, name.n);
	return value;
}

uint64_t
answer_number(const json_t *value, const char *key)
{
	json_int_t n = json_integer_value(answer_get(value, key));

	return n > 0 ? (uint64_t)n : 0;
}

const char *
answer_text(const json_t *value, const char *key, const char *none)
{
	const char *text = json_string_value(answer_get(value, key));

	return text != NULL ? text : none;
}

const char *
answer_show(
    const json_t *value, const char *key, const char *none, char out[SHOWN_MAX])
{
	return str_printable(
	    str_of(answer_text(value, key, none)), out, SHOWN_MAX);
}

const char *
answer_bytes(const json_t *value, const char *key, char out[AMOUNT_TEXT_MAX])
{
	return amount_bytes(answer_number(value, key), out);
}
