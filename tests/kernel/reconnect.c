// SPDX-License-Identifier: MIT
/*
 * Many connections of many users, each of which tells the listener who it is: user, process, socket cookie and source.
 * The listener compares that with what the kernel recorded, and answers `same`, `other` or `none`.
 *
 *   reconnect hold USERS CONNECTIONS    all connections of all users are open before the first one speaks
 *   reconnect churn USERS CONNECTIONS   each user opens so many, one after the other, in every way there is: closed and
 *                                       reset, with and without waiting for the answer, from sources of the kernel's and
 *                                       of their own choice, redirected and dialled to the listener
 *
 * Prints one line of JSON with the sums.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

#define FIRST_UID 20001
#define LIMIT_S 30
#define FIRST_PORT 32768
#define PORTS 32

enum way { WAITS = 1, RESETS = 2, OWN_SOURCE = 4, DIRECT = 8 };

/* In this order, over and over. Most reset: that frees the source at once. */
static const int WAYS[] = {
	WAITS | RESETS,
	WAITS | RESETS | OWN_SOURCE,
	RESETS,
	WAITS,
	RESETS | OWN_SOURCE,
	WAITS | RESETS,
	RESETS | OWN_SOURCE | DIRECT,
	WAITS | RESETS | OWN_SOURCE | DIRECT,
};

struct sums {
	atomic_ulong connections;
	atomic_ulong same;
	atomic_ulong other;
	atomic_ulong none;
	atomic_ulong unheard;	/* reset before an answer came */
	atomic_ulong busy;	/* the source was somebody else's at the moment */
	atomic_ulong failed;
	atomic_ulong arrived;	/* for the barriers */
	atomic_int last_errno;
};

static struct sums *sums;

static struct sockaddr_in address(const char *text, int port)
{
	struct sockaddr_in made = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, text, &made.sin_addr);
	return made;
}

static void failed(void)
{
	atomic_store(&sums->last_errno, errno);
	atomic_fetch_add(&sums->failed, 1);
}

static int connected(int way, unsigned turn)
{
	struct sockaddr_in to = way & DIRECT ? address("127.0.0.1", 3080) : address("169.254.169.254", 80);
	struct timeval limit = { .tv_sec = LIMIT_S };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		failed();
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (way & OWN_SOURCE) {
		struct sockaddr_in from = address("127.0.0.1", FIRST_PORT + turn % PORTS);

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
			goto busy;
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
		atomic_fetch_add(&sums->connections, 1);
		return fd;
	}
	if ((way & OWN_SOURCE) && (errno == EADDRNOTAVAIL || errno == EADDRINUSE))
		goto busy;
	failed();
	close(fd);
	return -1;
busy:
	atomic_fetch_add(&sums->busy, 1);
	close(fd);
	return -1;
}

/* The claims: uid or `direct`, gid, process, cookie, address, port, and whether the record must be there. */
static int speak(int fd, int way)
{
	char text[512], host[INET_ADDRSTRLEN], uid[16] = "direct";
	struct sockaddr_in local;
	socklen_t length = sizeof(local);
	unsigned long long cookie = 0;
	int stays = (way & WAITS) && !(way & OWN_SOURCE);
	int size;

	getsockname(fd, (struct sockaddr *)&local, &length);
	inet_ntop(AF_INET, &local.sin_addr, host, sizeof(host));
	length = sizeof(cookie);
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
	if (!(way & DIRECT))
		snprintf(uid, sizeof(uid), "%u", getuid());
	size = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\nx-claims: %s %u %d %llu %s %d %d\r\n\r\n",
			uid, getgid(), getpid(), cookie, host, ntohs(local.sin_port), stays);
	if (send(fd, text, size, MSG_NOSIGNAL) == size)
		return 0;
	failed();
	return -1;
}

static void listen_to(int fd)
{
	char text[1024];
	ssize_t size = recv(fd, text, sizeof(text) - 1, 0);

	if (size <= 0) {
		failed();
		return;
	}
	text[size] = 0;
	if (strstr(text, "\r\n\r\nsame"))
		atomic_fetch_add(&sums->same, 1);
	else if (strstr(text, "\r\n\r\nnone"))
		atomic_fetch_add(&sums->none, 1);
	else
		atomic_fetch_add(&sums->other, 1);
}

static void leave(int fd, int way)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (way & RESETS)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void barrier(unsigned number, unsigned users)
{
	atomic_fetch_add(&sums->arrived, 1);
	while (atomic_load(&sums->arrived) < (unsigned long)number * users)
		usleep(1000);
}

static void hold(unsigned users, unsigned connections)
{
	int *fds = calloc(connections, sizeof(int));
	unsigned i;

	for (i = 0; i < connections; i++)
		fds[i] = connected(WAITS, i);
	barrier(1, users);
	for (i = 0; i < connections; i++)
		if (fds[i] >= 0)
			speak(fds[i], WAITS);
	for (i = 0; i < connections; i++)
		if (fds[i] >= 0)
			listen_to(fds[i]);
	barrier(2, users);
	for (i = 0; i < connections; i++)
		if (fds[i] >= 0)
			leave(fds[i], WAITS);
}

static void churn(unsigned user, unsigned connections)
{
	unsigned i, done = 0;

	for (i = 0; done < connections; i++) {
		int way = WAYS[(i + user) % (sizeof(WAYS) / sizeof(WAYS[0]))];
		/* Each source is everybody's in turn. */
		int fd = connected(way, i / 8);

		if (fd < 0)
			continue;
		done++;
		if (speak(fd, way) == 0) {
			if (way & WAITS)
				listen_to(fd);
			else
				atomic_fetch_add(&sums->unheard, 1);
		}
		leave(fd, way);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = { .rlim_cur = 65536, .rlim_max = 65536 };
	unsigned users, connections, i;

	if (argc != 4)
		return 2;
	users = atoi(argv[2]);
	connections = atoi(argv[3]);
	setrlimit(RLIMIT_NOFILE, &files);
	sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < users; i++) {
		if (fork() != 0)
			continue;
		if (setgroups(0, NULL) || setresgid(FIRST_UID + i, FIRST_UID + i, FIRST_UID + i) ||
		    setresuid(FIRST_UID + i, FIRST_UID + i, FIRST_UID + i))
			_exit(1);
		if (!strcmp(argv[1], "hold"))
			hold(users, connections);
		else
			churn(i, connections);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	printf("{\"connections\":%lu,\"same\":%lu,\"other\":%lu,\"none\":%lu,\"unheard\":%lu,\"busy\":%lu,\"failed\":%lu,"
	       "\"lastErrno\":%d}\n",
	       sums->connections, sums->same, sums->other, sums->none, sums->unheard, sums->busy, sums->failed,
	       sums->last_errno);
	return 0;
}
