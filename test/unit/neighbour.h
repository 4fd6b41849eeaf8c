/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neighbour.h - what those who tell hardware addresses ask of other modules:
 * where the guest was seen, and which neighbour has an address of its own */
#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

#include "conf.h"
#include "fwd.h"
#include "neigh.h"

static struct fwd_env env;
static const struct mac station = { { 0x52, 0x54, 0, 0, 0, 0x77 } };
static struct addr known;	/* the station's */

const struct fwd_env *fwd_env(void)
{
	return &env;
}

struct mac neigh_mac(const struct addr *a)
{
	return addr_eq(a, &known) ? station : conf.our_mac;
}

#endif
