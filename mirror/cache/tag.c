/*
 * tag.c - the ages of tags.
 */
#include "tag.h"

static struct config_tag_rule
rule_of(const struct target *t, struct str tag)
{
	return config_tag_rule(t->config, target_repository(t), tag);
}

static enum tag_age
age_by_rule(
    const struct config_tag_rule *rule, int64_t confirmed_at, int64_t now_s)
{
	uint64_t age_s =
	    now_s > confirmed_at ? (uint64_t)(now_s - confirmed_at) : 0;

	if (age_s < rule->ttl_s)
		return TAG_FRESH;
	if (rule->immutable)
		return TAG_RECHECK;
	if (age_s - rule->ttl_s < rule->stale_s)
		return TAG_STALE;
	return TAG_EXPIRED;
}

enum tag_age
tag_age(const struct target *t, const struct tag_row *row, int64_t now_s)
{
	struct config_tag_rule rule = rule_of(t, str_of(t->tag));

	return age_by_rule(&rule, row->confirmed_at, now_s);
}

bool
tag_is_immutable(const struct target *t)
{
	return rule_of(t, str_of(t->tag)).immutable;
}

enum tag_age
list_age(const struct target *t, int64_t confirmed_at, int64_t now_s)
{
	struct config_tag_rule rule = rule_of(t, STR(""));

	rule.immutable = false;
	return age_by_rule(&rule, confirmed_at, now_s);
}
