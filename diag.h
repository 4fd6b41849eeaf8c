/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag.h - which ports somebody listens on, by NETLINK_SOCK_DIAG
 *
 * A dump of listening sockets only: microseconds, where procfs takes
 * milliseconds. A netlink socket sees the namespace it was opened in.
 */
#ifndef DIAG_H
#define DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS_WORDS	(65536 / 64)
struct ports {
	uint64_t map[PORTS_WORDS];
};
static inline bool port_get(const struct ports *p, uint16_t port)
{
	return p->map[port / 64] >> (port % 64) & 1;
}
static inline void port_set(struct ports *p, uint16_t port)
{
	p->map[port / 64] |= (uint64_t)1 << (port % 64);
}
static inline void port_clear(struct ports *p, uint16_t port)
{
	p->map[port / 64] &= ~((uint64_t)1 << (port % 64));
}

int diag_open(void);		/* in the caller's namespace: fd, or -errno */
/* Sets the bit of each port with a listening TCP, or bound and unconnected
 * UDP, socket of either family. 0, or -errno: @out is then incomplete. */
int diag_ports(int fd, uint8_t proto, struct ports *out);

/* The pure half: one piece of the answer to request @seq. 0: that was the last
 * one; DIAG_MORE; or -errno. */
#define DIAG_MORE	1
int diag_parse(const void *piece, size_t len, uint32_t seq, struct ports *out);

#endif
