/*
 * config_option.c - sets one option from the text of its node.
 *
 * Amounts (all types up to TYPE_DAYS) go through one setter with a parser per
 * type; a row's bounds are read with the same parser.  Every other type has a
 * setter of its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "config_int.h"

#define ZONES "/usr/share/zoneinfo"
#define PATH_BYTES_MAX 1024
#define TEXT_BYTES_MAX 255

typedef int set_fn(struct config_reader *, const struct option *,
    const struct yaml_node *, void *field);

/* ---- amounts ----------------------------------------------------------- */

/* clang-format off */
static const struct {
	bool (*parse)(struct str, uint64_t *);
	const char *what;
} amounts[] = {
	[TYPE_BOOL]     = { units_bool,     "on or off" },
	[TYPE_COUNT]    = { str_u64,        "a whole number" },
	[TYPE_SIZE]     = { units_size,     "a size; write it like 200GiB, 60MB or 512B" },
	[TYPE_DURATION] = { units_duration, "a duration; write it like 30s, 5m, 2h, 7d or 500ms" },
	[TYPE_SECONDS]  = { units_seconds,  "a duration in seconds; write it like 30s, 5m, 2h or 7d" },
	[TYPE_RATE]     = { units_rate,     "a rate; write it like 200Mbit or 8Mbit" },
	[TYPE_PERCENT]  = { units_percent,  "a share; write it like 5%" },
	[TYPE_RATIO]    = { units_ratio,    "a ratio; write it like 0.98" },
	[TYPE_TIME]     = { units_time,     "a time of day; write it like \"08:00\"" },
	[TYPE_DAYS]     = { units_days,     "days; write them like mon-sat, \"mon,wed\" or all" },
};
/* clang-format on */

static int
check_range(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, uint64_t value)
{
	uint64_t min = 0, max = UINT64_MAX;
	char shown[40];

	check(
	    o->min[0] == '\0' || amounts[o->type].parse(str_of(o->min), &min));
	check(
	    o->max[0] == '\0' || amounts[o->type].parse(str_of(o->max), &max));
	if (value >= min && value <= max)
		return 0;
	return config_mistake(r, node, "\"%s\" is too %s; allowed: %s to %s",
	    str_printable(node->text, shown, sizeof(shown)),
	    value < min ? "small" : "large", o->min, o->max);
}

static void
store_amount(const struct option *o, void *field, uint64_t value)
{
	if (o->type == TYPE_BOOL) {
		check(o->size == sizeof(bool));
		*(bool *)field = value != 0;
	} else if (o->size == sizeof(unsigned)) {
		check(value <= UINT32_MAX);
		*(unsigned *)field = (unsigned)value;
	} else {
		check(o->size == sizeof(uint64_t));
		*(uint64_t *)field = value;
	}
}

static int
set_amount(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	uint64_t value;

	if (!amounts[o->type].parse(node->text, &value))
		return config_not(r, node, amounts[o->type].what);
	if (check_range(r, o, node, value) != 0)
		return -1;
	store_amount(o, field, value);
	return 0;
}

/* Besides "mon,wed" also [mon, wed], which needs no quotes in {...}. */
static int
set_days(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	const struct yaml_node *day = node;
	unsigned days = 0, some;

	if (node->kind == YAML_LIST)
		day = node->first;
	for (; day != NULL; day = node->kind == YAML_LIST ? day->next : NULL) {
		if (set_amount(r, o, day, &some) != 0)
			return -1;
		days |= some;
	}
	if (days == 0)
		return config_mistake(r, node, "names no day");
	*(unsigned *)field = days;
	return 0;
}

/* ---- words and texts --------------------------------------------------- */

static int
set_word(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	struct str words = str_of(o->min), word;
	char shown[40];
	unsigned i;

	for (i = 0; str_cut(&words, ',', &word); i++)
		if (str_eq(node->text, str_trim(word))) {
			check(o->size == sizeof(i));
			memcpy(field, &i, sizeof(i));
			return 0;
		}
	return config_mistake(r, node, "\"%s\" is not known; allowed: %s",
	    str_printable(node->text, shown, sizeof(shown)), o->min);
}

