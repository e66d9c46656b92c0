/*
 * What a vchan costs with libxenvchan alone: the same measurements, and the same messages between
 * the ends, as vchan_bench.rs, whose comment describes them. Either end may be that program.
 *
 *   gcc -O2 -o vchan_bench_c vchan_bench.c -ldl      (needs no headers of Xen)
 *   dom0:   vchan_bench_c server DOMID /local/domain/0/data/bench
 *   guest:  vchan_bench_c client 0 /local/domain/0/data/bench
 *
 * It waits in poll for the event descriptor, as a program that does other things as well must.
 * XEN_VCHAN_LIBRARY names the library if it is not libxenvchan.so.4.17.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { END, ECHO, TAKE, SEND };
#define RING 4096
#define MAX_SIZE (1 << 20)

static void *(*server_init)(void *, int, const char *, size_t, size_t);
static void *(*client_init)(void *, int, const char *);
static int (*vread)(void *, void *, size_t), (*vwrite)(void *, const void *, size_t);
static int (*ready)(void *), (*space)(void *), (*is_open)(void *), (*vwait)(void *), (*vfd)(void *);
static void (*vclose)(void *);
static void *chan;
static int fd;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_library(void)
{
	const char *name = getenv("XEN_VCHAN_LIBRARY");
	void *library = dlopen(name ? name : "libxenvchan.so.4.17", RTLD_NOW);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	server_init = dlsym(library, "libxenvchan_server_init");
	client_init = dlsym(library, "libxenvchan_client_init");
	vread = dlsym(library, "libxenvchan_read");
	vwrite = dlsym(library, "libxenvchan_write");
	ready = dlsym(library, "libxenvchan_data_ready");
	space = dlsym(library, "libxenvchan_buffer_space");
	is_open = dlsym(library, "libxenvchan_is_open");
	vwait = dlsym(library, "libxenvchan_wait");
	vfd = dlsym(library, "libxenvchan_fd_for_select");
	vclose = dlsym(library, "libxenvchan_close");
}

static void wait_for_peer(void)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };

	poll(&event, 1, -1);
	vwait(chan);
}

static size_t some(size_t have, size_t want) { return have < want ? have : want; }

static void get(void *to, size_t size)
{
	for (char *at = to; size;) {
		size_t count = some(ready(chan), size);
		int got = count ? vread(chan, at, count) : 0;

		if (got < 0 || (!count && !is_open(chan) && !ready(chan)))
			fail("read");
		if (!got)
			wait_for_peer();
		at += got;
		size -= got;
	}
}

static void put(const void *from, size_t size)
{
	for (const char *at = from; size;) {
		size_t count = some(space(chan), size);
		int got = count ? vwrite(chan, at, count) : 0;

		/* Who has read the last message may close before this looks. */
		if (got < 0 || ((size_t)got < size && !is_open(chan)))
			fail("write");
		if (!got)
			wait_for_peer();
		at += got;
		size -= got;
	}
}

/* Both ways at once: a message may be longer than a ring. */
static void exchange(const char *out, char *in, size_t size)
{
	size_t left = size, missing = size;

	while (left || missing) {
		size_t count = left ? some(space(chan), left) : 0;
		int put = count ? vwrite(chan, out, count) : 0, got;

		count = missing ? some(ready(chan), missing) : 0;
		got = count ? vread(chan, in, count) : 0;
		if (put < 0 || got < 0 || !is_open(chan))
			fail("exchange");
		if (!put && !got)
			wait_for_peer();
		out += put;
		left -= put;
		in += got;
		missing -= got;
	}
}

static void request(uint8_t what, uint32_t size, uint32_t count)
{
	uint8_t bytes[9] = { what };

	size = htonl(size);
	count = htonl(count);
	memcpy(bytes + 1, &size, 4);
	memcpy(bytes + 5, &count, 4);
	put(bytes, sizeof bytes);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double transfer(int what, char *message, uint32_t size, uint32_t count)
{
	double begin = now();
	uint8_t done;

	request(what, size, count);
	while (count--)
		what == TAKE ? put(message, size) : get(message, size);
	if (what == TAKE)
		get(&done, 1);
	return now() - begin;
}

static void measure(void)
{
	static const uint32_t sizes[] = { 64, 256, 1024, 4096, 16384 };
	const char *text = getenv("VCHAN_BENCH_SECONDS");
	double seconds = text ? atof(text) : 1;
	static double times[1 << 22];
	static char message[16384], back[16384];

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint32_t size = sizes[i];
		size_t count = 0;
		double rates[2];

		for (double begin = now(); now() - begin < seconds && count + 100 <= 1 << 22;) {
			request(ECHO, size, 100);
			for (int n = 0; n < 100; n++) {
				double sent = now();

				exchange(message, back, size);
				times[count++] = now() - sent;
			}
		}
		qsort(times, count, sizeof *times, by_time);
		for (int way = 0; way < 2; way++) {
			int what = way ? SEND : TAKE;
			double n = 200 * seconds / transfer(what, message, size, 200);

			n = n < 200 ? 200 : n > 1e6 ? 1e6 : n;
			rates[way] = (double)size * (uint32_t)n / transfer(what, message, size, n) / 1e6;
		}
		printf("{\"by\":\"C\",\"size\":%u,\"rtt_p50_us\":%.1f,\"rtt_p99_us\":%.1f,"
		       "\"to_server_mb_s\":%.2f,\"to_client_mb_s\":%.2f}\n",
		       size, times[count / 2] * 1e6, times[count * 99 / 100] * 1e6, rates[0], rates[1]);
		fflush(stdout);
	}
	request(END, 0, 0);
	while (is_open(chan) && space(chan) < RING)
		wait_for_peer();
}

static void serve(void)
{
	static char message[MAX_SIZE];
	uint8_t bytes[9];
	uint32_t size, count;

	for (;;) {
		get(bytes, sizeof bytes);
		memcpy(&size, bytes + 1, 4);
		memcpy(&count, bytes + 5, 4);
		size = ntohl(size);
		count = ntohl(count);
		if (size > MAX_SIZE || bytes[0] == END)
			return;
		while (count--) {
			if (bytes[0] != SEND)
				get(message, size);
			if (bytes[0] != TAKE)
				put(message, size);
		}
		if (bytes[0] == TAKE)
			put("", 1);
	}
}

int main(int argc, char **argv)
{
	int is_server;

	if (argc != 4) {
		fprintf(stderr, "usage: %s server|client DOMID PATH\n", argv[0]);
		return 64;
	}
	open_library();
	is_server = !strcmp(argv[1], "server");
	if (is_server)
		chan = server_init(NULL, atoi(argv[2]), argv[3], RING, RING);
	else
		while (!(chan = client_init(NULL, atoi(argv[2]), argv[3])))
			usleep(100000);
	if (!chan)
		fail("vchan");
	fd = vfd(chan);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while (is_server && is_open(chan) == 2)
		wait_for_peer();
	is_server ? serve() : measure();
	vclose(chan);
	return 0;
}
