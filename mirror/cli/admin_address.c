/*
 * admin_address.c - where the control plane is that a command asks.
 */
#include <netinet/in.h>
#include <unistd.h>

#include "cli_int.h"
#include "common/config.h"

#define DEFAULT_ADMIN "http://" CLI_DEFAULT_ADMIN

static bool
is_any_address(const struct config_address *a)
{
	const struct sockaddr_in *v4 = (const void *)&a->sa;
	const struct sockaddr_in6 *v6 = (const void *)&a->sa;

	if (a->sa.ss_family == AF_INET)
		return v4->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

/* The admin address as a URL; one that listens everywhere is asked here. */
static void
admin_url(const struct config *config, char url[ADMIN_URL_MAX])
{
	const struct config_address *a = &config->admin.address;
	const struct sockaddr_in *v4 = (const void *)&a->sa;
	const char *scheme =
	    config->admin.tls.certificate != NULL ? "https" : "http";

	/* The port lies at the same place for both families. */
	if (is_any_address(a))
		(void)snprintf(url, ADMIN_URL_MAX, "%s://127.0.0.1:%u", scheme,
		    (unsigned)ntohs(v4->sin_port));
	else
		(void)snprintf(url, ADMIN_URL_MAX, "%s://%s", scheme, a->text);
}

int
client_find_admin(struct client_spec *spec, const char *path,
    char url[ADMIN_URL_MAX], struct err *err)
{
	struct config *config;

	if (spec->url != NULL)
		return 0;
	spec->url = DEFAULT_ADMIN;
	if (path == NULL && access(CONFIG_DEFAULT_PATH, R_OK) == 0)
		path = CONFIG_DEFAULT_PATH;
	if (path == NULL)
		return 0;
	config = config_load(path, err);
	if (config == NULL)
		return -1;
	admin_url(config, url);
	spec->url = url;
	config_unref(config);
	return 0;
}
