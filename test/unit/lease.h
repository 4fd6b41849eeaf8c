/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.h - what the tests of both kinds of DHCP have in common */
#ifndef LEASE_H
#define LEASE_H

#include "conf.h"
#include "fwd.h"
#include "test/unit/served.h"

/* The address which the guest has taken, as the others are told */
static struct addr seen;

void fwd_guest_seen(const struct addr *src)
{
	seen = *src;
}

static inline void lease_start(const struct conf *c, enum fam fam,
			       const struct conf_net *net)
{
	const struct log_config quiet = { .ident = "test" };

	log_start(&quiet, "");
	mem_start(NULL, NULL);
	link_set_guest_mac(&raw_smac);
	conf_writable = *c;
	conf_writable.our_mac = MAC_OURS_DEFAULT;
	conf_writable.net[fam] = *net;
	seen = (struct addr) { 0 };
}

static inline const uint8_t *reply(void)
{
	return mem.sent[0].b;
}

#endif
