/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fragment.c - datagrams larger than what the guest's interface takes
 *
 * The host's kernel hands us whole datagrams, of up to 64 KiB, however they
 * arrived. A real interface of the guest could not receive what exceeds its
 * MTU, so a datagram which does goes there as it would on any wire: in
 * fragments. The MTU is the one we announce; where we announce none it is
 * Ethernet's. No frame may exceed what links carry, whatever the MTU.
 *
 * Owns the counter of identifications: two ends of one wire, so the secrecy of
 * RFC 7739 would protect nobody. Never looks at what it cuts.
 *
 * RFC 791 3.2; RFC 8200 4.5.
 */
#include "fragment.h"

#include "conf.h"
#include "link/link.h"
#include "log.h"
#include "util.h"

#define MTU_ETHERNET	1500
#define FRAGMENT_UNIT	8

static size_t guest_mtu(void)
{
	size_t mtu = conf.mtu ? conf.mtu : MTU_ETHERNET;

	return MIN(mtu, ETH_FRAME_MAX - ETH_HLEN_);
}

bool fragment_needed(const struct frame_tmpl *t, size_t l4_len)
{
	return (size_t)t->l4_off - ETH_HLEN_ + l4_len > guest_mtu();
}

void fragment_to_guest(const struct frame_tmpl *t, const uint8_t *l4,
		       size_t l4_len)
{
	static uint32_t next_id;
	size_t hdr_len = frame_fragment_hdr_len(t), most, n;
	struct frame_fragment frag = { .id = next_id++ };

	most = guest_mtu() - (hdr_len - ETH_HLEN_);
	most -= most % FRAGMENT_UNIT;
	for (size_t off = 0; off < l4_len; off += n) {
		struct frame f;

		n = MIN(most, l4_len - off);
		if (!link_reserve(&f, 1, hdr_len, n)) {
			drop(DROP_LINK_FULL);
			return;
		}
		frame_put_payload(&f, l4 + off, n);
		frag.off = (uint16_t)off;
		frag.more = off + n < l4_len;
		frame_put_fragment(&f, t, &frag);
		link_commit(&f, 1);
	}
}
