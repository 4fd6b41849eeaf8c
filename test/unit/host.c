/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - resolv.conf as people write it, and this machine as it is */
/* links: setup/host setup/netlink setup/netlink_msg sock agent addr buf util
 *	  log conf epoll_ctl timer */
#include "setup/setup.h"

#include <string.h>
#include <unistd.h>

#include "test/unit/test.h"
#include "util.h"

static struct host h;

static const char *nameservers(const char *text)
{
	static char all[1024];

	h = (struct host) { 0 };
	host_parse_resolv(&h, text);
	*all = '\0';
	for (unsigned i = 0; i < h.nameserver_cnt; i++) {
		char buf[ADDR_STRLEN];

		strcat(all, i ? " " : "");
		strcat(all, addr_str(&h.nameserver[i], buf));
	}
	return all;
}

static const char *search(const char *text)
{
	static char all[2048];

	h = (struct host) { 0 };
	host_parse_resolv(&h, text);
	*all = '\0';
	for (unsigned i = 0; i < h.search_cnt; i++) {
		strcat(all, i ? " " : "");
		strcat(all, h.search[i]);
	}
	return all;
}

TEST(nameservers_are_read_as_resolvers_read_them)
{
	static const struct {
		const char *text, *addrs;
	} rows[] = {
		{ "", "" },
		{ "nameserver 192.0.2.1\n", "192.0.2.1" },
		{ "nameserver 192.0.2.1", "192.0.2.1" },
		{ "nameserver\t192.0.2.1\n", "192.0.2.1" },
		{ "nameserver  \t 192.0.2.1  \t\n", "192.0.2.1" },
		{ "nameserver 192.0.2.1 # mine\n", "192.0.2.1" },
		{ "nameserver 192.0.2.1;mine\n", "192.0.2.1" },
		{ "nameserver 192.0.2.1\r\nnameserver ::1\r\n",
		  "192.0.2.1 ::1" },
		{ "nameserver 2001:db8::53\nnameserver 192.0.2.1\n",
		  "2001:db8::53 192.0.2.1" },
		{ "nameserver fe80::1%eth0\n", "fe80::1" },
		{ "nameserver 0.0.0.0\nnameserver ::\n", "127.0.0.1 ::1" },
		{ "# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n", "" },
		{ " nameserver 192.0.2.1\n", "" },
		{ "nameserver192.0.2.1\n", "" },
		{ "nameservers 192.0.2.1\n", "" },
		{ "NAMESERVER 192.0.2.1\n", "" },
		{ "nameserver\n192.0.2.1\n", "" },
		{ "nameserver \nnameserver 192.0.2.2\n", "192.0.2.2" },
		{ "nameserver banana\nnameserver 192.0.2.2\n", "192.0.2.2" },
		{ "nameserver 1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18\n",
		  "" },
		{ "options edns0\nnameserver 192.0.2.1\n\n\nsearch x\n"
		  "nameserver 192.0.2.2", "192.0.2.1 192.0.2.2" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		STREQ(nameservers(rows[i].text), rows[i].addrs);
}

TEST(more_nameservers_than_there_is_room_for_are_dropped)
{
	char text[4096], *p = text;

	for (unsigned i = 1; i < 100; i++)
		p += sprintf(p, "nameserver 192.0.2.%u\n", i);
	nameservers(text);
	EQ(h.nameserver_cnt, ARRAY_SIZE(h.nameserver));
	EQ(h.nameserver[15].b[15], 16);
}

TEST(the_last_search_or_domain_line_counts)
{
	static const struct {
		const char *text, *names;
	} rows[] = {
		{ "search a.example b.example\n", "a.example b.example" },
		{ "search\ta.example\t b.example \n", "a.example b.example" },
		{ "search a.example\nsearch b.example\n", "b.example" },
		{ "domain a.example\n", "a.example" },
		{ "domain a.example b.example\n", "a.example" },
		{ "search a b\ndomain c\n", "c" },
		{ "domain c\nsearch a b\n", "a b" },
		{ "search a.example. .\n", "a.example" },
		{ "search a # b\n", "a" },
		{ "search a b c d e f g h\n", "a b c d e f" },
		{ "searching a\n", "" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		STREQ(search(rows[i].text), rows[i].names);
}

TEST(a_domain_that_is_too_long_is_left_out)
{
	char text[600] = "search ok ";

	memset(text + strlen(text), 'x', CONF_NAME_MAX + 1);
	strcat(text, " fine\n");
	STREQ(search(text), "ok fine");
}

static struct request request(void)
{
	return (struct request) { .mode = MODE_PASTA };
}

TEST(this_host_can_be_asked)
{
	struct request req = request();
	char err[ERR_MAX];

	OK(host_snapshot(&h, &req, err));
	OK(h.net[FAM4].supported || h.net[FAM6].supported);
	OK(h.ephemeral_first && h.ephemeral_first <= h.ephemeral_last);
	OK(h.syn_retries && h.syn_retries <= 127);
	OK(h.syn_linear_timeouts <= 127);
	OK(h.rto_max_ms >= 1000 && h.rto_max_ms <= 120000);
	OK(h.udp_timeout_s && h.udp_timeout_stream_s);
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		OK(!h.net[fam].ifindex || *h.net[fam].ifname);
}

TEST(an_interface_by_name_must_exist)
{
	struct request req = request();
	char err[ERR_MAX];

	req.interface = "noSuchInterface";
	OK(!host_snapshot(&h, &req, err));
	OK(strstr(err, "Invalid interface name noSuchInterface: "
		       "No such device"));
	req.interface = "lo";
	OK(host_snapshot(&h, &req, err));
	EQ(h.net[FAM4].ifindex, 1);
	STREQ(h.net[FAM4].ifname, "lo");
	req.ipv4_only = true;
	OK(host_snapshot(&h, &req, err));
	EQ(h.net[FAM6].ifindex, 0);
}

TEST(an_outbound_interface_may_be_missing)
{
	struct request req = request();
	char err[ERR_MAX];

	strcpy(req.net[FAM4].outbound_if, "noSuchInterfac");
	log_threshold = LOG_LVL_ERR;
	OK(host_snapshot(&h, &req, err));
	strcpy(req.net[FAM4].outbound_if, "lo");
	OK(host_snapshot(&h, &req, err));
	EQ(h.net[FAM4].ifindex, 1);
}

TEST(without_a_link_no_interface_is_looked_for)
{
	struct request req = request();
	char err[ERR_MAX];

	req.splice_only = true;
	OK(host_snapshot(&h, &req, err));
	EQ(h.net[FAM4].ifindex, 0);
	EQ(h.net[FAM6].ifindex, 0);
}
