/* SPDX-License-Identifier: GPL-2.0-or-later */
/* derive.c - made-up hosts, command lines, and what has to come of them
 *
 * The host of most tests is on a network of documentation addresses, with
 * both families and no resolver; each test changes what it is about.
 */
/* links: setup/derive setup/cmdline setup/cmdline_value fwd_spec addr buf
 *	  util */
#include "setup/setup.h"

#include <string.h>

#include "fwd.h"
#include "test/unit/test.h"
#include "util.h"

static struct addr A(const char *text)
{
	struct addr a;

	if (!addr_parse(&a, text))
		printf("  test error: %s\n", text);
	return a;
}

static bool is(const struct addr *a, const char *text)
{
	char buf[ADDR_STRLEN];

	if (!strcmp(addr_str(a, buf), text))
		return true;
	printf("  %s, not %s\n", buf, text);
	return false;
}

#define ADDR(a, text)	OK(is(&(a), text))
#define UNSET(a)	OK(addr_is_unspec(&(a)))

static const struct host offline = {
	.net = { { .supported = true }, { .supported = true } },
	.ephemeral_first = 32768, .ephemeral_last = 60999,
	.syn_retries = 6, .syn_linear_timeouts = 4, .rto_max_ms = 120000,
	.udp_timeout_s = 30, .udp_timeout_stream_s = 120,
	.can_bind_device = true, .has_peek_off = { true, true },
};

static struct host online(void)
{
	struct host h = offline;
	struct host_net *n4 = &h.net[FAM4], *n6 = &h.net[FAM6];

	n4->ifindex = n6->ifindex = 2;
	strcpy(n4->ifname, "eth0");
	strcpy(n6->ifname, "eth0");
	n4->addr = A("192.0.2.10");
	n4->prefix_len = 26;
	n4->gw = A("192.0.2.1");
	n6->addr = A("2001:db8::10");
	n6->prefix_len = 64;
	n6->gw = A("fe80::ff");
	h.ll = A("fe80::10");
	return h;
}

static void nameservers(struct host *h, const char *list)
{
	char text[256];

	str_copy(text, sizeof(text), list);
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		h->nameserver[h->nameserver_cnt++] = A(w);
}

static struct conf c;
static struct request req;
static char err[ERR_MAX];

static bool derive(const struct host *h, const char *line)
{
	static char text[1024];
	static char *argv[64];
	int argc = 0;

	str_copy(text, sizeof(text), line);
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	if (!cmdline_parse(&req, argc, argv, err)) {
		printf("  test error: %s: %s\n", line, err);
		return false;
	}
	return derive_conf(&c, &req, h, err);
}

static void derived(const struct host *h, const char *line)
{
	if (!OK(derive(h, line)))
		printf("  %s: %s\n", line, err);
}

#define N4	c.net[FAM4]
#define N6	c.net[FAM6]

/* --- families --- */

TEST(the_guest_is_given_what_the_host_has)
{
	struct host h = online();

	derived(&h, "pasta");
	EQ(c.mode, MODE_PASTA);
	OK(N4.enabled && N6.enabled);
	EQ(N4.ifindex, 2);
	STREQ(N4.ifname, "eth0");
	ADDR(N4.guest, "192.0.2.10");
	EQ(N4.prefix_len, 26);
	ADDR(N4.gw, "192.0.2.1");
	ADDR(N4.our_tap, "192.0.2.1");
	ADDR(N4.map_loopback, "192.0.2.1");
	ADDR(N6.guest, "2001:db8::10");
	EQ(N6.prefix_len, 64);
	ADDR(N6.gw, "fe80::ff");
	ADDR(N6.our_tap, "fe80::ff");
	ADDR(N6.map_loopback, "fe80::ff");
	ADDR(c.our_ll, "fe80::ff");
	UNSET(N4.map_guest);
	UNSET(N4.outbound);
	OK(!N4.pinned && !N6.pinned);
	STREQ(c.tap_name, "eth0");
	EQ(c.mtu, 65520);
}

