/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c (test) - text, classes, prefixes, socket addresses, both families */
/* links: addr */
#include "addr.h"

#include <arpa/inet.h>

#include "test.h"
#include "util.h"

static struct addr A(const char *s)
{
	struct addr a = { 0 };

	if (!addr_parse(&a, s))
		printf("  cannot parse %s\n", s);
	return a;
}

TEST(families_are_told_apart_and_named)
{
	struct addr v4 = addr4(0xc0000201), v6 = A("2001:db8::1");

	EQ(addr_fam(&v4), FAM4);
	EQ(addr_fam(&v6), FAM6);
	EQ(addr_af(FAM4), AF_INET);
	EQ(addr_af(FAM6), AF_INET6);
	EQ(addr_bits(FAM4), 32);
	EQ(addr_bits(FAM6), 128);
	STREQ(fam_name(FAM4), "IPv4");
	STREQ(fam_name(FAM6), "IPv6");
}

TEST(the_two_unspecified_addresses_differ)
{
	struct addr any4 = addr_any(FAM4), any6 = addr_any(FAM6);
	struct addr zero = { 0 };

	OK(!addr_eq(&any4, &any6));
	OK(addr_eq(&any6, &zero));
	EQ(addr_fam(&any4), FAM4);
	EQ(addr_fam(&any6), FAM6);
	OK(addr_is_unspec(&any4));
	OK(addr_is_unspec(&any6));
}

enum {
	UNSPEC = 1, LOOPBACK = 2, LINKLOCAL = 4, MULTICAST = 8,
	BROADCAST = 16, UNICAST = 32,
};

static unsigned classes(const struct addr *a)
{
	return (addr_is_unspec(a) ? UNSPEC : 0) |
	       (addr_is_loopback(a) ? LOOPBACK : 0) |
	       (addr_is_linklocal(a) ? LINKLOCAL : 0) |
	       (addr_is_multicast(a) ? MULTICAST : 0) |
	       (addr_is_broadcast(a) ? BROADCAST : 0) |
	       (addr_is_unicast(a) ? UNICAST : 0);
}

TEST(every_range_has_its_class_up_to_its_edges)
{
	static const struct {
		const char *text;
		unsigned want;
	} rows[] = {
		{ "0.0.0.0", UNSPEC },
		{ "0.0.0.1", UNICAST },
		{ "126.255.255.255", UNICAST },
		{ "127.0.0.0", LOOPBACK | UNICAST },
		{ "127.0.0.1", LOOPBACK | UNICAST },
		{ "127.255.255.255", LOOPBACK | UNICAST },
		{ "128.0.0.0", UNICAST },
		{ "169.253.255.255", UNICAST },
		{ "169.254.0.0", LINKLOCAL | UNICAST },
		{ "169.254.255.255", LINKLOCAL | UNICAST },
		{ "169.255.0.0", UNICAST },
		{ "192.0.2.255", UNICAST },
		{ "223.255.255.255", UNICAST },
		{ "224.0.0.0", MULTICAST },
		{ "239.255.255.255", MULTICAST },
		{ "240.0.0.0", UNICAST },
		{ "255.255.255.254", UNICAST },
		{ "255.255.255.255", BROADCAST },
		{ "::", UNSPEC },
		{ "::1", LOOPBACK | UNICAST },
		{ "::2", UNICAST },
		{ "::127.0.0.1", UNICAST },
		{ "1::1", UNICAST },
		{ "2001:db8::1", UNICAST },
		{ "fe7f:ffff::", UNICAST },
		{ "fe80::", LINKLOCAL | UNICAST },
		{ "febf:ffff::1", LINKLOCAL | UNICAST },
		{ "fec0::", UNICAST },
		{ "fd00::1", UNICAST },
		{ "feff::1", UNICAST },
		{ "ff00::", MULTICAST },
		{ "ff02::1", MULTICAST },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", MULTICAST },
		/* One bit away from being IPv4 */
		{ "::fffe:127.0.0.1", UNICAST },
		{ "::1:ffff:127.0.0.1", UNICAST },
		{ "8000::ffff:255.255.255.255", UNICAST },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr a = A(rows[i].text);

		if (!EQ(classes(&a), rows[i].want))
			printf("  (%s)\n", rows[i].text);
	}
}

