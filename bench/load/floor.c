/*
 * floor.c - a server that does only what any must: the floor under ours.
 *
 *	floor PORT THREADS FILE
 *
 * Whatever is asked, FILE is the answer: from memory in one send() when it is
 * small, else by sendfile() after its head.  A request is one recv(); nothing
 * of it is looked at.  Runs until a signal ends it.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_MAX (32u << 10)
#define EVENTS_MAX 256
#define BACKLOG 4096
#define THREADS_MAX 64

struct client {
	int fd;
	off_t at; /* of the file; its size: nothing is under way */
};

/* Written before the threads start. */
static int file;
static off_t file_n;
static bool is_small;
static char answer[512 + SMALL_MAX]; /* head, and a small file's bytes */
static size_t answer_n;
static uint16_t port;

static void
read_file(const char *path)
{
	struct stat st;
	ssize_t n = 0;

	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) != 0)
		err(2, "%s", path);
	file_n = st.st_size;
	is_small = file_n <= (off_t)SMALL_MAX;
	answer_n = (size_t)snprintf(answer, sizeof(answer),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
	    "Content-Length: %lld\r\n\r\n",
	    (long long)file_n);
	if (is_small)
		n = read(file, answer + answer_n, SMALL_MAX);
	if (n < 0)
		err(2, "%s", path);
	answer_n += (size_t)n;
}

static int
listen_socket(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		err(1, "listening on port %u", port);
	return fd;
}

static void
take_client(int epoll_fd, int listener)
{
	struct client *c = calloc(1, sizeof(*c));
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
		.data.ptr = c };

	if (c == NULL)
		err(1, "a client needs memory");
	c->at = file_n;
	c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
		err(1, "taking a client");
}

/* False: it is gone. */
static bool
send_rest(struct client *c)
{
	while (c->at < file_n) {
		ssize_t n =
		    sendfile(c->fd, file, &c->at, (size_t)(file_n - c->at));

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
	}
	return true;
}

static bool
take_request(struct client *c)
{
	char request[4096];
	ssize_t n = recv(c->fd, request, sizeof(request), 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	n = send(
	    c->fd, answer, answer_n, MSG_NOSIGNAL | (is_small ? 0 : MSG_MORE));
	if (n != (ssize_t)answer_n)
		return false;
	c->at = is_small ? file_n : 0;
	return send_rest(c);
}

static void
step(struct client *c)
{
	bool is_here = c->at < file_n ? send_rest(c) : take_request(c);

	if (is_here)
		return;
	(void)close(c->fd);
	free(c);
}

static void *
serve(void *arg)
{
	int listener = listen_socket(), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN }, events[EVENTS_MAX];
	int i, n;

	if (epoll_fd < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0)
		err(1, "epoll");
	for (;;) {
		n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				take_client(epoll_fd, listener);
			else
				step(events[i].data.ptr);
		}
	}
	return arg;
}

int
main(int argc, char **argv)
{
	pthread_t thread;
	long i, n;

	if (argc != 4)
		errx(2, "usage: floor PORT THREADS FILE");
	port = (uint16_t)strtoul(argv[1], NULL, 10);
	n = strtol(argv[2], NULL, 10);
	read_file(argv[3]);
	(void)signal(SIGPIPE, SIG_IGN);
	for (i = 1; i < n; i++)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			errx(1, "a thread could not be started");
	(void)serve(NULL);
	return 0;
}
