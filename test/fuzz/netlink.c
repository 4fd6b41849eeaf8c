/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.c - any bytes as a datagram of the kernel
 *
 * Every message is read as a route, as an address, as a neighbour, and copied. What a copy
 * contains has to be readable again, with all hops by the new interface.
 */
/* links: setup/netlink_msg addr buf util */
#include "setup/netlink.h"

#include <assert.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

FUZZ(data, size)
{
	struct rd d = rd_init(data, size);
	struct nl_msg m;

	while (nl_next(&d, &m)) {
		uint8_t out[4096];
		struct wr w = wr_init(out, sizeof(out));
		struct nl_route r;
		struct nl_addr a;
		struct nl_neigh n;

		if (nl_read_addr(m.body, &a))
			assert(a.prefix_len <= addr_bits(a.fam));
		if (nl_read_neigh(m.body, &n) && n.usable)
			assert(addr_is_unicast(&n.addr) && !(n.mac.b[0] & 1));
		if (!nl_read_route(m.body, 5, &r))
			continue;
		assert(r.dst_len <= addr_bits(r.fam));
		assert(!r.hop.ifindex || r.hop.ifindex == 5);
		if (!nl_copy_route(m.body, 5, 7, &w))
			continue;

		struct rd copy = rd_init(out, (size_t)(w.p - out));
		struct nl_msg again;

		assert(nl_next(&copy, &again) && !copy.len);
		assert(nl_read_route(again.body, 0, &r));
		assert(!r.hop.ifindex || r.hop.ifindex == 7);
	}
}
