/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: wire/frame wire/csum addr buf log timer util */
/* frame.c - frame_parse() on anything, in one piece and in several
 *
 * The first four bytes of the input choose where the frame is cut and which
 * offload it claims. What is accepted must keep its promises: every cursor and
 * view inside the frame, and the same packet however it is cut.
 */
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void read_all(const struct packet *p, size_t frame_len)
{
	static uint8_t copy[1 << 17];
	static volatile uint8_t sum;	/* so that the reads are made */

	check(p->payload.len <= frame_len && frame_len <= sizeof(copy));
	check(view_copy(&p->payload, 0, copy, p->payload.len));
	for (size_t i = 0; i < p->l3.len; i++)
		sum = sum ^ p->l3.p[i];
	for (size_t i = 0; i < p->l4.len; i++)
		sum = sum ^ p->l4.p[i];
}

static void check_promises(const struct packet *p)
{
	struct tcp_seg seg;

	if (p->ethertype == ETH_P_ARP_)
		return;
	check(p->ethertype == ETH_P_IP_ || p->ethertype == ETH_P_IPV6_);
	check(addr_fam(&p->src) == addr_fam(&p->dst));
	check((addr_fam(&p->src) == FAM4) == (p->ethertype == ETH_P_IP_));
	check(!addr_is_loopback(&p->src) && !addr_is_loopback(&p->dst));
	check(p->fragment == (p->more_fragments || p->frag_off));
	check(!p->fragment || (!p->proto && !p->l4.len && !p->dport));
	check(p->gso == GSO_NONE || p->gso_size);
	if (p->proto == IPPROTO_UDP || p->proto == IPPROTO_ICMP)
		check(p->l4.len == 8);
	if (p->proto != IPPROTO_TCP)
		return;
	check(p->l4.len >= 20 && p->l4.len <= 60);
	frame_tcp_seg(p, &seg);
	check(seg.wscale >= -1 && seg.wscale <= 14);
	check(seg.len == p->payload.len);
}

static void check_same(const struct packet *a, const struct packet *b)
{
	check(addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst));
	check(a->proto == b->proto && a->dport == b->dport);
	check(a->l3.len == b->l3.len && a->l4.len == b->l4.len);
	check(a->payload.len == b->payload.len);
	check(a->fragment == b->fragment && a->frag_off == b->frag_off);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iovec whole, cut[3];
	struct frame_meta meta;
	struct packet p, q;
	size_t len, first, second;
	bool ok;

	if (size < 4)
		return 0;
	meta = (struct frame_meta) {
		.gso = data[0] % 4,
		.gso_size = (uint16_t)(data[1] << 4),
	};
	len = size - 4;
	first = MIN((size_t)data[2], len);
	second = MIN((size_t)data[3], len - first);
	data += 4;
	whole = (struct iovec) { (void *)data, len };
	cut[0] = (struct iovec) { (void *)data, first };
	cut[1] = (struct iovec) { (void *)(data + first), second };
	cut[2] = (struct iovec) { (void *)(data + first + second),
				  len - first - second };

	ok = frame_parse(&p, &whole, 1, &meta);
	check(ok == frame_parse(&q, cut, 3, &meta));
	if (!ok)
		return 0;
	read_all(&p, len);
	read_all(&q, len);
	check_promises(&p);
	check_same(&p, &q);
	return 0;
}
