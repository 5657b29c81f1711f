// SPDX-License-Identifier: MIT
/*
 * Opens connections, sends a request on each and reads its answer unless PATH is `-`, then keeps them all open without a
 * word until its input ends. Prints how many are open, as one line of JSON.
 *
 *   holder ADDRESS PORT COUNT PATH
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Whether one request was answered with 200 and a body of the announced length. */
static int ask(int fd, const char *address, const char *path)
{
	char text[16384];
	size_t length = 0, wanted = 0;
	ssize_t count;
	char *head_end, *field;

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\nMetadata: true\r\n\r\n", path, address);
	if (write(fd, text, strlen(text)) < 0)
		return 0;
	while (!wanted || length < wanted) {
		if (length == sizeof(text) - 1)
			return 0;
		count = read(fd, text + length, sizeof(text) - 1 - length);
		if (count <= 0)
			return 0;
		length += count;
		text[length] = 0;
		head_end = strstr(text, "\r\n\r\n");
		field = strcasestr(text, "\r\ncontent-length:");
		if (!wanted && head_end && field && field < head_end)
			wanted = head_end + 4 - text + atol(field + 17);
	}
	return strncmp(text, "HTTP/1.1 200", 12) == 0;
}

int main(int argc, char **argv)
{
	struct timeval limit = { .tv_sec = 10 };
	struct rlimit descriptors;
	struct sockaddr_in to = { .sin_family = AF_INET };
	int count, open = 0, answered = 0;
	int *fds;
	char byte;

	if (argc != 5)
		return 2;
	getrlimit(RLIMIT_NOFILE, &descriptors);
	descriptors.rlim_cur = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &descriptors);
	count = atoi(argv[3]);
	fds = calloc(count, sizeof(int));
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	to.sin_port = htons(atoi(argv[2]));
	for (int i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		if (fds[i] >= 0 && connect(fds[i], (struct sockaddr *)&to, sizeof(to)) == 0)
			open++;
	}
	for (int i = 0; i < count && strcmp(argv[4], "-") != 0; i++)
		answered += ask(fds[i], argv[1], argv[4]);
	printf("{\"open\":%d,\"answered\":%d}\n", open, answered);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
