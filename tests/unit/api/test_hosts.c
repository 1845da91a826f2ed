/*
 * test_hosts.c - the exact texts that clients are configured with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/hosts.h"
#include "site/name.h"

static const char yaml[] =
    "store: {path: /tmp/none}\n"
    "upstreams:\n"
    "  docker.io: {aliases: [index.docker.io], endpoints: "
    "[{url: \"https://registry-1.docker.io\"}]}\n"
    "  \"reg.test:5000\": {endpoints: [{url: \"http://reg.test:5000\"}]}\n"
    "  \"two.test:5000\": {aliases: [\"b.test:1\", two.test], endpoints: "
    "[{layout: /a}, {url: \"http://two.test:5000\"}]}\n"
    "  demo.local: {endpoints: [{layout: /srv/demo}]}\n";

static struct config *config;
static struct buf out;

static const struct config_upstream *
upstream(const char *name)
{
	const struct config_upstream *u =
	    config_find_upstream(config, str_of(name));

	assert_non_null(u);
	return u;
}

static void
expect(const char *text)
{
	buf_add(&out, "", 1);
	assert_false(out.overflow);
	assert_string_equal(out.p, text);
	buf_reset(&out);
}

static struct hosts_spec
spec_of(const char *first, const char *second, bool has_fallback)
{
	struct hosts_spec s = { .has_fallback = has_fallback };
	struct err err;

	assert_int_equal(hosts_add_mirror(&s, str_of(first), &err), 0);
	if (second != NULL)
		assert_int_equal(hosts_add_mirror(&s, str_of(second), &err), 0);
	return s;
}

static void
add_site_and_ca(struct hosts_spec *s)
{
	struct err err;

	assert_int_equal(hosts_set_site(s, STR("store-7.emea"), &err), 0);
	assert_int_equal(hosts_set_ca(s, STR("/etc/ca.crt"), &err), 0);
}

/* ---- containerd --------------------------------------------------------- */

static void
one_mirror_with_fallback(void **state)
{
	struct hosts_spec s = spec_of("http://10.0.0.1:5000/", NULL, true);

	(void)state;
	hosts_containerd(&out, &s, upstream("docker.io"));
	expect("# Written by `railhead hosts`; it will be overwritten.\n"
	       "server = \"https://registry-1.docker.io\"\n"
	       "\n"
	       "[host.\"http://10.0.0.1:5000\"]\n"
	       "  capabilities = [\"pull\", \"resolve\"]\n");
}

static void
one_mirror_without_fallback(void **state)
{
	struct hosts_spec s = spec_of("http://10.0.0.1:5000", NULL, false);

	(void)state;
	hosts_containerd(&out, &s, upstream("docker.io"));
	expect("# Written by `railhead hosts`; it will be overwritten.\n"
	       "server = \"http://10.0.0.1:5000\"\n"
	       "capabilities = [\"pull\", \"resolve\"]\n"
	       "\n"
	       "# containerd 1.x ignores a file without this table.\n"
	       "[host]\n");
}

static void
two_mirrors_with_all(void **state)
{
	struct hosts_spec s = spec_of("https://a.test", "http://b.test", true);

	(void)state;
	add_site_and_ca(&s);
	hosts_containerd(&out, &s, upstream("reg.test:5000"));
	expect("# Written by `railhead hosts`; it will be overwritten.\n"
	       "server = \"http://reg.test:5000\"\n"
	       "\n"
	       "[host.\"https://a.test\"]\n"
	       "  capabilities = [\"pull\", \"resolve\"]\n"
	       "  ca = \"/etc/ca.crt\"\n"
	       "  [host.\"https://a.test\".header]\n"
	       "    \"X-Railhead-Site\" = [\"store-7.emea\"]\n"
	       "\n"
	       "[host.\"http://b.test\"]\n"
	       "  capabilities = [\"pull\", \"resolve\"]\n"
	       "  [host.\"http://b.test\".header]\n"
	       "    \"X-Railhead-Site\" = [\"store-7.emea\"]\n");
}

