/*
 * test_listener.c - addresses that can and can't be listened on.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/listener.h"

static struct config_address
address4(const char *text, uint32_t host)
{
	struct config_address a = { .text = text };
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(host) };

	memcpy(&a.sa, &in4, sizeof(in4));
	a.len = sizeof(in4);
	return a;
}

static struct config_address
address6(const char *text, struct in6_addr host)
{
	struct config_address a = { .text = text };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = host };

	memcpy(&a.sa, &in6, sizeof(in6));
	a.len = sizeof(in6);
	return a;
}

static unsigned
port_of(const struct config_address *a)
{
	struct sockaddr_in in4;

	memcpy(&in4, &a->sa, sizeof(in4)); /* the port is where IPv6 has it */
	return ntohs(in4.sin_port);
}

/* Is there a listener that takes a connection to 127.0.0.1? */
static int
connect4(unsigned port)
{
	struct config_address a = address4("", INADDR_LOOPBACK);
	struct sockaddr_in in4;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int result;

	memcpy(&in4, &a.sa, sizeof(in4));
	in4.sin_port = htons((uint16_t)port);
	result = connect(fd, (struct sockaddr *)&in4, sizeof(in4));
	(void)close(fd);
	return result;
}

static void
several_share_a_port(void **state)
{
	struct config_address a = address4("127.0.0.1:0", INADDR_LOOPBACK);
	struct config_address got;
	struct err err;
	int fds[3];
	size_t i;

	(void)state;
	assert_int_equal(listener_open(&a, 3, fds, &err), 0);
	assert_int_not_equal(port_of(&a), 0);
	for (i = 0; i < 3; i++) {
		got = a;
		got.len = sizeof(got.sa);
		assert_int_equal(
		    getsockname(fds[i], (struct sockaddr *)&got.sa, &got.len),
		    0);
		assert_int_equal(port_of(&got), port_of(&a));
		assert_int_equal(accept4(fds[i], NULL, NULL, 0), -1);
	}
	assert_int_equal(connect4(port_of(&a)), 0);
	for (i = 0; i < 3; i++)
		(void)close(fds[i]);
}

static void
a_second_railhead_is_refused(void **state)
{
	struct config_address a = address4("127.0.0.1:0", INADDR_LOOPBACK);
	struct err err;
	int fd, other = -1;

	(void)state;
	assert_int_equal(listener_open(&a, 1, &fd, &err), 0);
	a.text = "127.0.0.1:5000";
	assert_int_equal(listener_open(&a, 1, &other, &err), -1);
	assert_non_null(strstr(err.text, "127.0.0.1:5000"));
	assert_non_null(strstr(err.text, "in use"));
	(void)close(fd);
	assert_int_equal(listener_open(&a, 1, &fd, &err), 0);
	(void)close(fd);
}

static void
an_address_of_somebody_else(void **state)
{
	struct config_address a =
	    address4("192.0.2.1:0", 0xc0000201u /* TEST-NET-1 */);
	struct err err;
	int fd;

	(void)state;
	assert_int_equal(listener_open(&a, 1, &fd, &err), -1);
	assert_non_null(strstr(err.text, "192.0.2.1:0"));
	assert_non_null(strstr(err.text, "no interface"));
}

static void
any_is_dual_stack(void **state)
{
	struct config_address any = address6(":0", in6addr_any);
	struct config_address one = address6("[::1]:0", in6addr_loopback);
	struct err err;
	int fd;

	(void)state;
	assert_int_equal(listener_open(&any, 1, &fd, &err), 0);
	assert_int_equal(connect4(port_of(&any)), 0);
	(void)close(fd);
	if (listener_open(&one, 1, &fd, &err) != 0)
		skip(); /* no IPv6 here */
	assert_int_equal(connect4(port_of(&one)), -1);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_share_a_port),
		cmocka_unit_test(a_second_railhead_is_refused),
		cmocka_unit_test(an_address_of_somebody_else),
		cmocka_unit_test(any_is_dual_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
