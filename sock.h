/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock.h - sockets: open, set, bind, connect; on the host or in the namespace
 *
 * One table says which option is set on which kind of socket, and why. Sockets
 * of the namespace are made by the agent (agent.h), which runs this same code
 * there.
 */
#ifndef SOCK_H
#define SOCK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "conf.h"

#define SOCK_UDP_TTL	64	/* what sockets of datagrams send with */

enum sock_kind {
	SOCK_KIND_TCP_CONNECT,	/* will connect(): flow over the link */
	SOCK_KIND_TCP_SPLICE,	/* will connect(): spliced */
	SOCK_KIND_TCP_LISTEN,
	SOCK_KIND_UDP_LISTEN,
	SOCK_KIND_UDP_FLOW,
	SOCK_KIND_PING,
	SOCK_KIND_COUNT
};

/* Plain data: crosses to the agent as it is. */
struct sock_req {
	uint8_t kind;
	uint8_t fam;		/* enum fam */
	bool dual;		/* IPv6 wildcard that takes IPv4 too */
	bool bind;		/* to addr:port, which may be any and 0 */
	bool freebind;
	bool share;		/* datagram listener: a socket that allows it
				 * may have the port already */
	struct addr addr;
	uint16_t port;
	unsigned scope;		/* interface of link-local addresses */
	char ifname[IFNAMSIZ];	/* SO_BINDTODEVICE; must succeed when given */
};

/* In the network namespace of the caller. Non-blocking, close-on-exec;
 * listeners are listening. fd, or -errno. */
int sock_open_here(const struct sock_req *req);
/* On the host (PIF_HOST) or in the namespace (PIF_SPLICE). */
int sock_open(uint8_t pif, const struct sock_req *req);

/* A TCP socket ready for connect() with the options of @kind: @pif as above.
 * From a pool in the namespace, which refills itself. fd, or -errno. */
int sock_tcp(uint8_t pif, enum sock_kind kind, enum fam fam);

/* connect(): 0 done, -EINPROGRESS, or another -errno. */
int sock_connect(int fd, const struct addr *a, uint16_t port, unsigned scope);
/* Before connecting to @theirs: bind to @ours unless unspecified, to the
 * interface --outbound-if* named unless @theirs is loopback. 0, or -errno. */
int sock_bind_outbound(int fd, const struct addr *ours,
		       const struct addr *theirs);
/* SO_LINGER {1, 0} and close: the peer sees RST. *fd becomes -1. */
void sock_reset(int *fd);
int sock_error(int fd);		/* SO_ERROR: 0 or errno; -errno on failure */
bool sock_local(int fd, struct addr *a, uint16_t *port);	/* getsockname */
/* Whether @a is an address of the host, now. */
bool sock_host_has(const struct addr *a, unsigned scope);
/* What the kernel can do, asked once during setup. */
bool sock_probe_peek_off(enum fam fam);
bool sock_probe_bind_device(void);
int sock_probe_family(enum fam fam);	/* 0, or -errno */

#endif