static void
two_mirrors_without_fallback(void **state)
{
	struct hosts_spec s =
	    spec_of("http://a.test", "https://[::1]:5000", false);

	(void)state;
	add_site_and_ca(&s);
	hosts_containerd(&out, &s, upstream("docker.io"));
	expect("# Written by `railhead hosts`; it will be overwritten.\n"
	       "server = \"https://[::1]:5000\"\n"
	       "capabilities = [\"pull\", \"resolve\"]\n"
	       "ca = \"/etc/ca.crt\"\n"
	       "\n"
	       "[header]\n"
	       "  \"X-Railhead-Site\" = [\"store-7.emea\"]\n"
	       "\n"
	       "[host.\"http://a.test\"]\n"
	       "  capabilities = [\"pull\", \"resolve\"]\n"
	       "  [host.\"http://a.test\".header]\n"
	       "    \"X-Railhead-Site\" = [\"store-7.emea\"]\n");
}

static void
a_layout_has_no_fallback(void **state)
{
	struct hosts_spec with = spec_of("http://a.test", NULL, true);
	struct hosts_spec without = spec_of("http://a.test", NULL, false);
	struct buf same;

	(void)state;
	buf_init(&same, HOSTS_TEXT_MAX);
	hosts_containerd(&same, &without, upstream("demo.local"));
	buf_add(&same, "", 1);
	hosts_containerd(&out, &with, upstream("demo.local"));
	expect(same.p);
	buf_done(&same);
}

/* The first endpoint that clients can reach is the fallback. */
static void
a_layout_before_a_registry(void **state)
{
	struct hosts_spec s = spec_of("http://a.test", NULL, true);

	(void)state;
	hosts_containerd(&out, &s, upstream("two.test:5000"));
	expect("# Written by `railhead hosts`; it will be overwritten.\n"
	       "server = \"http://two.test:5000\"\n"
	       "\n"
	       "[host.\"http://a.test\"]\n"
	       "  capabilities = [\"pull\", \"resolve\"]\n");
}

/* ---- the other forms ---------------------------------------------------- */

#define REGISTRIES_HEAD                                                        \
	"# Written by `railhead hosts`; it will be overwritten.\n"             \
	"# For CRI-O, Podman, Buildah and skopeo: "                            \
	"/etc/containers/registries.conf.d/railhead.conf\n"
#define LEFT_OUT                                                               \
	"\n# reg.test:5000 is left out: a path can't hold a port.  Give it "   \
	"an alias without one.\n"

static void
registries_with_fallback(void **state)
{
	struct hosts_spec s =
	    spec_of("http://a.test:5000", "https://b.test", true);

	(void)state;
	add_site_and_ca(&s);
	hosts_registries(&out, &s, config);
	expect(REGISTRIES_HEAD "# Put the CA of https://b.test into "
			       "/etc/containers/certs.d/b.test/ca.crt\n"
			       "\n[[registry]]\n"
			       "prefix = \"docker.io\"\n"
			       "location = \"docker.io\"\n"
			       "\n[[registry.mirror]]\n"
			       "location = \"a.test:5000/docker.io\"\n"
			       "insecure = true\n"
			       "\n[[registry.mirror]]\n"
			       "location = \"b.test/docker.io\"\n" LEFT_OUT
			       "\n[[registry]]\n"
			       "prefix = \"two.test:5000\"\n"
			       "location = \"two.test:5000\"\n"
			       "insecure = true\n"
			       "\n[[registry.mirror]]\n"
			       "location = \"a.test:5000/two.test\"\n"
			       "insecure = true\n"
			       "\n[[registry.mirror]]\n"
			       "location = \"b.test/two.test\"\n"
			       "\n[[registry]]\n"
			       "prefix = \"demo.local\"\n"
			       "location = \"b.test/demo.local\"\n"
			       "\n[[registry.mirror]]\n"
			       "location = \"a.test:5000/demo.local\"\n"
			       "insecure = true\n");
}

static void
registries_without_fallback(void **state)
{
	struct hosts_spec s = spec_of("http://a.test:5000", NULL, false);

	(void)state;
	hosts_registries(&out, &s, config);
	expect(REGISTRIES_HEAD "\n[[registry]]\n"
			       "prefix = \"docker.io\"\n"
			       "location = \"a.test:5000/docker.io\"\n"
			       "insecure = true\n" LEFT_OUT "\n[[registry]]\n"
			       "prefix = \"two.test:5000\"\n"
			       "location = \"a.test:5000/two.test\"\n"
			       "insecure = true\n"
			       "\n[[registry]]\n"
			       "prefix = \"demo.local\"\n"
			       "location = \"a.test:5000/demo.local\"\n"
			       "insecure = true\n");
}

