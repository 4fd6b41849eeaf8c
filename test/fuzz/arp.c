/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/arp link/link link/pcap wire/frame wire/frame_str wire/csum
 *	  addr buf conf epoll_ctl log timer util */
/* arp.c - any bytes behind an Ethernet header
 *
 * There is at most one answer: from the address that was asked for, to whoever
 * asked, and never about one of the guest's own.
 */
#include <string.h>

#include "conf.h"
#include "log.h"
#include "services/services.h"
#include "test/fuzz/fuzz.h"
#include "test/unit/memlink.h"
#include "test/unit/neighbour.h"

#define ARP	14

static void configure(void)
{
	struct conf *c = &conf_writable;
	static const uint8_t guest[] = { 10, 0, 0, 2 }, ours[] = { 10, 0, 0, 1 };

	c->our_mac = MAC_OURS_DEFAULT;
	c->net[FAM4].enabled = true;
	c->net[FAM4].guest = addr_get(FAM4, guest);
	c->net[FAM4].our_tap = c->net[FAM4].gw = addr_get(FAM4, ours);
}

static void check_reply(const uint8_t *ask)
{
	const uint8_t *b = mem.sent[0].b, guest[] = { 10, 0, 0, 2 };

	check(mem.cnt == 1 && mem.sent[0].len >= ARP + 28);
	check(get_be16(b + ARP + 6) == 2);
	check(!memcmp(b + ARP + 14, ask + 24, 4));
	check(!memcmp(b + ARP + 18, ask + 8, 10));
	check(memcmp(ask + 24, guest, 4) && memcmp(ask + 24, ask + 14, 4));
}

FUZZ(data, size)
{
	const struct log_config quiet = { .ident = "fuzz" };
	struct packet p = { .ethertype = ETH_P_ARP_ };
	uint8_t *copy = malloc(size + !size);

	memcpy(copy, data, size);
	log_start(&quiet, "");
	mem_start(NULL, NULL);
	configure();
	p.l4 = rd_init(copy, size);
	arp_from_guest(&p, 1);
	if (mem.cnt)
		check_reply(copy);
	free(copy);
}
