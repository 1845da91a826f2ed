/*
 * docker_config.c - whose credentials for which host, in Docker's config.json.
 */
#include "oci/docker_config.h"

#include <stdlib.h>
#include <string.h>

#include "oci_int.h"

#define CONFIG_MAX_BYTES (1u << 20)
#define HELPER_REPLY_MAX_BYTES (64u << 10)
#define HUB "index.docker.io"
#define HUB_SERVER "https://index.docker.io/v1/" /* as Docker asks helpers */

/* ---- which host a key means -------------------------------------------- */

static struct str
without_hub_aliases(struct str host)
{
	if (str_ieq(host, STR("docker.io")) ||
	    str_ieq(host, STR("registry-1.docker.io")))
		return STR(HUB);
	return host;
}

/* The host in "https://host/v1/"; empty when the key means only a part of it
 * (Podman writes "host/namespace"). */
static struct str
host_of_key(struct str key)
{
	static const char *const paths[] = { "", "/", "/v1", "/v1/", "/v2",
		"/v2/" };
	struct str path;

	if (str_starts(key, STR("https://")))
		key = str_from(key, 8);
	else if (str_starts(key, STR("http://")))
		key = str_from(key, 7);
	path = str_from(key, str_index(key, '/'));
	key.n -= path.n;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (str_eqz(path, paths[i]))
			return key;
	return STR("");
}

/* The value in OBJECT (may be NULL) whose key means HOST; borrowed. */
static json_t *
find_host(json_t *object, struct str host)
{
	const char *key;
	json_t *value;

	host = without_hub_aliases(host);
	json_object_foreach(object, key, value)
	{
		struct str it = without_hub_aliases(host_of_key(str_of(key)));

		if (it.n > 0 && str_ieq(it, host))
			return value;
	}
	return NULL;
}

/* ---- taking ------------------------------------------------------------ */

/* A copy of a text that is there and not empty. */
static int
take(char **out, struct str text, struct err *err)
{
	if (text.n == 0)
		return 0;
	*out = str_dup(text);
	if (*out == NULL)
		return err_set(err, ERR_NO_MEMORY,
		    "the credentials do not fit into memory");
	return 0;
}

static bool
is_helper_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr(
			"abcdefghijklmnopqrstuvwxyz0123456789._-", s.p[i]) ||
		    s.p[i] == '\0')
			return false;
	return s.n > 0;
}

static int
take_helper(struct docker_login *out, const json_t *name, struct str host,
    struct err *err)
{
	struct str text = oci_json_str(name);

	if (!is_helper_name(text))
		return err_set(err, ERR_CONFIG,
		    "a credential helper's name in the Docker configuration is "
		    "not made of a-z, 0-9, '.', '_' and '-'");
	if (str_eqz(without_hub_aliases(host), HUB))
		host = STR(HUB_SERVER);
	if (take(&out->helper, text, err) != 0)
		return -1;
	return take(&out->server, host, err);
}

static int
take_auth(struct docker_login *out, const json_t *entry, struct err *err)
{
	const struct {
		const char *key;
		char **field;
	} fields[] = {
		{ "auth", &out->auth },
		{ "username", &out->username },
		{ "password", &out->password },
		{ "identitytoken", &out->identity_token },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (take(fields[i].field,
			oci_json_str(oci_json_get(entry, fields[i].key)),
			err) != 0)
			return -1;
	return 0;
}

static bool
has_auth(const struct docker_login *l)
{
	return l->auth != NULL || l->identity_token != NULL ||
	    (l->username != NULL && l->password != NULL);
}

static int
find_login(const json_t *root, struct str host, struct docker_login *out,
    struct err *err)
{
	json_t *helper = find_host(oci_json_get(root, "credHelpers"), host);
	json_t *store = oci_json_get(root, "credsStore");

	if (helper != NULL)
		return take_helper(out, helper, host, err);
	if (take_auth(out, find_host(oci_json_get(root, "auths"), host), err) !=
	    0)
		return -1;
	if (has_auth(out) || oci_json_str(store).n == 0)
		return 0;
	return take_helper(out, store, host, err);
}

/* ---- the contract ------------------------------------------------------ */

int
docker_config_find(
    struct str json, struct str host, struct docker_login *out, struct err *err)
{
	static const struct json_source src = { "the Docker configuration",
		CONFIG_MAX_BYTES, ERR_CONFIG };
	json_t *root = oci_json_object(json, &src, err);
	int rc;

	*out = (struct docker_login){ 0 };
	if (root == NULL)
		return -1;
	rc = find_login(root, host, out, err);
	json_decref(root);
	if (rc != 0)
		docker_login_done(out);
	return rc;
}

static int
take_reply(const json_t *root, struct docker_login *out, struct err *err)
{
	struct str user = oci_json_str(oci_json_get(root, "Username"));
	struct str secret = oci_json_str(oci_json_get(root, "Secret"));

	if (user.n == 0 || secret.n == 0)
		return err_set(err, ERR_CONFIG,
		    "the credential helper's reply has no Username or Secret");
	if (str_eqz(user, "<token>"))
		return take(&out->identity_token, secret, err);
	if (take(&out->username, user, err) != 0)
		return -1;
	return take(&out->password, secret, err);
}

int
docker_helper_parse(struct str json, struct docker_login *out, struct err *err)
{
	static const struct json_source src = { "the credential helper's reply",
		HELPER_REPLY_MAX_BYTES, ERR_CONFIG };
	json_t *root = oci_json_object(json, &src, err);
	int rc;

	*out = (struct docker_login){ 0 };
	if (root == NULL)
		return -1;
	rc = take_reply(root, out, err);
	json_decref(root);
	if (rc != 0)
		docker_login_done(out);
	return rc;
}

void
docker_login_done(struct docker_login *l)
{
	char **const all[] = { &l->username, &l->password, &l->auth,
		&l->identity_token, &l->helper, &l->server };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (*all[i] != NULL)
			explicit_bzero(*all[i], strlen(*all[i]));
		free(*all[i]);
		*all[i] = NULL;
	}
}