TEST(text_survives_parsing_and_printing)
{
	static const char *const same[] = {
		"0.0.0.0", "1.2.3.4", "255.255.255.255", "::", "::1",
		"2001:db8::ff00:42:8329", "fe80::1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	char buf[ADDR_STRLEN];

	for (unsigned i = 0; i < ARRAY_SIZE(same); i++) {
		struct addr a = A(same[i]);

		STREQ(addr_str(&a, buf), same[i]);
	}
}

TEST(mapped_text_becomes_ipv4)
{
	struct addr a = A("::ffff:192.0.2.1"), b = A("::ffff:c000:201");
	struct addr want = addr4(0xc0000201);

	OK(addr_eq(&a, &want));
	OK(addr_eq(&b, &want));
}

TEST(what_is_not_an_address_is_refused_and_leaves_no_trace)
{
	static const char *const bad[] = {
		"", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
		"1.2.3.4 ", " 1.2.3.4", "1.2.3.4/24", "0x7f.0.0.1", "localhost",
		":", ":::", "1::2::3", "fe80::1%eth0", "fe80::1%1", "g::1",
		"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "[::1]",
		"[1.2.3.4]", "::1/64", "::ffff:1.2.3",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct addr a = addr4(0x01020304), was = a;

		if (!OK(!addr_parse(&a, bad[i])) || !OK(addr_eq(&a, &was)))
			printf("  (\"%s\")\n", bad[i]);
	}
}

TEST(brackets_are_taken_where_asked_for_in_pairs)
{
	static const char *const bad[] = {
		"[", "]", "[]", "[::1", "::1]", "[[::1]]", "[1.2.3.4", "[ ::1]",
		"[::1]x",
		"[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]",
	};
	struct addr lo4 = addr_loopback(FAM4), lo6 = addr_loopback(FAM6), a;

	OK(addr_parse_brackets(&a, "[::1]") && addr_eq(&a, &lo6));
	OK(addr_parse_brackets(&a, "::1") && addr_eq(&a, &lo6));
	OK(addr_parse_brackets(&a, "[127.0.0.1]") && addr_eq(&a, &lo4));
	OK(addr_parse_brackets(&a, "127.0.0.1") && addr_eq(&a, &lo4));
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		OK(!addr_parse_brackets(&a, bad[i]));
}

TEST(hardware_addresses_are_parsed_strictly)
{
	static const char *const bad[] = {
		"", "9a:55:9a:55:9a", "9a:55:9a:55:9a:5", "9a-55-9a-55-9a-55",
		"9a:55:9a:55:9a:55:", "9a:55:9a:55:9a:55:00",
		"9a:55:9a:55:9a:5g", "9a559a559a55     ", " 9:55:9a:55:9a:55",
		"9a:55:9a:55:9a: 5", "+a:55:9a:55:9a:55",
	};
	struct mac m, want = { { 0x9a, 0x55, 0xab, 0xcd, 0xef, 0x00 } };
	char buf[MAC_STRLEN];

	OK(mac_parse(&m, "9a:55:AB:cd:Ef:00"));
	MEMEQ(m.b, want.b, sizeof(m.b));
	STREQ(mac_str(&m, buf), "9a:55:ab:cd:ef:00");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		OK(!mac_parse(&m, bad[i]));
	MEMEQ(m.b, want.b, sizeof(m.b));
}

TEST(ports_are_printed_behind_brackets_in_both_families)
{
	struct addr longest = A("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	struct addr v4 = A("192.0.2.1");
	char buf[ADDR_PORT_STRLEN];

	STREQ(addr_port_str(&v4, 80, buf), "[192.0.2.1]:80");
	STREQ(addr_port_str(&longest, 65535, buf),
	      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

TEST(prefixes_count_from_the_familys_first_bit)
{
	static const struct {
		const char *addr, *net;
		unsigned plen;
		bool in;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.0", 24, true },
		{ "192.0.3.1", "192.0.2.0", 24, false },
		{ "192.0.3.1", "192.0.2.0", 23, true },
		{ "192.0.2.1", "192.0.2.77", 24, true },
		{ "192.0.2.1", "192.0.2.1", 32, true },
		{ "192.0.2.1", "192.0.2.0", 32, false },
		{ "192.0.2.1", "192.0.2.0", 31, true },
		{ "255.0.0.1", "0.0.0.0", 0, true },
		{ "128.0.0.1", "0.0.0.0", 1, false },
		{ "::1", "0.0.0.0", 0, false },
		{ "0.0.0.1", "::", 0, false },
		{ "2001:db8::1", "2001:db8::", 64, true },
		{ "2001:db8:0:1::1", "2001:db8::", 64, false },
		{ "2001:db8:0:1::1", "2001:db8::", 63, true },
		{ "2001:db8::1", "2001:db8::", 128, false },
		{ "2001:db8::1", "2001:db8::1", 128, true },
		{ "ffff::", "::", 0, true },
		{ "::ffff", "::", 112, true },
		{ "::1:0", "::", 112, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr a = A(rows[i].addr), n = A(rows[i].net);

		if (!EQ(addr_in_prefix(&a, &n, rows[i].plen), rows[i].in))
			printf("  (%s in %s/%u)\n", rows[i].addr, rows[i].net,
			       rows[i].plen);
	}
}

TEST(masking_keeps_the_family_whatever_the_length)
{
	struct addr v4 = A("192.0.2.129"), v6 = A("2001:db8::ffff"), m;
	char buf[ADDR_STRLEN];

	m = addr_mask(&v4, 25);
	STREQ(addr_str(&m, buf), "192.0.2.128");
	m = addr_mask(&v4, 0);
	STREQ(addr_str(&m, buf), "0.0.0.0");
	m = addr_mask(&v4, 33);
	STREQ(addr_str(&m, buf), "192.0.2.129");
	m = addr_mask(&v6, 113);
	STREQ(addr_str(&m, buf), "2001:db8::8000");
	m = addr_mask(&v6, 0);
	STREQ(addr_str(&m, buf), "::");
	m = addr_mask(&v6, 1000);
	OK(addr_eq(&m, &v6));
}

TEST(bytes_go_to_the_network_and_back)
{
	struct addr v4 = A("1.2.3.4"), v6 = A("2001:db8::5"), back;
	uint8_t raw[17] = { [4] = 0xee, [16] = 0xee };

	addr_put(&v4, raw);
	MEMEQ(raw, "\1\2\3\4\xee", 5);
	back = addr_get(FAM4, raw);
	OK(addr_eq(&back, &v4));

	addr_put(&v6, raw);
	EQ(raw[0], 0x20);
	EQ(raw[15], 5);
	EQ(raw[16], 0xee);
	back = addr_get(FAM6, raw);
	OK(addr_eq(&back, &v6));
}

TEST(socket_addresses_carry_port_and_scope_where_they_belong)
{
	struct addr v4 = A("192.0.2.1"), v6 = A("2001:db8::1");
	struct addr ll = A("fe80::1"), ll4 = A("169.254.0.1");
	union sockaddr_any sa;

	EQ(addr_to_sockaddr(&sa, &v4, 8080, 7), sizeof(sa.in));
	EQ(sa.in.sin_family, AF_INET);
	EQ(ntohs(sa.in.sin_port), 8080);
	EQ(ntohl(sa.in.sin_addr.s_addr), 0xc0000201);

	EQ(addr_to_sockaddr(&sa, &v6, 8080, 7), sizeof(sa.in6));
	EQ(sa.in6.sin6_family, AF_INET6);
	EQ(ntohs(sa.in6.sin6_port), 8080);
	EQ(sa.in6.sin6_scope_id, 0);
	MEMEQ(&sa.in6.sin6_addr, v6.b, 16);

	addr_to_sockaddr(&sa, &ll, 1, 7);
	EQ(sa.in6.sin6_scope_id, 7);

	EQ(addr_to_sockaddr6(&sa, &ll4, 53, 7), sizeof(sa.in6));
	EQ(sa.in6.sin6_family, AF_INET6);
	EQ(sa.in6.sin6_scope_id, 0);
	OK(IN6_IS_ADDR_V4MAPPED(&sa.in6.sin6_addr));
}

TEST(socket_addresses_come_back_and_mapped_ones_as_ipv4)
{
	static const char *const text[] = {
		"192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "fe80::1",
	};
	union sockaddr_any sa;
	struct addr back;
	uint16_t port;

	for (unsigned i = 0; i < ARRAY_SIZE(text); i++) {
		struct addr a = A(text[i]);

		addr_to_sockaddr(&sa, &a, 65535, 3);
		OK(addr_from_sockaddr(&back, &port, &sa));
		OK(addr_eq(&a, &back));
		EQ(port, 65535);

		addr_to_sockaddr6(&sa, &a, 1, 3);
		OK(addr_from_sockaddr(&back, &port, &sa));
		OK(addr_eq(&a, &back));
		EQ(port, 1);
	}
	sa.sa.sa_family = AF_UNIX;
	OK(!addr_from_sockaddr(&back, &port, &sa));
}

TEST(the_address_a_datagram_was_sent_to_comes_back_in_our_form)
{
	_Alignas(struct cmsghdr) uint8_t buf[CMSG_SPACE(64)] = { 0 };
	struct cmsghdr *c = (struct cmsghdr *)buf;
	struct addr v4 = A("192.0.2.1"), v6 = A("2001:db8::1"), a;
	struct in_pktinfo info4 = { 0 };
	struct in6_pktinfo info6 = { 0 };

	addr_put(&v4, (uint8_t *)&info4.ipi_addr);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info4));
	memcpy(CMSG_DATA(c), &info4, sizeof(info4));
	OK(addr_from_pktinfo(&a, c));
	OK(addr_eq(&a, &v4));
	c->cmsg_len--;
	OK(!addr_from_pktinfo(&a, c));
	c->cmsg_len++;
	c->cmsg_type = IP_TOS;
	OK(!addr_from_pktinfo(&a, c));

	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info6));
	memcpy(&info6.ipi6_addr, v6.b, sizeof(v6.b));
	memcpy(CMSG_DATA(c), &info6, sizeof(info6));
	OK(addr_from_pktinfo(&a, c));
	OK(addr_eq(&a, &v6));
	memcpy(&info6.ipi6_addr, v4.b, sizeof(v4.b));
	memcpy(CMSG_DATA(c), &info6, sizeof(info6));
	OK(addr_from_pktinfo(&a, c));
	OK(addr_eq(&a, &v4));
	c->cmsg_len--;
	OK(!addr_from_pktinfo(&a, c));
}