TEST(without_a_template_both_families_are_local)
{
	derived(&offline, "pasta --config-net");
	OK(N4.enabled && N6.enabled);
	EQ(N4.ifindex, 0);
	STREQ(N4.ifname, "");
	ADDR(N4.guest, "169.254.2.1");
	EQ(N4.prefix_len, 16);
	ADDR(N4.gw, "169.254.2.2");
	ADDR(N4.our_tap, "169.254.2.2");
	ADDR(N4.map_loopback, "169.254.2.2");
	UNSET(N6.guest);
	ADDR(N6.gw, "fe80::1");
	ADDR(c.our_ll, "fe80::1");
	OK(!N4.copy_addrs && !N4.copy_routes);
	OK(!N6.copy_addrs && !N6.copy_routes);
	STREQ(c.tap_name, "tap0");
	OK(c.no_dhcpv6 && !c.no_dhcp);
}

TEST(one_family_may_be_local_while_the_other_is_not)
{
	struct host h = online();

	h.net[FAM6] = (struct host_net) { .supported = true };
	h.ll = (struct addr) { 0 };
	derived(&h, "pasta");
	ADDR(N4.guest, "192.0.2.10");
	UNSET(N6.guest);
	ADDR(N6.gw, "fe80::1");
	STREQ(c.tap_name, "eth0");

	h = online();
	h.net[FAM4] = (struct host_net) { .supported = true };
	strcpy(h.net[FAM6].ifname, "wlan0");
	derived(&h, "pasta");
	ADDR(N4.guest, "169.254.2.1");
	ADDR(N6.guest, "2001:db8::10");
	STREQ(c.tap_name, "wlan0");
}

TEST(an_interface_without_address_is_no_template)
{
	struct host h = online();

	h.net[FAM4].addr = (struct addr) { 0 };
	derived(&h, "pasta -i eth0");
	EQ(N4.ifindex, 0);
	ADDR(N4.guest, "169.254.2.1");

	derived(&h, "pasta -i eth0 -a 192.0.2.99");
	EQ(N4.ifindex, 2);
	ADDR(N4.gw, "192.0.2.1");

	OK(!derive(&h, "pasta --outbound-if4 eth0"));
	OK(strstr(err, "eth0"));
	derived(&h, "pasta --outbound-if4 eth0 -a 192.0.2.99");

	/* One that is not there yet is not to blame. */
	derived(&h, "pasta --outbound-if4 eth7");
	EQ(N4.ifindex, 0);
	STREQ(N4.outbound_if, "eth7");
}

TEST(a_family_that_is_off_is_nothing_at_all)
{
	struct host h = online();
	struct conf_net none = { 0 };

	derived(&h, "pasta -4");
	OK(N4.enabled && !N6.enabled);
	MEMEQ(&N6, &none, sizeof(none));
	UNSET(c.our_ll);
	OK(c.no_dhcpv6 && c.no_ndp && c.no_ra);

	derived(&h, "pasta -6");
	OK(!N4.enabled && N6.enabled);
	MEMEQ(&N4, &none, sizeof(none));
	OK(c.no_dhcp && !c.no_dhcpv6 && !c.no_ndp);
}

TEST(families_the_host_lacks_are_off_or_an_error_when_asked_for)
{
	struct host h = online();

	h.net[FAM6].supported = false;
	derived(&h, "pasta");
	OK(N4.enabled && !N6.enabled);
	OK(!derive(&h, "pasta -6"));
	OK(strstr(err, "IPv6"));
	h.net[FAM4].supported = false;
	OK(!derive(&h, "pasta"));
}

TEST(an_outbound_interface_of_a_family_that_is_off_is_an_error)
{
	struct host h = online();

	OK(!derive(&h, "pasta -4 --outbound-if6 eth0"));
	OK(!derive(&h, "pasta -6 --outbound-if4 eth0"));
	derived(&h, "pasta -4 --outbound-if4 eth0");
	STREQ(N4.outbound_if, "eth0");
	STREQ(N6.outbound_if, "");
}

/* --- addresses --- */

