/*
 * For guests of the lab: a TLS connection in mode "socket", through which so many bytes go to a server
 * that sends them back; checks every byte that comes.
 *
 *   transfer HOST:PORT SERVER_NAME MEGABYTES
 *
 * Prints the agent's answer, then `sent and received N MB in T s`. 0 when all came back as it was.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define AGENT "/run/domu-agent/agent.sock"
#define CHUNK 65536

static int tls = -1;
static uint64_t total;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* The next CHUNK bytes of a sequence that has no period worth the name (xorshift64). */
static void next(uint64_t *state, unsigned char *chunk)
{
	for (size_t i = 0; i < CHUNK; i += sizeof(*state)) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		memcpy(chunk + i, state, sizeof(*state));
	}
}

static void *send_all(void *unused)
{
	uint64_t state = 0x7e55e2a0;
	unsigned char chunk[CHUNK];

	(void)unused;
	for (uint64_t left = total; left; left -= CHUNK) {
		next(&state, chunk);
		for (size_t done = 0; done < CHUNK;) {
			ssize_t n = write(tls, chunk + done, CHUNK - done);
			if (n <= 0)
				fail("write");
			done += n;
		}
	}
	return NULL;
}

static void receive_all(void)
{
	uint64_t state = 0x7e55e2a0;
	unsigned char expected[CHUNK], chunk[CHUNK];

	for (uint64_t left = total; left; left -= CHUNK) {
		next(&state, expected);
		for (size_t done = 0; done < CHUNK;) {
			ssize_t n = read(tls, chunk + done, CHUNK - done);
			if (n <= 0)
				fail("read");
			done += n;
		}
		if (memcmp(expected, chunk, CHUNK)) {
			fprintf(stderr, "transfer: other bytes came than were sent\n");
			exit(1);
		}
	}
}

/* Asks the agent; the answer is printed, its descriptor is `tls`. The request's socket stays open. */
static void ask(const char *destination, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = AGENT };
	char line[8192], control[CMSG_SPACE(sizeof(int))];
	struct iovec bytes = { line, sizeof(line) - 1 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	int agent = socket(AF_UNIX, SOCK_STREAM, 0);

	if (agent < 0 || connect(agent, (struct sockaddr *)&address, sizeof(address)))
		fail(AGENT);
	if (dprintf(agent, "{\"connect\":\"%s\",\"server_name\":\"%s\",\"mode\":\"socket\"}\n",
		    destination, name) < 0)
		fail("request");
	ssize_t n = recvmsg(agent, &message, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		fail("answer");
	line[n] = 0;
	printf("%s", line);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS) {
		fprintf(stderr, "transfer: no descriptor came\n");
		exit(1);
	}
	memcpy(&tls, CMSG_DATA(header), sizeof(tls));
}

int main(int argc, char **argv)
{
	struct timespec begin, end;
	pthread_t sender;

	if (argc != 4) {
		fprintf(stderr, "usage: transfer HOST:PORT SERVER_NAME MEGABYTES\n");
		return 64;
	}
	ask(argv[1], argv[2]);
	total = (strtoull(argv[3], NULL, 10) * 1000000 + CHUNK - 1) / CHUNK * CHUNK;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (pthread_create(&sender, NULL, send_all, NULL))
		fail("thread");
	receive_all();
	pthread_join(sender, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("sent and received %.0f MB in %.2f s\n", total / 1e6,
	       end.tv_sec - begin.tv_sec + (end.tv_nsec - begin.tv_nsec) / 1e9);
	return 0;
}
