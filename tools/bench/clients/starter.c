// SPDX-License-Identifier: MIT
/*
 * Starts the agent and watches it come up: when its port takes connections, and when a request to the metadata address
 * arrives there with a signature. Prints both times, in microseconds from the exec, as one line of JSON, then waits for
 * the agent's end. SIGTERM is passed on.
 *
 *   starter LISTENER_PORT METADATA_ADDRESS PATH COMMAND...
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GIVE_UP_US 20000000L
#define LOOK_EVERY_US 500

static volatile pid_t agent;

static void pass_on(int signal)
{
	if (agent > 0)
		kill(agent, signal);
}

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

/* A connected socket, or -1. */
static int dial(const char *address, int port)
{
	struct timeval limit = { .tv_sec = 2 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Whether a request for `path`, which is answered with its own signature, is answered with one. */
static int is_signed(const char *address, const char *path)
{
	char text[4096];
	size_t length = 0;
	ssize_t count;
	int fd = dial(address, 80);

	if (fd < 0)
		return 0;
	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\nMetadata: true\r\nConnection: close\r\n\r\n",
		 path, address);
	if (write(fd, text, strlen(text)) > 0)
		while (length < sizeof(text) - 1 && (count = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
			length += count;
	text[length] = 0;
	close(fd);
	return strncmp(text, "HTTP/1.1 200", 12) == 0 && strstr(text, "\r\n\r\nAzure-HMAC-SHA256 ") != NULL;
}

int main(int argc, char **argv)
{
	long started_us, listening_us = 0, signed_us = 0;
	int fd, status = 0;

	if (argc < 5)
		return 2;
	signal(SIGTERM, pass_on);
	started_us = now_us();
	agent = fork();
	if (agent == 0) {
		execvp(argv[4], argv + 4);
		_exit(127);
	}
	while (!listening_us && now_us() - started_us < GIVE_UP_US) {
		fd = dial("127.0.0.1", atoi(argv[1]));
		if (fd >= 0) {
			listening_us = now_us() - started_us;
			close(fd);
		} else {
			usleep(LOOK_EVERY_US);
		}
	}
	while (listening_us && !signed_us && now_us() - started_us < GIVE_UP_US) {
		if (is_signed(argv[2], argv[3]))
			signed_us = now_us() - started_us;
		else
			usleep(LOOK_EVERY_US);
	}
	printf("{\"listeningUs\":%ld,\"signedUs\":%ld}\n", listening_us, signed_us);
	fflush(stdout);
	while (waitpid(agent, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