TEST(prefix_lengths_come_from_the_user_the_class_or_the_host)
{
	static const struct {
		const char *line;
		unsigned len;
	} rows[] = {
		{ "pasta", 26 },
		{ "pasta -n 30", 26 },		/* without an address */
		{ "pasta -a 192.0.2.99", 24 },
		{ "pasta -a 10.1.2.3", 8 },
		{ "pasta -a 172.16.0.1", 16 },
		{ "pasta -a 250.0.0.1", 32 },
		{ "pasta -a 192.0.2.99/29", 29 },
		{ "pasta -a 192.0.2.99/0", 24 },
		{ "pasta -a 192.0.2.99 -n 29", 29 },
		{ "pasta -n 255.255.255.0 -a 10.0.2.100", 24 },
	};
	struct host h = online();

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		derived(&h, rows[i].line);
		if (!EQ(N4.prefix_len, rows[i].len))
			printf("  for %s\n", rows[i].line);
	}
	derived(&h, "pasta -a 2001:db8::99/48");
	EQ(N6.prefix_len, 64);
	h.net[FAM4].prefix_len = 0;
	derived(&h, "pasta");
	EQ(N4.prefix_len, 24);
}

TEST(what_the_user_says_wins_in_local_mode_too)
{
	derived(&offline, "pasta -a 10.0.2.100 -n 24 -g 10.0.2.2");
	ADDR(N4.guest, "10.0.2.100");
	EQ(N4.prefix_len, 24);
	ADDR(N4.gw, "10.0.2.2");
	ADDR(N4.our_tap, "10.0.2.2");
	ADDR(N4.map_loopback, "10.0.2.2");
	OK(N4.pinned);

	derived(&offline, "pasta -n 24");
	ADDR(N4.guest, "169.254.2.1");
	EQ(N4.prefix_len, 24);

	derived(&offline, "pasta -a fc00::3 -g fc00::1");
	ADDR(N6.guest, "fc00::3");
	ADDR(N6.gw, "fc00::1");
	ADDR(c.our_ll, "fe80::1");
	ADDR(N6.our_tap, "fe80::1");
	OK(N6.pinned && !N4.pinned && !c.no_dhcpv6);
}

TEST(our_link_local_is_the_gateway_or_else_the_interfaces)
{
	struct host h = online();

	h.net[FAM6].gw = A("2001:db8::1");
	derived(&h, "pasta");
	ADDR(c.our_ll, "fe80::10");
	ADDR(N6.our_tap, "fe80::10");
	ADDR(N6.gw, "2001:db8::1");

	derived(&h, "pasta -g fe80::99");
	ADDR(c.our_ll, "fe80::99");

	h.ll = (struct addr) { 0 };
	derived(&h, "pasta");
	ADDR(c.our_ll, "fe80::1");
	ADDR(N6.guest, "2001:db8::10");
}

TEST(giving_an_address_or_gateway_ends_copying_for_that_family)
{
	static const struct {
		const char *line;
		bool addrs4, routes4, addrs6, routes6;
	} rows[] = {
		{ "pasta", 0, 0, 0, 0 },
		{ "pasta --config-net", 1, 1, 1, 1 },
		{ "pasta --config-net -a 192.0.2.99", 0, 1, 1, 1 },
		{ "pasta --config-net -a 2001:db8::9", 1, 1, 0, 1 },
		{ "pasta --config-net -g 192.0.2.2", 1, 0, 1, 1 },
		{ "pasta --config-net -g fe80::9", 1, 1, 1, 0 },
		{ "pasta --config-net --no-copy-routes", 1, 0, 1, 0 },
		{ "pasta --config-net --no-copy-addrs", 0, 1, 0, 1 },
	};
	struct host h = online();

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		derived(&h, rows[i].line);
		OK(N4.copy_addrs == rows[i].addrs4 &&
		   N4.copy_routes == rows[i].routes4 &&
		   N6.copy_addrs == rows[i].addrs6 &&
		   N6.copy_routes == rows[i].routes6);
	}
}

TEST(mappings_default_to_the_gateway_unless_turned_off)
{
	struct host h = online();

	derived(&h, "pasta --no-map-gw");
	UNSET(N4.map_loopback);
	UNSET(N6.map_loopback);
	derived(&h, "pasta --map-host-loopback none");
	UNSET(N4.map_loopback);
	UNSET(N6.map_loopback);
	derived(&h, "pasta --no-map-gw --map-host-loopback 192.0.2.9");
	ADDR(N4.map_loopback, "192.0.2.9");
	UNSET(N6.map_loopback);
	derived(&h, "pasta --map-host-loopback fd00::9");
	ADDR(N4.map_loopback, "192.0.2.1");
	ADDR(N6.map_loopback, "fd00::9");
	derived(&h, "pasta --map-guest-addr 169.254.1.2");
	ADDR(N4.map_guest, "169.254.1.2");
	UNSET(N6.map_guest);
}

