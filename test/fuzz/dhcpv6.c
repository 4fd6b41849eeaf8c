/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/dhcpv6 services/name link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* dhcpv6.c - any message of a client; the first byte says how we are configured
 *
 * Where the input has the bytes "SERVERDUID----", they become our DUID, which
 * could not be guessed. There is at most one answer, which fits any link, is
 * made of whole options, none twice, and has what makes it one.
 */
#include <string.h>

#include "conf.h"
#include "fwd.h"
#include "log.h"
#include "services/services.h"
#include "test/fuzz/fuzz.h"
#include "test/unit/memlink.h"

#define MSG	62
#define DUID	14

void fwd_guest_seen(const struct addr *src)
{
	(void)src;
}

static struct addr client = { .b = { 0xfe, 0x80, [15] = 2 } };
static struct addr servers = { .b = { 0xff, 0x02, [13] = 1, [15] = 2 } };

static void configure(uint8_t how)
{
	struct conf *c = &conf_writable;
	struct conf_net *net = &c->net[FAM6];

	*c = (struct conf) { .our_mac = MAC_OURS_DEFAULT };
	net->enabled = true;
	net->guest = (struct addr) { .b = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	c->our_ll = (struct addr) { .b = { 0xfe, 0x80, [15] = 1 } };
	c->advertise_dns = c->advertise_search = how & 1;
	net->dns_cnt = how >> 1 & 3;
	c->search_cnt = (how >> 3 & 7) % (CONF_SEARCH_MAX + 1);
	for (unsigned i = 0; i < CONF_SEARCH_MAX; i++)
		for (int at = 0; at < CONF_NAME_MAX; at++)
			c->search[i][at] = at % 60 == 59 ? '.' : 's';
	for (int i = 0; how & 64 && i < CONF_NAME_MAX; i++)
		c->fqdn[i] = i % 50 == 49 ? '.' : 'f';
}

static void check_reply(void)
{
	const uint8_t *b = mem.sent[0].b, *p = b + MSG + 4;
	const uint8_t *end = b + mem.sent[0].len;
	bool seen[40] = { false };

	check(mem.cnt == 1 && mem.sent[0].len <= 14 + 1280);
	check(b[MSG] == 2 || b[MSG] == 7);
	for (; p < end; p += 4 + get_be16(p + 2)) {
		check(end - p >= 4 && end - p >= 4 + get_be16(p + 2));
		check(get_be16(p) < 40 && !seen[get_be16(p)]);
		seen[get_be16(p)] = true;
	}
	check(p == end && seen[2]);
}

/* Our DUID, from an answer to somebody else. */
static void learn_duid(uint8_t duid[DUID])
{
	static uint8_t ask[] = { 11, 0, 0, 0 }, udp[8];
	struct iovec iov = { ask, sizeof(ask) };
	const struct packet p = {
		.src = client, .dst = servers, .l4 = rd_init(udp, 8),
		.payload = { &iov, 0, sizeof(ask) },
	};

	dhcpv6_init();
	mem_start(NULL, NULL);
	dhcpv6_from_guest(&p, 1);
	check(mem.cnt == 1);
	memcpy(duid, mem.sent[0].b + MSG + 8, DUID);
}

FUZZ(data, size)
{
	const struct log_config quiet = { .ident = "fuzz" };
	uint8_t duid[DUID], *here;
	static uint8_t udp[8];
	struct iovec iov;
	struct packet p = {
		.src = client, .dst = servers, .l4 = rd_init(udp, 8),
	};

	if (!size || size > 2000)
		return;
	log_start(&quiet, "");
	configure(data[0]);
	learn_duid(duid);
	mem_start(NULL, NULL);
	iov = (struct iovec) { malloc(size - 1), size - 1 };
	memcpy(iov.iov_base, data + 1, size - 1);
	here = memmem(iov.iov_base, size - 1, "SERVERDUID----", DUID);
	if (here)
		memcpy(here, duid, DUID);
	p.payload = (struct view) { &iov, 0, size - 1 };
	dhcpv6_from_guest(&p, 1);
	if (mem.cnt)
		check_reply();
	free(iov.iov_base);
}
