// SPDX-License-Identifier: MIT
/*
 * How long connect() takes: connect_cost ADDRESS PORT COUNT
 * Prints the median and the mean in nanoseconds. Whether a connection comes about does not matter.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + time.tv_nsec;
}

static int ascending(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint32_t *took;
	uint64_t sum = 0;
	unsigned count, i;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons(atoi(argv[2]));
	count = atoi(argv[3]);
	took = calloc(count, sizeof(*took));
	for (i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		uint64_t began = now_ns();

		connect(fd, (struct sockaddr *)&to, sizeof(to));
		took[i] = now_ns() - began;
		sum += took[i];
		close(fd);
	}
	qsort(took, count, sizeof(*took), ascending);
	printf("{\"medianNs\":%u,\"meanNs\":%lu}\n", took[count / 2], sum / count);
	return 0;
}