TEST(without_a_gateway_there_is_no_dhcp_and_no_mapping)
{
	struct host h = online();

	h.net[FAM4].gw = (struct addr) { 0 };
	derived(&h, "pasta");
	OK(c.no_dhcp);
	UNSET(N4.map_loopback);
	UNSET(N4.our_tap);
	ADDR(N4.guest, "192.0.2.10");
	derived(&h, "pasta -g 192.0.2.7");
	OK(!c.no_dhcp);
}

TEST(outbound_addresses_are_taken_over_by_family)
{
	struct host h = online();

	derived(&h, "pasta -o 192.0.2.11 -o 2001:db8::11");
	ADDR(N4.outbound, "192.0.2.11");
	ADDR(N6.outbound, "2001:db8::11");
}

/* --- resolvers --- */

TEST(resolvers_of_the_host_are_advertised_in_order)
{
	struct host h = online();

	nameservers(&h, "192.0.2.53 2001:db8::53 192.0.2.54 192.0.2.53 "
			"192.0.2.55");
	derived(&h, "passt");
	EQ(N4.dns_cnt, 3);
	ADDR(N4.dns[0], "192.0.2.53");
	ADDR(N4.dns[1], "192.0.2.54");
	ADDR(N4.dns[2], "192.0.2.53");
	EQ(N6.dns_cnt, 1);
	ADDR(N6.dns[0], "2001:db8::53");
	ADDR(N4.dns_hosts[0], "192.0.2.53");
	UNSET(N4.dns_match);
	OK(c.advertise_dns && c.advertise_search);
	derived(&h, "pasta");
	OK(!c.advertise_dns && !c.advertise_search);
}

TEST(resolvers_hidden_from_the_guest_are_reached_by_another_address)
{
	struct host h = online();

	nameservers(&h, "127.0.0.53");
	derived(&h, "passt");
	ADDR(N4.dns_match, "192.0.2.1");
	ADDR(N4.dns_hosts[0], "127.0.0.53");
	EQ(N4.dns_cnt, 1);
	ADDR(N4.dns[0], "192.0.2.1");

	derived(&h, "passt --dns-forward 192.0.2.99");
	ADDR(N4.dns_match, "192.0.2.99");
	ADDR(N4.dns_hosts[0], "127.0.0.53");
	ADDR(N4.dns[0], "192.0.2.99");

	derived(&h, "passt --no-map-gw");
	UNSET(N4.dns_match);
	EQ(N4.dns_cnt, 0);

	h = online();
	nameservers(&h, "192.0.2.1 ::1");
	derived(&h, "passt");
	ADDR(N4.dns_match, "192.0.2.1");
	ADDR(N4.dns_hosts[0], "192.0.2.1");
	ADDR(N6.dns_match, "fe80::ff");
	ADDR(N6.dns_hosts[0], "::1");
	ADDR(N6.dns[0], "fe80::ff");
}

TEST(resolvers_the_user_gives_replace_those_of_their_family)
{
	struct host h = online();

	nameservers(&h, "192.0.2.53 2001:db8::53");
	derived(&h, "passt -D 198.51.100.1 -D 127.0.0.1");
	EQ(N4.dns_cnt, 2);
	ADDR(N4.dns[0], "198.51.100.1");
	ADDR(N4.dns[1], "127.0.0.1");
	EQ(N6.dns_cnt, 1);
	ADDR(N6.dns[0], "2001:db8::53");
	UNSET(N4.dns_hosts[0]);
	derived(&h, "passt -D none");
	EQ(N4.dns_cnt, 0);
	EQ(N6.dns_cnt, 0);
}