static int
keep_text(struct config_reader *r, struct str s, void *field)
{
	char *copy = config_copy(r, s);

	if (copy == NULL)
		return -1;
	memcpy(field, &copy, sizeof(copy));
	return 0;
}

/* A text of up to MAX bytes, none of them a control character. */
static int
check_text(struct config_reader *r, const struct yaml_node *node, size_t max)
{
	struct str s = node->text;
	size_t i;

	if (s.n > max)
		return config_mistake(r, node,
		    "is %zu bytes long; at most %zu are allowed", s.n, max);
	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return config_not(r, node,
			    "a text of one line without control "
			    "characters");
	return 0;
}

static int
set_text(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	uint64_t max = TEXT_BYTES_MAX;

	check(o->max[0] == '\0' || str_u64(str_of(o->max), &max));
	if (check_text(r, node, max) != 0)
		return -1;
	return keep_text(r, node->text, field);
}

static int
set_path(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	(void)o;
	if (node->text.n == 0)
		return config_mistake(r, node, "is empty; write a path");
	if (check_text(r, node, PATH_BYTES_MAX) != 0)
		return -1;
	return keep_text(r, node->text, field);
}

static int
set_file(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	char why[128];

	if (set_path(r, o, node, field) != 0)
		return -1;
	if (!r->check_files || access(node->text.p, R_OK) == 0)
		return 0;
	return config_mistake(r, node, "\"%s\" can't be read: %s", node->text.p,
	    strerror_r(errno, why, sizeof(why)));
}

