/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/dispatch wire/frame wire/csum addr buf conf log timer util */
/* dispatch.c - who gets what, in which portions; the handlers are stand-ins */
#include "services/services.h"

#include "conf.h"
#include "fwd.h"
#include "icmp.h"
#include "log.h"
#include "tcp.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "udp.h"
#include "util.h"

/* --- stand-ins --- */

static struct call {
	char who;		/* first letter of the handler, f: a fragment */
	unsigned n;
	uint16_t sport;		/* of the first */
} calls[64];
static unsigned call_cnt, seen_cnt, solicited;
static struct addr seen_last;

static void note(char who, const struct packet *p, unsigned n)
{
	calls[call_cnt++] = (struct call) { who, n, p->sport };
}

void tcp_from_guest(const struct packet *p, unsigned n)
{
	note('t', p, n);
}

void arp_from_guest(const struct packet *p, unsigned n)
{
	note('a', p, n);
}

void ndp_from_guest(const struct packet *p, unsigned n)
{
	note('n', p, n);
}

void dhcp_from_guest(const struct packet *p, unsigned n)
{
	note('d', p, n);
}

void dhcpv6_from_guest(const struct packet *p, unsigned n)
{
	note('D', p, n);
}

void udp_from_guest(const struct packet *p, unsigned n)
{
	note('u', p, n);
}

void ping_from_guest(const struct packet *p, unsigned n)
{
	note('p', p, n);
}

/* Each fragment that is the last one completes the packet before it. */
static struct packet *completes;

bool reassembly_add(const struct packet *p, struct packet *whole)
{
	note('f', p, 1);
	if (p->more_fragments)
		return false;
	*whole = *completes;
	return true;
}

void fwd_guest_seen(const struct addr *src)
{
	seen_cnt++;
	seen_last = *src;
}

void arp_solicit(void)
{
	solicited |= 1;
}

void ndp_solicit(void)
{
	solicited |= 2;
}

void ndp_advertise_start(void)
{
	solicited |= 4;
}

/* --- a batch --- */

static struct raw raws[32];
static struct iovec iov[32];
static struct packet batch[32];
static unsigned batch_len;

static void start(void)
{
	conf_writable = (struct conf) {
		.net = { { .enabled = true }, { .enabled = true } },
	};
	call_cnt = batch_len = seen_cnt = 0;
}

static struct raw *next_raw(void)
{
	return &raws[batch_len];
}

static void add(void)
{
	unsigned i = batch_len++;

	iov[i] = (struct iovec) { raws[i].b, raws[i].len };
	OK(frame_parse(&batch[i], &iov[i], 1, NULL));
}

static void add_tcp(enum fam fam, uint16_t sport)
{
	raw_tcp(next_raw(), fam, sport, 80, "", 0);
	add();
}

static void add_udp(enum fam fam, uint16_t dport)
{
	raw_udp(next_raw(), fam, 1, dport, "x", 1);
	add();
}

static void add_icmp(enum fam fam, uint8_t type)
{
	raw_icmp(next_raw(), fam, raw_src(fam), raw_dst(fam), type, "1234", 4);
	add();
}

static void run(void)
{
	dispatch(batch, batch_len);
}

/* One packet, dropped for this reason. */
static bool dropped(enum drop_reason why)
{
	uint64_t before = drop_count(why);

	run();
	batch_len = 0;
	return !call_cnt && drop_count(why) == before + 1;
}

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)

TEST(neighbours_of_one_connection_go_together_and_nobody_overtakes)
{
	EACH_FAM(fam) {
		static const struct call want[] = {
			{ 't', 3, 1 }, { 't', 1, 2 }, { 't', 2, 1 },
		};

		start();
		add_tcp(fam, 1);
		add_tcp(fam, 1);
		add_tcp(fam, 1);
		add_tcp(fam, 2);
		add_tcp(fam, 1);
		add_tcp(fam, 1);
		run();
		EQ(call_cnt, 3);
		for (unsigned i = 0; i < 3; i++) {
			EQ(calls[i].n, want[i].n);
			EQ(calls[i].sport, want[i].sport);
		}
		EQ(seen_cnt, 3);
	}
}

TEST(datagrams_share_a_call_only_with_those_of_the_same_marks)
{
	EACH_FAM(fam) {
		start();
		for (unsigned i = 0; i < 6; i++) {
			add_udp(fam, 9);
			batch[i].ttl = i < 2 ? 1 : 2;
			batch[i].tos = i < 5 ? 0 : 1;
		}
		run();
		EQ(call_cnt, 3);
		EQ(calls[0].n, 2);
		EQ(calls[1].n, 3);
		EQ(calls[2].n, 1);
	}
}

TEST(families_are_never_mixed)
{
	start();
	add_tcp(FAM4, 1);
	add_tcp(FAM6, 1);
	run();
	EQ(call_cnt, 2);
}

TEST(arp_and_neighbour_discovery_have_their_handlers)
{
	start();
	raw_eth(next_raw(), ETH_P_ARP_);
	raw_zero(next_raw(), 28);
	add();
	for (uint8_t type = 133; type <= 137; type++)
		add_icmp(FAM6, type);
	run();
	EQ(call_cnt, 2);
	EQ(calls[0].who, 'a');
	EQ(calls[0].n, 1);
	EQ(calls[1].who, 'n');
	EQ(calls[1].n, 5);
	EQ(seen_cnt, 1);		/* ARP tells no address here */
}