TEST(forwarded_dns_goes_to_a_resolver_of_the_host_or_nowhere)
{
	struct host h = online();
	static const char *const lines[] = {
		"pasta --dns-forward 169.254.1.1",
		"pasta -D 198.51.100.1 --dns-forward 169.254.1.1",
		"pasta -D none --dns-forward 169.254.1.1",
	};

	derived(&h, lines[1]);
	ADDR(N4.dns_match, "169.254.1.1");
	UNSET(N4.dns_hosts[0]);

	nameservers(&h, "2001:db8::53 127.0.0.53");
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		derived(&h, lines[i]);
		ADDR(N4.dns_match, "169.254.1.1");
		ADDR(N4.dns_hosts[0], "127.0.0.53");
	}
	derived(&h, "pasta --dns-forward 169.254.1.1 --dns-host 192.0.2.53");
	ADDR(N4.dns_hosts[0], "192.0.2.53");
}

TEST(all_resolvers_of_a_family_are_for_asking_unless_one_is_named)
{
	struct host h = online();

	nameservers(&h, "192.0.2.53 2001:db8::53 192.0.2.54 192.0.2.55 "
			"192.0.2.56");
	derived(&h, "pasta --dns-forward 169.254.1.1");
	EQ(N4.dns_host_cnt, 3);
	ADDR(N4.dns_hosts[1], "192.0.2.54");
	ADDR(N4.dns_hosts[2], "192.0.2.55");
	EQ(N6.dns_host_cnt, 1);
	OK(N4.dns_from_file && N6.dns_from_file);

	derived(&h, "pasta --dns-forward 169.254.1.1 --dns-host 192.0.2.1");
	EQ(N4.dns_host_cnt, 1);
	OK(!N4.dns_from_file && N6.dns_from_file);
	derived(&h, "pasta -D 192.0.2.1");
	EQ(N4.dns_host_cnt, 0);
	OK(!N4.dns_from_file && N6.dns_from_file);
}

TEST(the_search_list_is_the_users_or_the_hosts)
{
	struct host h = online();

	strcpy(h.search[0], "host.example");
	h.search_cnt = 1;
	derived(&h, "passt");
	EQ(c.search_cnt, 1);
	STREQ(c.search[0], "host.example");
	derived(&h, "passt -S a.example -S b.example");
	EQ(c.search_cnt, 2);
	STREQ(c.search[1], "b.example");
	derived(&h, "passt -S none");
	EQ(c.search_cnt, 0);
}

/* --- switches --- */

TEST(switches_imply_others)
{
	struct host h = online();

	derived(&h, "pasta --no-icmp");
	OK(c.no_icmp && c.no_ndp && c.no_ra);
	derived(&h, "pasta --config-net");
	OK(c.no_ra && !c.no_ndp);
	derived(&h, "pasta --no-ndp");
	OK(c.no_ndp && c.no_ra && !c.no_icmp);
	derived(&h, "pasta --no-dhcp --no-dhcpv6 --no-ra");
	OK(c.no_dhcp && c.no_dhcpv6 && c.no_ra && !c.no_ndp);
	derived(&h, "pasta");
	OK(!c.no_splice && !c.no_icmp && !c.no_ndp && !c.no_ra && !c.no_dhcp &&
	   !c.no_dhcpv6 && !c.host_lo_to_ns_lo && !c.freebind);
	derived(&h, "passt");
	OK(c.no_splice);
	derived(&h, "pasta --freebind --host-lo-to-ns-lo");
	OK(c.freebind && c.host_lo_to_ns_lo);
}

TEST(splicing_only_means_families_and_nothing_else)
{
	struct host h = online();

	nameservers(&h, "192.0.2.53");
	derived(&h, "pasta --splice-only");
	OK(c.splice_only && c.host_lo_to_ns_lo && c.no_icmp && c.no_ndp);
	OK(N4.enabled && N6.enabled);
	EQ(N4.ifindex, 0);
	UNSET(N4.guest);
	UNSET(N4.gw);
	UNSET(N4.map_loopback);
	UNSET(c.our_ll);
	EQ(N4.dns_cnt, 0);
	OK(c.no_dhcp && c.no_dhcpv6);
}

