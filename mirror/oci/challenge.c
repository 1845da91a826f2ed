/*
 * challenge.c - WWW-Authenticate and token replies.
 *
 *	header     [challenge] *("," [challenge])
 *	challenge  scheme [1*" " (token68 / parameter *("," parameter))]
 *
 * Commas part both challenges and parameters: what follows one is a parameter
 * if there is a "=" behind its first token, else the next challenge.
 */
#include "oci/challenge.h"

#include <string.h>

#include "oci_int.h"

#define TOKEN_REPLY_MAX_BYTES (64u << 10)
#define LIFETIME_DEFAULT_S 60

/* ---- challenges --------------------------------------------------------- */

/* Values as they stand in the header, with their escapes. */
struct parameters {
	struct str realm, service, scope, error;
};

static void
set_parameter(struct parameters *ps, struct str key, struct str value)
{
	const struct {
		struct str key;
		struct str *value;
	} known[] = {
		{ STR("realm"), &ps->realm },
		{ STR("service"), &ps->service },
		{ STR("scope"), &ps->scope },
		{ STR("error"), &ps->error },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_ieq(key, known[i].key) && known[i].value->p == NULL)
			*known[i].value = value;
}

/* Does REST begin with `key =` and a value?  A token68 may end in "=", but has
 * nothing behind it. */
static bool
at_parameter(struct str rest)
{
	struct str key;

	if (!field_cut_token(&rest, &key))
		return false;
	field_skip_space(&rest);
	if (!field_skip(&rest, '='))
		return false;
	field_skip_space(&rest);
	return rest.n > 0 && rest.p[0] != '=' && rest.p[0] != ',';
}

static bool
cut_parameter(struct str *rest, struct parameters *ps)
{
	struct str key, value;

	if (!field_cut_token(rest, &key))
		return false;
	field_skip_space(rest);
	if (!field_skip(rest, '='))
		return false;
	field_skip_space(rest);
	if (!field_cut_value(rest, &value))
		return false;
	set_parameter(ps, key, value);
	return true;
}

static bool
skip_token68(struct str *rest)
{
	struct str piece;
	size_t n = 0;

	while (field_cut_token(rest, &piece) || field_skip(rest, '/'))
		n++;
	while (field_skip(rest, '='))
		;
	return n > 0;
}

/* Skips commas and space; false when something else comes first. */
static bool
skip_commas(struct str *rest)
{
	bool is_there = false;

	field_skip_space(rest);
	while (field_skip(rest, ',')) {
		is_there = true;
		field_skip_space(rest);
	}
	return is_there || rest->n == 0;
}

static bool
cut_challenge(struct str *rest, struct str *scheme, struct parameters *ps)
{
	size_t n;

	*ps = (struct parameters){ 0 };
	if (!field_cut_token(rest, scheme))
		return false;
	n = rest->n;
	field_skip_space(rest);
	if (rest->n == n || rest->n == 0 || rest->p[0] == ',')
		return skip_commas(rest);
	if (!at_parameter(*rest))
		return skip_token68(rest) && skip_commas(rest);
	do {
		if (!cut_parameter(rest, ps) || !skip_commas(rest))
			return false;
	} while (at_parameter(*rest));
	return true;
}

/* How good it is: what we can answer is better than what we can't. */
static enum challenge_scheme
usable_scheme(struct str scheme, const struct parameters *ps)
{
	if (str_ieq(scheme, STR("bearer")) && ps->realm.n > 0)
		return CHALLENGE_BEARER;
	if (str_ieq(scheme, STR("basic")))
		return CHALLENGE_BASIC;
	return CHALLENGE_NONE;
}

static bool
copy_unescaped(struct arena *a, struct str value, struct str *out)
{
	char *copy;

	*out = STR("");
	if (value.n == 0)
		return true;
	copy = arena_alloc(a, value.n + 1);
	if (copy == NULL)
		return false;
	*out = (struct str){ copy, field_unescape(value, copy) };
	return true;
}

bool
challenge_parse(struct arena *a, struct str header, struct challenge *out)
{
	struct parameters ps, best = { 0 };
	struct str rest = header, scheme;

	*out = (struct challenge){ .scheme = CHALLENGE_NONE };
	(void)skip_commas(&rest);
	while (rest.n > 0) {
		if (!cut_challenge(&rest, &scheme, &ps))
			return false;
		if (usable_scheme(scheme, &ps) <= out->scheme)
			continue;
		out->scheme = usable_scheme(scheme, &ps);
		best = ps;
	}
	return copy_unescaped(a, best.realm, &out->realm) &&
	    copy_unescaped(a, best.service, &out->service) &&
	    copy_unescaped(a, best.scope, &out->scope) &&
	    copy_unescaped(a, best.error, &out->error);
}

/* ---- token replies ------------------------------------------------------ */

/* A token goes into a header line of ours: visible ASCII only. */
static bool
is_token(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static uint64_t
lifetime_of(const json_t *expires_in)
{
	double s;

	if (!json_is_number(expires_in))
		return LIFETIME_DEFAULT_S;
	s = json_number_value(expires_in);
	if (s < 1)
		return 1;
	return s < TOKEN_LIFETIME_MAX_S ? (uint64_t)s : TOKEN_LIFETIME_MAX_S;
}

int
token_reply_parse(struct str json, struct token_reply *out, struct err *err)
{
	static const struct json_source src = { "the token server's reply",
		TOKEN_REPLY_MAX_BYTES, ERR_UPSTREAM_BROKEN };
	json_t *root = oci_json_object(json, &src, err);
	struct str token;

	*out = (struct token_reply){ 0 };
	if (root == NULL)
		return -1;
	token = oci_json_str(oci_json_get(root, "token"));
	if (token.n == 0)
		token = oci_json_str(oci_json_get(root, "access_token"));
	if (!is_token(token)) {
		json_decref(root);
		return err_set(err, src.code,
		    "%s has no usable token or access_token", src.what);
	}
	out->token = str_dup(token);
	out->lifetime_s = lifetime_of(oci_json_get(root, "expires_in"));
	json_decref(root);
	if (out->token == NULL)
		return err_set(err, ERR_NO_MEMORY,
		    "%s does not fit into memory", src.what);
	return 0;
}
