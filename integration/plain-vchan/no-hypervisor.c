/*
 * Preloaded into programs that open libxenvchan, so that the library runs without a hypervisor.
 *
 * It plays the functions of libxengnttab and libxenevtchn that libxenvchan calls. A grant is a file
 * page-REF in the folder PLAIN_VCHAN, which both sides map; an event channel is a Unix socket
 * port-N there. A process that ends closes its sockets; what Xen's kernel drivers do then, zeroing
 * a byte of the shared page and giving a sign, is done for it by the other side.
 *
 * Xenstore is played by nobody: run a plain-xenstored and set XENSTORED_PATH.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096
/* The bytes cli_live and srv_live of the first page: each side's own is zeroed when it ends. */
#define LIVE_BYTES (0x14 + 0x15)

static char dummy; /* grant handles have no state */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *in_folder(char *to, size_t size, const char *what, unsigned number)
{
	const char *folder = getenv("PLAIN_VCHAN");

	snprintf(to, size, "%s/%s-%u", folder ? folder : "/nonexistent", what, number);
	return to;
}

/* Takes `count` numbers that nobody has in the folder, from 1 on. */
static unsigned take_numbers(const char *what, unsigned count)
{
	char path[256];
	unsigned next = 0;
	int fd = open(in_folder(path, sizeof path, what, 0), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return 0;
	flock(fd, LOCK_EX);
	if (pread(fd, &next, sizeof next, 0) != sizeof next)
		next = 1;
	count += next;
	if (pwrite(fd, &count, sizeof count, 0) != sizeof count)
		next = 0;
	close(fd);
	return next;
}

/* Event channels */

struct xenevtchn_handle {
	int events;   /* what the program waits for: an epoll descriptor */
	int listener; /* the server's, or -1 */
	int peer;     /* connected, or -1 */
	int bound;    /* whether there may be a peer */
	unsigned port;
	char *live;   /* the peer's byte in the shared page */
	struct xenevtchn_handle *next;
};

static struct xenevtchn_handle *handles;

static void await(xenevtchn_handle *e, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	epoll_ctl(e->events, EPOLL_CTL_ADD, fd, &event);
}

static int place(struct sockaddr_un *address, unsigned port)
{
	address->sun_family = AF_UNIX;
	in_folder(address->sun_path, sizeof address->sun_path, "port", port);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *l, unsigned f)
{
	xenevtchn_handle *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->listener = e->peer = -1;
	e->events = epoll_create1(EPOLL_CLOEXEC);
	pthread_mutex_lock(&lock);
	e->next = handles;
	handles = e;
	pthread_mutex_unlock(&lock);
	return e;
}

int xenevtchn_close(xenevtchn_handle *e)
{
	xenevtchn_handle **at;
	struct sockaddr_un address;

	pthread_mutex_lock(&lock);
	for (at = &handles; *at != e; at = &(*at)->next)
		;
	*at = e->next;
	pthread_mutex_unlock(&lock);
	if (e->listener >= 0) {
		close(e->listener);
		unlink(in_folder(address.sun_path, sizeof address.sun_path, "port", e->port));
	}
	if (e->peer >= 0)
		close(e->peer);
	close(e->events);
	free(e);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *e) { return e->events; }

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *e, uint32_t domid)
{
	struct sockaddr_un address;

	if (getenv("PLAIN_VCHAN_NO_PORT")) {
		errno = ESRCH;
		return -1;
	}
	e->port = take_numbers("port", 1);
	e->listener = place(&address, e->port);
	if (!e->port || bind(e->listener, (void *)&address, sizeof address) || listen(e->listener, 1))
		return -1;
	e->bound = 1;
	await(e, e->listener);
	return e->port;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *e, uint32_t domid, evtchn_port_t port)
{
	struct sockaddr_un address;

	e->peer = place(&address, port);
	if (connect(e->peer, (void *)&address, sizeof address))
		return -1;
	e->port = take_numbers("port", 1);
	e->bound = 1;
	await(e, e->peer);
	return e->port;
}

int xenevtchn_unmask(xenevtchn_handle *e, evtchn_port_t port) { return 0; }
int xenevtchn_unbind(xenevtchn_handle *e, evtchn_port_t port) { return 0; }

static void accept_peer(xenevtchn_handle *e)
{
	int peer = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (peer < 0)
		return;
	if (e->peer >= 0)
		close(peer);
	else
		await(e, e->peer = peer);
}