TEST(values_are_taken_over_unchanged)
{
	struct host h = online();

	derived(&h, "passt -s /tmp/s -1 -c /tmp/c -p f.pcap -H box --fqdn box.example "
		    "-M 52:54:00:12:34:56 -m 1500 -f --stats 3");
	STREQ(c.socket_path, "/tmp/s");
	STREQ(c.control_path, "/tmp/c");
	STREQ(c.pcap_path, "f.pcap");
	STREQ(c.hostname, "box");
	STREQ(c.fqdn, "box.example");
	EQ(c.our_mac.b[5], 0x56);
	EQ(c.mtu, 1500);
	EQ(c.stats_s, 3);
	EQ(c.guest_fd, -1);
	OK(c.one_off);
	EQ(c.ephemeral_first, 32768);
	EQ(c.ephemeral_last, 60999);
	EQ(c.syn_retries, 6);
	EQ(c.syn_linear_timeouts, 4);
	EQ(c.rto_max_ms, 120000);
	EQ(c.udp_timeout_s, 30);
	EQ(c.udp_timeout_stream_s, 120);
	OK(c.can_bind_device && c.has_peek_off[FAM4] && c.has_peek_off[FAM6]);
	derived(&h, "pasta --ns-mac-addr 02:00:00:00:00:01 -I tap7 -m 0");
	EQ(c.guest_mac.b[5], 1);
	EQ(c.our_mac.b[0], 0x9a);
	STREQ(c.tap_name, "tap7");
	EQ(c.mtu, 0);
	EQ(c.guest_fd, -1);
	derived(&h, "passt -F 5");
	EQ(c.guest_fd, 5);
	OK(c.one_off);
}

TEST(an_mtu_too_small_for_ipv6_leaves_ipv4)
{
	struct host h = online();

	derived(&h, "pasta --config-net -m 1279");
	OK(N4.enabled && !N6.enabled && c.no_ndp);
	derived(&h, "pasta --config-net -m 1280");
	OK(N6.enabled);
	derived(&h, "pasta --config-net -m 0");
	OK(N6.enabled);
	derived(&h, "passt -m 1000");
	OK(N6.enabled);
	OK(!derive(&h, "pasta --config-net -6 -m 1000"));
	OK(strstr(err, "1280"));
	OK(!derive(&h, "pasta --config-net -m 67"));
	OK(strstr(err, "68"));
	derived(&h, "pasta --config-net -m 68");
	OK(N4.enabled);
	derived(&h, "pasta -m 67");
	OK(N6.enabled);
}

/* --- ports --- */

static bool rule_is(const struct fwd_table *t, unsigned i, const char *text)
{
	char buf[160];

	if (i < t->cnt && !strcmp(fwd_rule_str(&t->rule[i], buf, sizeof(buf)),
				  text))
		return true;
	printf("  rule %u: %s\n", i, i < t->cnt ? buf : "(none)");
	return false;
}

TEST(pasta_adds_auto_for_each_direction_not_mentioned)
{
	struct host h = online();

	derived(&h, "pasta -4");
	EQ(c.inbound.cnt, 4);
	EQ(c.outbound.cnt, 4);
	OK(rule_is(&c.inbound, 0, "TCP [0.0.0.0]:1-32767  =>  1-32767 "
				  "(best effort) (auto-scan)"));
	OK(rule_is(&c.outbound, 2, "UDP [0.0.0.0]%lo:1-32767  =>  1-32767 "
				   "(best effort) (auto-scan)"));
	derived(&h, "pasta -t none -u none -T none -U none");
	EQ(c.inbound.cnt, 0);
	EQ(c.outbound.cnt, 0);
	derived(&h, "pasta -u 53 -T none -U none");
	EQ(c.inbound.cnt, 3);
	OK(rule_is(&c.inbound, 0, "UDP [*]:53  =>  53 "));
	derived(&h, "passt");
	EQ(c.inbound.cnt, 0);
	EQ(c.outbound.cnt, 0);
}

TEST(a_protocol_that_is_off_gets_no_auto)
{
	struct host h = online();

	derived(&h, "pasta --no-tcp");
	for (unsigned i = 0; i < c.inbound.cnt; i++)
		EQ(c.inbound.rule[i].proto, IPPROTO_UDP);
	EQ(c.inbound.cnt, 2);
	derived(&h, "pasta --no-udp -u none");
	EQ(c.inbound.cnt, 2);
	OK(!derive(&h, "pasta --no-udp -u 53"));
	OK(strstr(err, "-u 53: "));
}

