/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh.h - which hardware address stands for an address on the guest's link */
#ifndef NEIGH_H
#define NEIGH_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

/* Empty, but for the addresses that are mapped: those are us. 0, or -errno: the
 * kernel has no random numbers. */
int neigh_init(void);

/* What the guest is shown as @guest_visible's hardware address: that of the
 * host's neighbour, else that of the gateway, else ours. */
struct mac neigh_mac(const struct addr *guest_visible);
/* Changes whenever an answer of neigh_mac() may have. */
uint32_t neigh_generation(void);

/* @host, as the host knows it, is at @mac. True: it was not known before, and
 * *guest is the name it goes by there. */
bool neigh_add(const struct addr *host, const struct mac *mac,
	       struct addr *guest);
void neigh_remove(const struct addr *host);
void neigh_forget(void);		/* all of the host's */

#endif