static bool
zone_exists(struct str zone)
{
	char path[sizeof(ZONES) + 64] = ZONES "/";
	struct str rest = zone, part;
	struct stat st;

	if (str_eqz(zone, "UTC"))
		return true;
	if (zone.n > 63 || str_index(zone, '\0') < zone.n)
		return false;
	while (str_cut(&rest, '/', &part))
		if (part.n == 0 || part.p[0] == '.')
			return false;
	memcpy(path + sizeof(ZONES), zone.p, zone.n);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int
set_zone(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	(void)o;
	if (!zone_exists(node->text))
		return config_not(r, node,
		    "a time zone of this machine; write UTC or a name "
		    "under " ZONES " like Europe/Budapest");
	return keep_text(r, node->text, field);
}

static int
set_site(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	struct block block;

	if (node->text.n == 0)
		return config_mistake(r, node, "is empty");
	if (str_index(node->text, '/') < node->text.n &&
	    !block_parse(node->text, &block))
		return config_not(r, node,
		    "a block of addresses; write it like 10.1.0.0/16 or "
		    "fd00:1::/32, with no bits set behind the prefix");
	return set_text(r, o, node, field);
}

/* ---- places ------------------------------------------------------------ */

/* What stands before an '@' may be a password: it is not repeated. */
static int
take_url(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, struct url *url)
{
	struct str text = node->text;
	const char *hidden = "";
	char shown[100];

	if (text.n <= PATH_BYTES_MAX && url_parse(text, o->min, url))
		return 0;
	while (str_index(text, '@') < text.n) {
		text = str_from(text, str_index(text, '@') + 1);
		hidden = "...@";
	}
	return config_mistake(r, node,
	    "\"%s%s\" is not a URL; write it like https://host.example.com, "
	    "with one of %s",
	    hidden, str_printable(text, shown, sizeof(shown)), o->min);
}

static int
set_url(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	struct url url;

	if (take_url(r, o, node, &url) != 0)
		return -1;
	if (url.user.p != NULL)
		return config_mistake(r, node,
		    "the URL holds a user; leave out what is before the @ and "
		    "name credentials under auth");
	return keep_text(r, url.origin, field);
}

static int
set_proxy(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	struct url url;

	if (take_url(r, o, node, &url) != 0)
		return -1;
	return keep_text(r, url.origin, field);
}

static int
set_address(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	struct config_address *address = field;

	(void)o;
	if (!address_parse(node->text, &address->sa, &address->len))
		return config_not(r, node,
		    "an address and port; write it like 127.0.0.1:5000, "
		    "[::1]:5000 or :5000");
	return keep_text(r, node->text, &address->text);
}

static int
keep_registry(
    struct config_reader *r, const struct yaml_node *node, const char **out)
{
	char normal[REGISTRY_MAX];

	if (node->kind != YAML_TEXT || !registry_valid(node->text))
		return config_not(r, node,
		    "a registry's name; write it like docker.io, localhost or "
		    "registry.example.com:5000");
	return keep_text(r, registry_normalise(node->text, normal), out);
}

static int
set_names(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	const char **names;
	uint64_t max;

	check(str_u64(str_of(o->max), &max));
	if (node->kind != YAML_LIST || node->n > max)
		return config_mistake(
		    r, node, "must be a list of at most %s names", o->max);
	names = config_take(r, node->n + 1, sizeof(*names));
	if (names == NULL)
		return -1;
	memcpy(field, &names, sizeof(names));
	for (node = node->first; node != NULL; node = node->next)
		if (keep_registry(r, node, names++) != 0)
			return -1;
	return 0;
}

/* ---- names of what was read before ------------------------------------- */

static int
set_link(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	const struct config *c = &r->snapshot->config;
	const struct config_link *link;
	size_t i;

	(void)o;
	for (i = 0; i < c->n_links; i++) {
		link = &c->links[i];
		if (str_eqz(node->text, link->name)) {
			memcpy(field, &link, sizeof(link));
			return 0;
		}
	}
	return config_not(r, node,
	    c->n_links == 0 ? "a link; none is defined under links"
			    : "one of the links defined under links");
}

static int
set_upstream(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *field)
{
	const struct config *c = &r->snapshot->config;
	const struct config_upstream *upstream;
	char normal[REGISTRY_MAX];
	struct str name = registry_normalise(node->text, normal);
	size_t i;

	(void)o;
	for (i = 0; i < c->n_upstreams; i++) {
		upstream = &c->upstreams[i];
		if (str_eqz(name, upstream->name)) {
			memcpy(field, &upstream, sizeof(upstream));
			return 0;
		}
	}
	return config_not(
	    r, node, "one of the upstreams defined under upstreams");
}

/* ------------------------------------------------------------------------ */

static set_fn *const setters[TYPE_COUNT_OF_TYPES] = {
	[TYPE_BOOL] = set_amount,
	[TYPE_COUNT] = set_amount,
	[TYPE_SIZE] = set_amount,
	[TYPE_DURATION] = set_amount,
	[TYPE_SECONDS] = set_amount,
	[TYPE_RATE] = set_amount,
	[TYPE_PERCENT] = set_amount,
	[TYPE_RATIO] = set_amount,
	[TYPE_TIME] = set_amount,
	[TYPE_DAYS] = set_days,
	[TYPE_WORD] = set_word,
	[TYPE_TEXT] = set_text,
	[TYPE_FILE] = set_file,
	[TYPE_PATH] = set_path,
	[TYPE_ZONE] = set_zone,
	[TYPE_SITE] = set_site,
	[TYPE_URL] = set_url,
	[TYPE_PROXY] = set_proxy,
	[TYPE_NAMES] = set_names,
	[TYPE_ADDRESS] = set_address,
	[TYPE_LINK] = set_link,
	[TYPE_UPSTREAM] = set_upstream,
};

int
config_set_option(struct config_reader *r, const struct option *o,
    const struct yaml_node *node, void *base)
{
	struct yaml_node fallback = { .text = str_of(o->fallback) };
	bool is_many = o->type == TYPE_DAYS || o->type == TYPE_NAMES;

	if (node == NULL && str_eqz(fallback.text, "null"))
		return 0;
	if (node == NULL)
		node = &fallback;
	if (node->kind != YAML_TEXT && !is_many)
		return config_mistake(r, node, "is %s, but must be one value",
		    yaml_kind_name(node));
	return setters[o->type](r, o, node, (char *)base + o->offset);
}
