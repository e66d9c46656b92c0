/*
 * Preloaded into the C xenstored of Xen 4.17, so that it runs without a hypervisor.
 *
 * It plays the few functions of libxenctrl, libxengnttab and libxenevtchn that the daemon calls,
 * and /proc/xen/xsd_{port,kva}. Every domain that a client introduces (XS_INTRODUCE) exists until
 * it is released (XS_RELEASE), so @introduceDomain and @releaseDomain fire as on Xen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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