static void
docker(void **state)
{
	struct hosts_spec both =
	    spec_of("https://b.test", "http://a.test:5000", true);
	struct hosts_spec secure = spec_of("https://b.test", NULL, true);

	(void)state;
	hosts_docker(&out, &both);
	expect("{\n"
	       "  \"registry-mirrors\": [\"https://b.test\", "
	       "\"http://a.test:5000\"],\n"
	       "  \"insecure-registries\": [\"a.test:5000\"]\n"
	       "}\n");
	hosts_docker(&out, &secure);
	expect("{\n"
	       "  \"registry-mirrors\": [\"https://b.test\"],\n"
	       "  \"insecure-registries\": []\n"
	       "}\n");
}

/* ---- what is refused ---------------------------------------------------- */

static void
wrong_mirrors(void **state)
{
	static const char *const wrong[] = { "", "/", "http://", "http:///",
		"a.test", "a.test:5000", "ftp://a.test", "http://a.test/x",
		"http://a.test//", "http://a.test:", "http://a.test:x",
		"http://u@a.test", "http://a.test?x", "http://a\"b",
		"http://a b", "HTTP://a.test", "https://a.test\n" };
	struct hosts_spec s = { .n_mirrors = 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		err.code = ERR_NONE;
		assert_int_equal(
		    hosts_add_mirror(&s, str_of(wrong[i]), &err), -1);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
	assert_int_equal(s.n_mirrors, 0);
}

static void
too_many_mirrors(void **state)
{
	struct hosts_spec s = { .n_mirrors = 0 };
	struct err err;

	(void)state;
	for (int i = 0; i < HOSTS_MIRRORS_MAX; i++)
		assert_int_equal(
		    hosts_add_mirror(&s, STR("http://a.test"), &err), 0);
	assert_int_equal(hosts_add_mirror(&s, STR("http://a.test"), &err), -1);
	assert_int_equal(s.n_mirrors, HOSTS_MIRRORS_MAX);
}

static void
wrong_sites_and_cas(void **state)
{
	static const char *const wrong[] = { "", "a\nb", "a\tb", "\x7f",
		"caf\xc3\xa9" };
	struct hosts_spec s = { .n_mirrors = 0 };
	char longest[SITE_NAME_MAX + 1];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(
		    hosts_set_site(&s, str_of(wrong[i]), &err), -1);
		assert_int_equal(hosts_set_ca(&s, str_of(wrong[i]), &err), -1);
	}
	assert_int_equal(hosts_set_site(&s, STR("store 7"), &err), -1);
	assert_int_equal(hosts_set_site(&s, STR("10.1.2.3"), &err), -1);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = 'x';
	assert_int_equal(
	    hosts_set_site(&s, (struct str){ longest, sizeof(longest) }, &err),
	    -1);
	assert_int_equal(
	    hosts_set_site(&s, (struct str){ longest, SITE_NAME_MAX }, &err),
	    0);
}

static int
set_up(void **state)
{
	struct err err;

	(void)state;
	buf_init(&out, HOSTS_TEXT_MAX);
	config = config_parse("test.yaml", STR(yaml), &err);
	return config != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_done(&out);
	config_unref(config);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_mirror_with_fallback),
		cmocka_unit_test(one_mirror_without_fallback),
		cmocka_unit_test(two_mirrors_with_all),
		cmocka_unit_test(two_mirrors_without_fallback),
		cmocka_unit_test(a_layout_has_no_fallback),
		cmocka_unit_test(a_layout_before_a_registry),
		cmocka_unit_test(registries_with_fallback),
		cmocka_unit_test(registries_without_fallback),
		cmocka_unit_test(docker),
		cmocka_unit_test(wrong_mirrors),
		cmocka_unit_test(too_many_mirrors),
		cmocka_unit_test(wrong_sites_and_cas),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