int xenevtchn_notify(xenevtchn_handle *e, evtchn_port_t port)
{
	if (e->listener >= 0 && e->peer < 0)
		accept_peer(e);
	/* A sign that waits already is as good, and a peer that has gone needs none. */
	if (e->peer >= 0)
		send(e->peer, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *e)
{
	struct epoll_event event;
	char signs[256];
	int blocks = !(fcntl(e->events, F_GETFL) & O_NONBLOCK);

	for (;;) {
		int count = epoll_wait(e->events, &event, 1, blocks ? -1 : 0);

		if (count < 0)
			return -1;
		if (!count) {
			errno = EAGAIN;
			return -1;
		}
		if (event.data.fd == e->listener) {
			accept_peer(e);
			continue;
		}
		if (recv(e->peer, signs, sizeof signs, 0) > 0)
			return e->port;
		/* It has ended. */
		epoll_ctl(e->events, EPOLL_CTL_DEL, e->peer, NULL);
		if (e->live)
			*e->live = 0;
		return e->port;
	}
}

/* Grants */

static void *map(unsigned count, const uint32_t *refs, int flags, int prot)
{
	char path[256];
	char *start = mmap(NULL, (size_t)count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned at;

	if (start == MAP_FAILED)
		return NULL;
	for (at = 0; at < count; at++) {
		int fd = open(in_folder(path, sizeof path, "page", refs[at]), flags | O_RDWR | O_CLOEXEC, 0600);
		void *page = MAP_FAILED;

		if (fd >= 0 && !(flags & O_CREAT && ftruncate(fd, PAGE)))
			page = mmap(start + (size_t)at * PAGE, PAGE, prot, MAP_SHARED | MAP_FIXED, fd, 0);
		if (fd >= 0)
			close(fd);
		if (page == MAP_FAILED) {
			munmap(start, (size_t)count * PAGE);
			return NULL;
		}
	}
	return start;
}

/* Whose end zeroes which byte. */
static void note_live(void *page, uint32_t own, evtchn_port_t port)
{
	xenevtchn_handle *e;

	pthread_mutex_lock(&lock);
	for (e = handles; e; e = e->next)
		if (e->bound && e->port == port)
			e->live = (char *)page + LIVE_BYTES - own;
	pthread_mutex_unlock(&lock);
}

static void forget_live(char *page)
{
	xenevtchn_handle *e;

	pthread_mutex_lock(&lock);
	for (e = handles; e; e = e->next)
		if (e->live && e->live >= page && e->live < page + PAGE)
			e->live = NULL;
	pthread_mutex_unlock(&lock);
}

xengntshr_handle *xengntshr_open(struct xentoollog_logger *l, unsigned f) { return (void *)&dummy; }
int xengntshr_close(xengntshr_handle *g) { return 0; }

void *xengntshr_share_pages(xengntshr_handle *g, uint32_t domid, int count, uint32_t *refs, int writable)
{
	unsigned first = take_numbers("page", count);
	int at;

	if (!first)
		return NULL;
	for (at = 0; at < count; at++)
		refs[at] = first + at;
	return map(count, refs, O_CREAT | O_EXCL, PROT_READ | PROT_WRITE);
}

void *xengntshr_share_page_notify(xengntshr_handle *g, uint32_t domid, uint32_t *ref, int writable,
				  uint32_t offset, evtchn_port_t port)
{
	void *page = xengntshr_share_pages(g, domid, 1, ref, writable);

	if (page)
		note_live(page, offset, port);
	return page;
}

int xengntshr_unshare(xengntshr_handle *g, void *start, uint32_t count)
{
	forget_live(start);
	return munmap(start, (size_t)count * PAGE);
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *l, unsigned f) { return (void *)&dummy; }
int xengnttab_close(xengnttab_handle *g) { return 0; }

void *xengnttab_map_domain_grant_refs(xengnttab_handle *g, uint32_t count, uint32_t domid, uint32_t *refs, int prot)
{
	return map(count, refs, 0, prot);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *g, uint32_t domid, uint32_t ref, int prot,
				     uint32_t offset, evtchn_port_t port)
{
	void *page = map(1, &ref, 0, prot);

	if (page)
		note_live(page, offset, port);
	return page;
}

int xengnttab_unmap(xengnttab_handle *g, void *start, uint32_t count)
{
	forget_live(start);
	return munmap(start, (size_t)count * PAGE);
}