TEST(configuration_is_served_without_udp_and_is_no_udp_when_switched_off)
{
	EACH_FAM(fam) {
		uint16_t port = fam == FAM4 ? 67 : 547;

		start();
		conf_writable.no_udp = true;
		add_udp(fam, port);
		run();
		EQ(call_cnt, 1);
		EQ(calls[0].who, fam == FAM4 ? 'd' : 'D');
		start();
		conf_writable.no_dhcp = conf_writable.no_dhcpv6 = true;
		add_udp(fam, port);
		OK(dropped(DROP_SERVICE));
	}
}

TEST(neighbour_discovery_and_echo_do_not_share_a_call)
{
	start();
	add_icmp(FAM6, 135);
	add_icmp(FAM6, 128);
	add_icmp(FAM6, 135);
	run();
	EQ(call_cnt, 3);
	EQ(calls[0].who, 'n');
	EQ(calls[1].who, 'p');
	EQ(calls[2].who, 'n');
	for (unsigned i = 0; i < 3; i++)
		EQ(calls[i].n, 1);
}

TEST(what_is_switched_off_is_dropped_and_says_so)
{
	EACH_FAM(fam) {
		start();
		conf_writable.no_tcp = true;
		add_tcp(fam, 1);
		OK(dropped(DROP_TCP_OFF));
		conf_writable.no_udp = true;
		add_udp(fam, 9);
		OK(dropped(DROP_UDP_OFF));
		conf_writable.no_icmp = true;
		add_icmp(fam, fam == FAM4 ? 8 : 128);
		OK(dropped(DROP_ICMP));
	}
	start();
	conf_writable.no_ndp = true;
	add_icmp(FAM6, 135);
	OK(dropped(DROP_NDP));
}

TEST(a_family_that_is_off_is_dropped_whatever_it_is)
{
	start();
	conf_writable.net[FAM4].enabled = false;
	add_tcp(FAM4, 1);
	OK(dropped(DROP_FAMILY_OFF));
	raw_eth(next_raw(), ETH_P_ARP_);
	raw_zero(next_raw(), 28);
	add();
	OK(dropped(DROP_FAMILY_OFF));
	add_tcp(FAM6, 1);
	run();
	EQ(call_cnt, 1);
	start();
	conf_writable.net[FAM6].enabled = false;
	add_icmp(FAM6, 135);
	OK(dropped(DROP_FAMILY_OFF));
	EQ(seen_cnt, 0);
}

TEST(what_nobody_answers_is_dropped_for_its_reason)
{
	EACH_FAM(fam) {
		start();
		raw_ip(next_raw(), fam, raw_src(fam), raw_dst(fam), 132, 0);
		add();
		OK(dropped(DROP_IP_PROTOCOL));
		add_icmp(fam, 3);
		OK(dropped(DROP_ICMP));
		/* ICMP of the other family */
		raw_ip(next_raw(), fam, raw_src(fam), raw_dst(fam),
		       fam == FAM4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8);
		raw_zero(next_raw(), 8);
		add();
		OK(dropped(DROP_IP_PROTOCOL));
	}
}

static void add_fragment(uint16_t off_flags)
{
	raw_udp(next_raw(), FAM4, 1, 2, "12345678", 8);
	put_be16(next_raw()->b + 20, off_flags);
	add();
}

TEST(fragments_go_to_be_put_together_and_teach_nothing)
{
	start();
	add_tcp(FAM4, 1);
	add_fragment(0x2000);
	add_fragment(0x2002);
	add_tcp(FAM4, 1);
	run();
	EQ(call_cnt, 4);
	EQ(calls[1].who, 'f');
	EQ(calls[2].who, 'f');
	EQ(calls[3].who, 't');
	EQ(seen_cnt, 2);
}

TEST(what_fragments_make_up_is_dispatched_as_other_packets_are)
{
	start();
	add_tcp(FAM4, 7);
	completes = &batch[0];
	add_fragment(2);
	add_tcp(FAM4, 8);
	run();
	EQ(call_cnt, 4);
	EQ(calls[1].who, 'f');
	EQ(calls[2].who, 't');
	EQ(calls[2].sport, 7);
	EQ(calls[3].sport, 8);
	EQ(seen_cnt, 3);
}

TEST(sources_are_learned_unless_they_are_nobodys)
{
	struct addr src;

	EACH_FAM(fam) {
		start();
		add_tcp(fam, 1);
		run();
		src = raw_addr(raw_src(fam));
		EQ(seen_cnt, 1);
		OK(addr_eq(&seen_last, &src));
	}
	start();
	raw_icmp(next_raw(), FAM6, "::", "ff02::1:ff00:1", 135, "1234", 4);
	add();
	raw_icmp(next_raw(), FAM4, "0.0.0.0", raw_dst(FAM4), 8, "1234", 4);
	add();
	run();
	EQ(seen_cnt, 0);
}

TEST(a_guest_is_spoken_to_first_where_it_can_listen)
{
	start();
	solicited = 0;
	conf_writable.mode = MODE_PASTA;
	services_guest_up();
	EQ(solicited, 4);
	conf_writable.config_net = true;
	services_guest_up();
	EQ(solicited, 7);
	solicited = 0;
	conf_writable.mode = MODE_PASST;
	conf_writable.config_net = false;
	services_guest_up();
	EQ(solicited, 7);
}
