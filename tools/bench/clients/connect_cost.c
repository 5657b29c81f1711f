// SPDX-License-Identifier: MIT
/*
 * Times connect() to an address that nobody redirects, from inside a cgroup with programs and from inside one without, in
 * turns: one batch here, one there. The other end of the connections is a listener that was made outside both, so that
 * only the connecting side is compared. Prints the median time of each batch in nanoseconds, as JSON.
 *
 *   connect_cost CGROUP_WITH CGROUP_WITHOUT BATCHES CONNECTS
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int ascending(const void *left, const void *right)
{
	long a = *(const long *)left, b = *(const long *)right;

	return a < b ? -1 : a > b;
}

static void move_to(const char *cgroup)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1) {
		perror(path);
		exit(1);
	}
	close(fd);
}

/* A reset leaves nothing behind, neither here nor there. */
static void drop(int fd)
{
	struct linger none = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static long batch(int listener, const struct sockaddr_in *to, long *times, int connects)
{
	for (int i = 0; i < connects; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		long started_ns = now_ns();

		if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
			perror("connect");
			exit(1);
		}
		times[i] = now_ns() - started_ns;
		drop(fd);
		close(accept(listener, NULL, NULL));
	}
	qsort(times, connects, sizeof(long), ascending);
	return times[connects / 2];
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t length = sizeof(to);
	int listener, batches, connects;
	long *with, *without, *times;

	if (argc != 5)
		return 2;
	batches = atoi(argv[3]);
	connects = atoi(argv[4]);
	with = calloc(batches, sizeof(long));
	without = calloc(batches, sizeof(long));
	times = calloc(connects, sizeof(long));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(listener, 16) < 0 ||
	    getsockname(listener, (struct sockaddr *)&to, &length) < 0) {
		perror("listen");
		return 1;
	}
	for (int i = 0; i < batches; i++) {
		for (int half = 0; half < 2; half++) {
			int inside = (i + half) % 2;

			move_to(argv[inside ? 1 : 2]);
			(inside ? with : without)[i] = batch(listener, &to, times, connects);
		}
	}
	for (int inside = 0; inside < 2; inside++) {
		printf(inside ? "],\"with\":[" : "{\"without\":[");
		for (int i = 0; i < batches; i++)
			printf("%s%ld", i ? "," : "", (inside ? with : without)[i]);
	}
	printf("]}\n");
	return 0;
}
