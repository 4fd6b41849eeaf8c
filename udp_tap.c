/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_tap.c - datagrams to the guest, as frames
 *
 * Where the link cuts super-frames (USO), a run of datagrams of one size is one
 * of them, whether they came as a train or one by one: a frame costs the same
 * whatever it holds. Elsewhere each datagram is a frame, and one that is longer
 * than the guest's MTU several fragments; a tap needs them for next to none.
 *
 *	1400 1400 1400 200 | 9000 | 64		one super-frame, two frames
 *
 * Keeps nothing. Without room on the link, datagrams are lost as on a wire.
 */
#include "udp_flow.h"

#include <string.h>

#include "conf.h"
#include "fragment.h"
#include "link/link.h"
#include "log.h"
#include "neigh.h"
#include "util.h"
#include "wire/csum.h"

#define UDP_HLEN	8u

static const struct mac mac_group4 = { { 0x01, 0x00, 0x5e } };
static const struct mac mac_group6 = { { 0x33, 0x33 } };

/* RFC 1112 6.4, RFC 2464 7: groups have hardware addresses of their own. */
static struct mac mac_of(const struct addr *dst)
{
	struct mac m;

	if (addr_is_broadcast(dst))
		return MAC_BROADCAST;
	if (!addr_is_multicast(dst))
		return link_guest_mac();
	if (addr_fam(dst) == FAM4) {
		m = mac_group4;
		memcpy(m.b + 3, dst->b + 13, 3);
		m.b[3] &= 0x7f;
	} else {
		m = mac_group6;
		memcpy(m.b + 2, dst->b + 12, 4);
	}
	return m;
}

void udp_tap_tmpl(struct frame_tmpl *t, const struct side *tap)
{
	struct mac dst = mac_of(&tap->theirs), src = neigh_mac(&tap->ours);

	frame_tmpl_init(t, IPPROTO_UDP, &tap->ours, tap->our_port,
			&tap->theirs, tap->their_port, &src, &dst, 0);
}

static bool is_to_group(const struct frame_tmpl *t)
{
	return t->hdr[0] & 1 && memcmp(t->hdr, MAC_BROADCAST.b, 6) != 0;
}

/* A tap takes what a frame can hold, whatever the MTU. */
static bool too_long(const struct frame_tmpl *t, size_t len)
{
	if (conf.mode == MODE_PASTA)
		return t->hdr_len + len > ETH_FRAME_MAX;
	return fragment_needed(t, UDP_HLEN + len);
}

/* --- frames --- */

static void copy_in(struct frame *f, const struct iovec *from, unsigned n)
{
	unsigned piece = 0;
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *p = from[i].iov_base;
		size_t len = from[i].iov_len;

		f->pay_len += len;
		while (len) {
			size_t part = MIN(len, f->pay[piece].iov_len - at);

			memcpy((uint8_t *)f->pay[piece].iov_base + at, p, part);
			p += part;
			at += part;
			len -= part;
			if (at == f->pay[piece].iov_len) {
				piece++;
				at = 0;
			}
		}
	}
}

static void lost(unsigned datagrams)
{
	while (datagrams--)
		drop(DROP_LINK_FULL);
}

/* @n pieces, @len bytes in all, @segs datagrams of @unit bytes. */
static void put_frame(const struct frame_tmpl *t, uint8_t tos,
		      const struct iovec *from, unsigned n, size_t len,
		      size_t unit, unsigned segs)
{
	struct frame f;

	if (!link_reserve(&f, 1, t->hdr_len, len)) {
		lost(segs);
		return;
	}
	if (iov_len(f.pay, f.pay_cnt) < len) {
		link_commit(&f, 0);
		lost(segs);
		return;
	}
	copy_in(&f, from, n);
	frame_put_udp(&f, t, 0, tos, segs > 1 ? (uint16_t)unit : 0);
	link_commit(&f, 1);
}

/* The header goes in front of the data, see struct udp_got. */
static void put_fragments(const struct frame_tmpl *t, const struct iovec *data)
{
	uint8_t *l4 = (uint8_t *)data->iov_base - UDP_HLEN;
	size_t len = UDP_HLEN + data->iov_len;
	uint16_t csum;

	memcpy(l4, t->hdr + t->l4_off, UDP_HLEN);
	put_be16(l4 + 4, (uint16_t)len);
	put_be16(l4 + 6, 0);
	csum = csum_fold(csum_add(t->pseudo + (uint32_t)len, l4, len));
	put_be16(l4 + 6, csum ? csum : 0xffff);
	fragment_to_guest(t, l4, len);
}

static void put_one(const struct frame_tmpl *t, uint8_t tos,
		    const struct iovec *data)
{
	if (too_long(t, data->iov_len))
		put_fragments(t, data);
	else
		put_frame(t, tos, data, 1, data->iov_len, 0, 1);
}

/* --- runs --- */

static unsigned segs_of(const struct udp_got *g, size_t unit)
{
	return unit ? (unsigned)((g->data.iov_len + unit - 1) / unit) : 1;
}

static size_t unit_of(const struct udp_got *g)
{
	return g->unit ? g->unit : g->data.iov_len;
}

/* How many from the first on are one run of datagrams of a size. */
static unsigned run_len(const struct udp_got *g, unsigned n, size_t *len,
			unsigned *segs, size_t most)
{
	size_t unit = unit_of(g);
	unsigned i = 1;

	*len = g->data.iov_len;
	*segs = segs_of(g, unit);
	if (!unit)
		return 1;
	/* A short datagram ends a run. */
	while (i < n && *len == unit * *segs) {
		size_t more = g[i].data.iov_len, u = unit_of(&g[i]);
		unsigned s = segs_of(&g[i], u);

		if (!more || (u != unit && (s > 1 || u > unit)) ||
		    *segs + s > UDP_SEGS_MAX || *len + more > most)
			break;
		*len += more;
		*segs += s;
		i++;
	}
	return i;
}

static void put_run(const struct frame_tmpl *t, const struct udp_got *g,
		    unsigned n, size_t len, unsigned segs)
{
	struct iovec data[UDP_BATCH];

	for (unsigned i = 0; i < n; i++)
		data[i] = g[i].data;
	put_frame(t, g->tos, data, n, len, unit_of(g), segs);
}

static void put_each(const struct frame_tmpl *t, const struct udp_got *g)
{
	size_t unit = unit_of(g), left = g->data.iov_len;
	struct iovec part = { g->data.iov_base, 0 };

	do {
		part.iov_len = MIN(unit, left);
		put_one(t, g->tos, &part);
		part.iov_base = (uint8_t *)part.iov_base + part.iov_len;
		left -= part.iov_len;
	} while (left);
}

void udp_tap_send(struct frame_tmpl *t, const struct udp_got *g, unsigned n)
{
	size_t most = ETH_FRAME_MAX - t->hdr_len;
	bool uso = link_caps()->uso;
	unsigned segs, used;
	struct mac mac = link_guest_mac();
	size_t len;

	if (!is_to_group(t))
		frame_tmpl_dmac(t, &mac);
	for (; n; g += used, n -= used) {
		used = uso ? run_len(g, n, &len, &segs, most) : 1;
		if (uso && segs > 1 && len <= most &&
		    !too_long(t, unit_of(g))) {
			put_run(t, g, used, len, segs);
		} else {
			put_each(t, g);
			used = 1;
		}
	}
}
