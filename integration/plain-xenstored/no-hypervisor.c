/*
 * Preloaded into the C xenstored or the oxenstored of Xen 4.17, so that it runs without a hypervisor.
 *
 * It plays the few functions of libxenctrl, libxengnttab and libxenevtchn that the daemons call.
 * Every domain that a client introduces (XS_INTRODUCE) exists until it is released (XS_RELEASE), so
 * @introduceDomain and @releaseDomain fire as on Xen. For the C daemon it also plays
 * /proc/xen/xsd_{port,kva}; oxenstored takes their places from its configuration, but has that of its
 * socket built in: that one is moved to XENSTORED_RUNDIR.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

static char dummy; /* every opaque handle points here */

xc_interface *xc_interface_open(xentoollog_logger *l, xentoollog_logger *d, unsigned f) { return (void *)&dummy; }
int xc_interface_close(xc_interface *x) { return 0; }
int xc_domain_getinfo(xc_interface *x, uint32_t first, unsigned max, xc_dominfo_t *info)
{
	memset(info, 0, sizeof(*info));
	info->domid = first;
	return 1;
}
int xc_domain_getinfolist(xc_interface *x, uint32_t first, unsigned max, xc_domaininfo_t *info)
{
	memset(info, 0, max * sizeof(*info));
	info->domain = first;
	return 1;
}
void *xc_map_foreign_range(xc_interface *x, uint32_t domid, int size, int prot, unsigned long mfn)
{
	return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *l, unsigned f) { return (void *)&dummy; }
int xengnttab_close(xengnttab_handle *g) { return 0; }
int xengnttab_set_max_grants(xengnttab_handle *g, uint32_t n) { return 0; }
void *xengnttab_map_grant_ref(xengnttab_handle *g, uint32_t domid, uint32_t ref, int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
int xengnttab_unmap(xengnttab_handle *g, void *p, uint32_t n) { return munmap(p, 4096 * n); }

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *l, unsigned f) { return (void *)&dummy; }
int xenevtchn_fd(xenevtchn_handle *e)
{
	static int fd = -1; /* never becomes readable */
	return fd < 0 ? (fd = eventfd(0, EFD_CLOEXEC)) : fd;
}
static int next_port = 1;
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *e, uint32_t domid, evtchn_port_t port) { return ++next_port; }
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *e, unsigned virq) { return ++next_port; }
int xenevtchn_notify(xenevtchn_handle *e, evtchn_port_t port) { return 0; }
int xenevtchn_unbind(xenevtchn_handle *e, evtchn_port_t port) { return 0; }
int xenevtchn_unmask(xenevtchn_handle *e, evtchn_port_t port) { return 0; }

int open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, ...);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (!strncmp(path, "/proc/xen/xsd_", 14)) {
		int fd = memfd_create(path + 10, MFD_CLOEXEC);
		if (!strcmp(path, "/proc/xen/xsd_port"))
			return pwrite(fd, "1", 1, 0) == 1 ? fd : -1;
		return ftruncate(fd, 4096) ? -1 : fd;
	}
	if (!real)
		real = dlsym(RTLD_NEXT, "open");
	return real(path, flags, mode);
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

/* oxenstored asks for as many descriptors as there can be, which root alone may. */
int setrlimit(__rlimit_resource_t what, const struct rlimit *limits) { return 0; }

static const char built_in[] = "/var/run/xenstored";

/* Where a path of oxenstored is meant to be; NULL if that path is not below the built-in folder. */
static const char *moved(const char *path, char *buffer, size_t size)
{
	const char *folder = getenv("XENSTORED_RUNDIR");
	size_t length = sizeof(built_in) - 1;
	int written;

	if (!folder || strncmp(path, built_in, length))
		return NULL;
	written = snprintf(buffer, size, "%s%s", folder, path + length);
	return written >= 0 && (size_t)written < size ? buffer : NULL;
}

int mkdir(const char *path, mode_t mode)
{
	static int (*real)(const char *, mode_t);

	if (!strcmp(path, built_in)) {
		errno = EEXIST;
		return -1;
	}
	if (!real)
		real = dlsym(RTLD_NEXT, "mkdir");
	return real(path, mode);
}

int unlink(const char *path)
{
	static int (*real)(const char *);
	char buffer[4096];
	const char *to = moved(path, buffer, sizeof(buffer));

	if (!real)
		real = dlsym(RTLD_NEXT, "unlink");
	return real(to ? to : path);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	struct sockaddr_un there = { .sun_family = AF_UNIX };

	if (!real)
		real = dlsym(RTLD_NEXT, "bind");
	if (address->sa_family == AF_UNIX &&
	    moved(((const struct sockaddr_un *)address)->sun_path, there.sun_path, sizeof(there.sun_path)))
		return real(fd, (const struct sockaddr *)&there, sizeof(there));
	return real(fd, address, length);
}