TEST(errors_in_ports_name_the_option)
{
	struct host h = online();

	OK(!derive(&h, "passt -t 22 -t 99999"));
	OK(strstr(err, "-t 99999: Invalid port specifier '99999'"));
	OK(!derive(&h, "passt -t 22 -t 22"));
	OK(strstr(err, "-t 22: Forwarding configuration conflict"));
	OK(!derive(&h, "passt -t auto"));
	OK(!derive(&h, "passt -t 22 -t none"));
	OK(strstr(err, "-t none: none conflicts"));
	OK(!derive(&h, "pasta -4 -t ::/80"));
	OK(strstr(err, "IPv6"));
}

TEST(each_option_has_a_number_of_its_own_in_a_table)
{
	struct host h = online();
	const struct fwd_rule *r = c.inbound.rule;

	derived(&h, "pasta -t 22,23 -u none -t 25 -t ~1-30,~80 -T 7,8 -U none");
	EQ(c.inbound.cnt, 6);
	OK(r[0].spec == r[1].spec);
	OK(r[2].spec != r[1].spec);
	OK(r[3].spec != r[2].spec);
	OK(r[3].spec == r[4].spec && r[4].spec == r[5].spec);
	EQ(c.outbound.cnt, 2);
}

/* Hosts clients run on; what they say has to work on all of them. */
TEST(clients_command_lines_give_a_configuration_wherever_they_are)
{
	static const char *const lines[] = {
		("pasta --config-net --dns-forward 169.254.1.1 -t none -u none "
		 "-T none -U none --no-map-gw --quiet --netns netns123 "
		 "--map-guest-addr 169.254.1.2"),
		("pasta --config-net -t 80-82:80-82 -t 0.0.0.0/5000:192.0.2.5/60 "
		 "--dns-forward 169.254.1.1 -u none -T none -U none --no-map-gw "
		 "--quiet --netns x --map-guest-addr 169.254.1.2"),
		("pasta --config-net --ipv4-only -a 10.0.2.0 -n 24 -g 10.0.2.2 "
		 "--dns-forward 10.0.2.3 -m 1500 --no-ndp --no-dhcpv6 --no-dhcp "
		 "-t none -u none -T none -U none --no-map-gw --netns x"),
		("pasta --stderr --ns-ifname=tap0 --mtu=65520 --config-net "
		 "--address=10.0.2.100 --netmask=24 --gateway=10.0.2.2 "
		 "--dns-forward=10.0.2.3 --no-map-gw --ipv4-only "
		 "--tcp-ports=auto --udp-ports=auto --host-lo-to-ns-lo 4711"),
		("passt --one-off --socket /run/s --mac-addr 52:54:00:12:34:56 "
		 "--address 172.17.2.0 --netmask 24 --tcp-ports "
		 "1000-1050,~1020,~1030-1040 --tcp-ports 443:344"),
		("passt --one-off --socket /tmp/S --address 169.254.2.15 "
		 "--netmask 16 --gateway 169.254.2.2"),
		"passt -t all -u all --no-dhcp-dns --no-map-gw --fd 5",
		("pasta --quiet --foreground --config-net "
		 "--gateway 169.254.1.1 --address 169.254.1.2 --netmask 16 "
		 "--dns-forward 169.254.1.1 --ns-ifname eth0 --no-netns-quit "
		 "--netns /proc/self/fd/0 --userns /proc/self/fd/1"),
	};
	struct host hosts[] = { online(), offline, online(), online() };

	hosts[2].net[FAM6] = (struct host_net) { 0 };
	hosts[3].net[FAM4].ifindex = 0;
	nameservers(&hosts[3], "127.0.0.53 2001:db8::53");
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		for (unsigned j = 0; j < ARRAY_SIZE(hosts); j++) {
			derived(&hosts[j], lines[i]);
			OK(!addr_is_unspec(&N4.guest));
			OK(!addr_is_unspec(&N4.gw));
		}
	}

	/* One family only: so are the listeners. */
	derived(&hosts[0], lines[3]);
	for (unsigned i = 0; i < c.inbound.cnt; i++)
		OK(!(c.inbound.rule[i].flags & RULE_DUAL) &&
		   addr_fam(&c.inbound.rule[i].listen) == FAM4);
}
