/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.h - rtnetlink, for the modules that speak it and their tests */
#ifndef SETUP_NETLINK_H
#define SETUP_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "buf.h"

#define LO_IFINDEX	1u

/* --- netlink_msg.c: pure --- */

struct nl_msg {
	uint16_t type, flags;
	uint32_t seq;
	struct rd body;
};

/* The next message of a datagram. False at its end, or when it is malformed:
 * then @d is bad. */
bool nl_next(struct rd *d, struct nl_msg *m);
/* What NLMSG_ERROR and NLMSG_DONE carry: 0, or -errno. */
int nl_status(const struct nl_msg *m);

struct nl_attr {
	uint16_t type;
	struct rd val;
};
bool nl_next_attr(struct rd *r, struct nl_attr *a);
/* The value, which has to be of this very size; *r fails otherwise. */
void nl_attr_get(struct rd *r, const struct nl_attr *a, void *out, size_t len);

struct nl_hop {
	unsigned ifindex;
	unsigned weight;	/* 1 and up */
	struct addr gw;		/* unspecified: none, or one of another family */
};

struct nl_route {
	enum fam fam;
	struct addr dst;
	uint8_t dst_len;
	bool ours;		/* unicast, in the main table, not cloned */
	struct nl_hop hop;	/* of the highest weight, the first of these */
};

/* @ifindex: consider hops by this interface only, 0 any but loopback. False:
 * malformed. Without a usable hop, out->hop.ifindex is 0. */
bool nl_read_route(struct rd body, unsigned ifindex, struct nl_route *out);

struct nl_addr {
	enum fam fam;
	unsigned ifindex;
	struct addr addr;
	struct addr peer;	/* the other end, or addr again */
	struct addr broadcast;	/* unspecified: none */
	uint8_t prefix_len;
	uint8_t scope;
	bool usable;		/* not deprecated, not found in use elsewhere */
};
bool nl_read_addr(struct rd body, struct nl_addr *out);

struct nl_neigh {
	enum fam fam;
	unsigned ifindex;
	struct addr addr;
	struct mac mac;
	bool usable;		/* an Ethernet neighbour with a valid address */
};
bool nl_read_neigh(struct rd body, struct nl_neigh *out);

/* A request that adds @body, a route by interface @from, for interface @to.
 * Hops by other interfaces are left out. False: nothing is left, or @body is
 * malformed, or @w full. */
bool nl_copy_route(struct rd body, unsigned from, unsigned to, struct wr *w);

/* A message starts where this returns; its length is known when it ends. */
uint8_t *nl_put_start(struct wr *w, uint16_t type, uint16_t flags);
bool nl_put_end(struct wr *w, uint8_t *start);
void nl_put_attr(struct wr *w, uint16_t type, const void *val, size_t len);
void nl_put_u32(struct wr *w, uint16_t type, uint32_t v);
void nl_put_addr(struct wr *w, uint16_t type, const struct addr *a);

/* --- netlink.c --- */

int netlink_send(int fd, const uint8_t *p, size_t len);
/* One datagram, from the kernel and nobody else; valid until the next. */
int netlink_receive(int fd, struct rd *d);

/* What the kernel knows of one family: @take is given each message, until it
 * has enough and returns false. 0, or -errno. */
typedef bool (*nl_take_fn)(void *ctx, const struct nl_msg *m);
int netlink_dump_routes(int fd, enum fam fam, nl_take_fn take, void *ctx);
int netlink_dump_addrs(int fd, enum fam fam, unsigned ifindex, nl_take_fn take,
		       void *ctx);

/* Neighbours: all there are; then, from a socket of its own, what changes.
 * @take is told which are gone. 0, or -errno; of changes, -EAGAIN when there
 * are no more at the moment, -ENOBUFS when some were lost. */
typedef void (*nl_neigh_fn)(const struct nl_neigh *n, bool gone);
int netlink_dump_neighs(int fd, nl_neigh_fn take);
int netlink_watch_neighs(int fd);
int netlink_next_neighs(int fd, nl_neigh_fn take);

#endif
