/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/ndp services/name link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* ndp.c - any message of neighbour discovery; the first byte chooses its source
 *
 * There is at most one answer, of the kind that belongs to the question, with
 * whole options that fill it to the end.
 */
#include <string.h>

#include "conf.h"
#include "log.h"
#include "services/services.h"
#include "test/fuzz/fuzz.h"
#include "test/unit/memlink.h"
#include "test/unit/neighbour.h"

#define ICMP	54

static void configure(void)
{
	struct conf *c = &conf_writable;
	struct conf_net *net = &c->net[FAM6];

	c->our_mac = MAC_OURS_DEFAULT;
	c->our_ll = (struct addr) { .b = { 0xfe, 0x80, [15] = 1 } };
	c->mtu = 65520;
	c->advertise_dns = c->advertise_search = true;
	net->enabled = true;
	net->guest = (struct addr) { .b = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	net->prefix_len = 64;
	net->dns_cnt = 1;
	c->search_cnt = 1;
	strcpy(c->search[0], "lab.example");
}

static void check_reply(uint8_t asked)
{
	const uint8_t *b = mem.sent[0].b, *end = b + mem.sent[0].len, *p;

	check(mem.cnt == 1);
	check(b[ICMP] == (asked == 133 ? 134 : 136));
	p = b + ICMP + (asked == 133 ? 16 : 24);
	for (; p < end; p += p[1] * 8)
		check(end - p >= 8 && p[1]);
	check(p == end);
}

FUZZ(data, size)
{
	const struct log_config quiet = { .ident = "fuzz" };
	struct iovec iov;
	uint8_t *copy;
	struct packet p = {
		.src = { .b = { 0xfe, 0x80, [15] = 2 } },
		.dst = { .b = { 0xff, 0x02, [15] = 1 } },
		.ttl = 255,
	};

	if (size < 9 || size > 2000)
		return;
	log_start(&quiet, "");
	mem_start(NULL, NULL);
	configure();
	if (data[0] & 1)
		p.src = (struct addr) { 0 };
	if (data[0] & 2)
		p.ttl = 64;
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	p.l4 = rd_init(copy, 8);
	iov = (struct iovec) { copy + 8, size - 9 };
	p.payload = (struct view) { &iov, 0, size - 9 };
	ndp_from_guest(&p, 1);
	if (mem.cnt)
		check_reply(copy[0]);
	free(copy);
}
