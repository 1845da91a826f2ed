/*
 * v1_hosts.c - GET /v1/hosts: what clients are to be configured with.
 *
 *	?mirror=URL (again for a second), format, fallback, site, ca
 */
#include <string.h>

#include "admin_int.h"
#include "api/hosts.h"
#include "common/buf.h"

#define KEYS "mirror, format, fallback, site and ca"

struct hosts_query {
	struct hosts_spec spec;
	enum hosts_format format;
};

static int
set_format(struct hosts_query *q, struct str value, struct err *err)
{
	struct str rest = STR(HOSTS_FORMATS), name;

	for (int i = 0; str_cut(&rest, '|', &name); i++)
		if (str_eq(name, value)) {
			q->format = (enum hosts_format)i;
			return 0;
		}
	return err_set(err, ERR_BAD_REQUEST, "format is " HOSTS_FORMATS);
}

static int
set_fallback(struct hosts_query *q, struct str value, struct err *err)
{
	q->spec.has_fallback = str_eqz(value, "yes");
	if (q->spec.has_fallback || str_eqz(value, "no"))
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "fallback is yes or no");
}

static int
set_pair(void *to, struct str key, struct str value, struct err *err)
{
	struct hosts_query *q = to;

	if (str_eqz(key, "mirror"))
		return hosts_add_mirror(&q->spec, value, err);
	if (str_eqz(key, "format"))
		return set_format(q, value, err);
	if (str_eqz(key, "fallback"))
		return set_fallback(q, value, err);
	if (str_eqz(key, "site"))
		return hosts_set_site(&q->spec, value, err);
	if (str_eqz(key, "ca"))
		return hosts_set_ca(&q->spec, value, err);
	return admin_query_unknown(key, KEYS, err);
}

/* {"docker.io/hosts.toml": TEXT...}; NULL when out of memory. */
static json_t *
containerd_files(const struct hosts_spec *spec, const struct config *config)
{
	json_t *files = json_object();
	struct buf path, text;

	buf_init(&path, HOSTS_TEXT_MAX);
	buf_init(&text, HOSTS_TEXT_MAX);
	for (size_t i = 0; i < config->n_upstreams; i++) {
		buf_reset(&path);
		buf_reset(&text);
		buf_printf(&path, "%s/hosts.toml", config->upstreams[i].name);
		buf_add(&path, "", 1);
		hosts_containerd(&text, spec, &config->upstreams[i]);
		if (path.overflow || text.overflow ||
		    json_object_set_new(
			files, path.p, json_stringn(text.p, text.n)) != 0) {
			json_decref(files);
			files = NULL;
			break;
		}
	}
	buf_done(&path);
	buf_done(&text);
	return files;
}

static void
answer_text(struct exchange *e, const struct hosts_query *q,
    const struct config *config)
{
	const char *type = "text/plain; charset=utf-8";
	struct buf out;
	size_t n;
	char *text;

	buf_init(&out, HOSTS_TEXT_MAX);
	if (q->format == HOSTS_DOCKER) {
		hosts_docker(&out, &q->spec);
		type = "application/json";
	} else {
		hosts_registries(&out, &q->spec, config);
	}
	n = out.n;
	text = buf_take(&out);
	buf_done(&out);
	admin_reply_text(e, type, text, n);
}

void
v1_hosts(struct admin *a, struct exchange *e)
{
	struct hosts_query q = { .spec = { .has_fallback = true } };
	struct config *config;
	struct err err;

	(void)a;
	if (admin_query(e, set_pair, &q) != 0)
		return;
	if (q.spec.n_mirrors == 0) {
		err_set(&err, ERR_BAD_REQUEST,
		    "name this mirror as its clients see it: "
		    "?mirror=http://host:5000");
		admin_fail(e, &err, "mirror");
		return;
	}
	config = config_now();
	if (q.format == HOSTS_CONTAINERD)
		admin_reply_json(e, 200,
		    json_pack(
			"{s:o}", "files", containerd_files(&q.spec, config)));
	else
		answer_text(e, &q, config);
	config_unref(config);
}
