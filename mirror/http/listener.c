/*
 * listener.c - listening sockets.
 */
#include "http/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel lowers it to net.core.somaxconn */
/* A client that vanished is given up after 60 + 4 * 15 s. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_STEP_S 15
#define KEEPALIVE_STEPS 4

static int
set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int
set_keepalive(int fd)
{
	if (set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) != 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S) != 0 ||
	    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_STEP_S) != 0)
		return -1;
	return set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_STEPS);
}

/* IPv6's "any" takes IPv4 too; other IPv6 addresses are only themselves. */
static int
set_family(int fd, const struct sockaddr_storage *sa)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	bool is_any;

	if (sa->ss_family != AF_INET6)
		return 0;
	is_any = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any);
}

/* A socket bound to the address; -1 with errno set. */
static int
bound_socket(const struct config_address *a, bool is_shared)
{
	int fd, saved;

	fd = socket(
	    a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
	    set_option(fd, SOL_SOCKET, SO_REUSEPORT, is_shared) == 0 &&
	    set_family(fd, &a->sa) == 0 && set_keepalive(fd) == 0 &&
	    bind(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

static int
listen_error(const struct config_address *a, struct err *err)
{
	switch (errno) {
	case EADDRINUSE:
		return err_set(err, ERR_CONFIG,
		    "cannot listen on %s: the address is in use, perhaps by "
		    "another Railhead; stop that one, or choose another "
		    "address",
		    a->text);
	case EADDRNOTAVAIL:
		return err_set(err, ERR_CONFIG,
		    "cannot listen on %s: no interface of this machine has "
		    "that address",
		    a->text);
	case EACCES:
		return err_set(err, ERR_CONFIG,
		    "cannot listen on %s: not permitted; ports below 1024 "
		    "need CAP_NET_BIND_SERVICE, or choose a higher one",
		    a->text);
	default:
		return err_errno(
		    err, ERR_CONFIG, "cannot listen on %s", a->text);
	}
}

/* Without IPv6 in the kernel, ":5000" means all of IPv4. */
static void
without_ipv6(struct config_address *a)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6;
	int fd;

	if (a->sa.ss_family != AF_INET6 || a->text[0] != ':')
		return;
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		(void)close(fd);
		return;
	}
	memcpy(&in6, &a->sa, sizeof(in6));
	in4.sin_port = in6.sin6_port;
	memset(&a->sa, 0, sizeof(a->sa));
	memcpy(&a->sa, &in4, sizeof(in4));
	a->len = sizeof(in4);
}

/* Somebody who shares the port would not be noticed by binding with
 * SO_REUSEPORT. */
static int
probe(const struct config_address *a)
{
	int fd = bound_socket(a, false);

	if (fd < 0)
		return -1;
	(void)close(fd);
	return 0;
}

static int
open_one(struct config_address *a)
{
	int fd = bound_socket(a, true);
	int saved;

	if (fd < 0)
		return -1;
	a->len = sizeof(a->sa); /* the port, when it was 0 */
	if (listen(fd, BACKLOG) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a->sa, &a->len) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

int
listener_open(
    struct config_address *address, size_t n, int *fds, struct err *err)
{
	size_t i;

	without_ipv6(address);
	if (probe(address) != 0)
		return listen_error(address, err);
	for (i = 0; i < n; i++) {
		fds[i] = open_one(address);
		if (fds[i] < 0) {
			(void)listen_error(address, err);
			while (i > 0)
				(void)close(fds[--i]);
			return -1;
		}
	}
	return 0;
}
