/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh_watch.c - what the kernel knows about the host's neighbours
 *
 * The interfaces the guest's addresses and routes come from have neighbours;
 * the neigh module shows them to the guest. First all there are, then what
 * changes, on a socket of its own, which listens before the first question is
 * asked. So whatever it brings later is at least as new as the answer.
 *
 * The guest is told of a station that turns up while it is there: it may have
 * asked before, and got another answer. Not of one that changes its hardware
 * address, which anybody on that network can claim for anybody; when the guest
 * asks again, it gets what the host has.
 *
 * Never polls. When the kernel had more to say than there was room for, the
 * question is asked again.
 */
#include "setup/setup.h"

#include <errno.h>
#include <string.h>

#include "link/link.h"
#include "log.h"
#include "neigh.h"
#include "services/services.h"
#include "setup/netlink.h"
#include "util.h"

#define EVENTS_MAX	64	/* datagrams per event; the rest: next turn */

static int watch_fd = -1, dump_fd = -1;

static void announce(const struct addr *a, const struct mac *mac)
{
	static void (*const tell[FAM_COUNT])(const struct addr *,
					     const struct mac *) = {
		[FAM4] = arp_announce, [FAM6] = ndp_announce,
	};

	if (!link_is_up() || (addr_fam(a) == FAM6 && conf.no_ndp))
		return;
	tell[addr_fam(a)](a, mac);
}

/* Whether it is new to the guest. */
static bool take(const struct nl_neigh *n, bool gone, struct addr *guest)
{
	if (!n->ifindex || n->ifindex != conf.net[n->fam].ifindex)
		return false;
	if (!gone)
		return neigh_add(&n->addr, &n->mac, guest);
	neigh_remove(&n->addr);
	return false;
}

static void take_known(const struct nl_neigh *n, bool gone)
{
	struct addr guest;

	take(n, gone, &guest);
}

static void take_change(const struct nl_neigh *n, bool gone)
{
	struct addr guest;

	if (take(n, gone, &guest))
		announce(&guest, &n->mac);
}

static void ask(void)
{
	int rc = netlink_dump_neighs(dump_fd, take_known);

	if (rc)
		debug("Couldn't ask for neighbours: %s", strerror(-rc));
}

void neigh_watch_start(void)
{
	int rc;

	if (!conf.net[FAM4].ifindex && !conf.net[FAM6].ifindex)
		return;
	watch_fd = netlink_open();
	dump_fd = netlink_open();
	rc = MIN(watch_fd, dump_fd);
	if (rc >= 0)
		rc = netlink_watch_neighs(watch_fd);
	if (!rc)
		rc = loop_add(watch_fd, EPOLLIN,
			      (struct ev) { .kind = EV_NEIGH });
	if (!rc) {
		ask();
		return;
	}
	warn("Couldn't watch neighbours of the host: %s", strerror(-rc));
	close_keep_errno(&watch_fd);
	close_keep_errno(&dump_fd);
}

void neigh_watch_handle(struct ev ev, uint32_t events)
{
	int rc = 0;

	(void)ev;
	(void)events;
	for (unsigned i = 0; !rc && i < EVENTS_MAX; i++)
		rc = netlink_next_neighs(watch_fd, take_change);
	if (rc != -ENOBUFS)
		return;
	debug("Changes of neighbours were lost, asking for all");
	neigh_forget();
	ask();
}
