/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/dhcp services/name link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* dhcp.c - any message of a client; the first byte says how we are configured
 *
 * There is at most one answer. It is no larger than any client takes or this one
 * says, it is made of whole options, has what makes it one, and repeats none
 * except where a long value goes on.
 */
#include <string.h>

#include "conf.h"
#include "fwd.h"
#include "log.h"
#include "services/services.h"
#include "test/fuzz/fuzz.h"
#include "test/unit/memlink.h"

#define MSG	42
#define OPTS	(MSG + 240)

void fwd_guest_seen(const struct addr *src)
{
	(void)src;
}

static void configure(uint8_t how)
{
	struct conf *c = &conf_writable;
	struct conf_net *net = &c->net[FAM4];

	*c = (struct conf) { .our_mac = MAC_OURS_DEFAULT };
	net->enabled = true;
	net->guest = addr4(how & 1 ? 0xc000020a : 0xc633640a);
	net->gw = net->our_tap = addr4(0xc0000201);
	net->prefix_len = 24;
	c->mtu = how & 2 ? 1500 : how & 4 ? 68 : 0;
	c->advertise_dns = c->advertise_search = how & 8;
	net->dns[0] = net->gw;
	net->dns_cnt = how & 16 ? 1 : 0;
	c->search_cnt = how & 32 ? 3 : 0;
	strcpy(c->search[0], "a.lab.example");
	strcpy(c->search[1], "b.lab.example.");
	strcpy(c->search[2], "c.b.lab.example");
	if (how & 64)
		memset(c->hostname, 'h', 60);
	for (int i = 0; how & 128 && i < 251; i++)
		c->fqdn[i] = i % 50 == 49 ? '.' : 'f';
}

static void check_options(const uint8_t *p, const uint8_t *end)
{
	bool seen[256] = { false };
	uint8_t last = 0;

	while (p < end && *p != 255) {
		check(end - p >= 2 && end - p >= 2 + p[1]);
		check(!seen[*p] || *p == last);
		seen[*p] = true;
		last = *p;
		p += 2 + p[1];
	}
	check(p < end && seen[53] && seen[54]);
	while (++p < end)
		check(!*p);
}

static void check_reply(void)
{
	const uint8_t *b = mem.sent[0].b;
	size_t len = mem.sent[0].len;

	check(mem.cnt == 1 && len >= MSG + 300 && len <= 14 + 1500);
	check(get_be16(b + 16) == len - 14 && get_be16(b + 38) == len - 34);
	check(b[MSG] == 2 && b[MSG + 2] <= 16);
	check_options(b + OPTS, b + len);
}

FUZZ(data, size)
{
	const struct log_config quiet = { .ident = "fuzz" };
	static uint8_t udp[8];
	struct iovec iov;
	struct packet p = { .l4 = rd_init(udp, 8) };

	if (!size || size > 2000)
		return;
	log_start(&quiet, "");
	mem_start(NULL, NULL);
	configure(data[0]);
	iov = (struct iovec) { malloc(size - 1), size - 1 };
	memcpy(iov.iov_base, data + 1, size - 1);
	p.payload = (struct view) { &iov, 0, size - 1 };
	dhcp_from_guest(&p, 1);
	if (mem.cnt)
		check_reply();
	free(iov.iov_base);
}
