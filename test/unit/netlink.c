/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.c - against the kernel, in namespaces made for each test
 *
 * The host is a namespace with links "eth0" and "eth1", what is configured
 * another one with a tap called "tap0"; ip(8) prepares the first and shows the
 * second. Where namespaces, tap devices or ip(8) are not to be had, the tests
 * that need them say so and are skipped.
 */
/* links: setup/netlink setup/netlink_msg setup/netlink_setup addr buf util log
 * timer */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "setup/netlink.h"
#include "test/unit/test.h"
#include "util.h"

static const char *why_not;

/* --- a namespace, and ip(8) --- */

static bool become_root(void)
{
	unsigned uid = getuid(), gid = getgid();
	char map[32];

	if (!uid)
		return true;
	if (unshare(CLONE_NEWUSER) || write_file("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (write_file("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return !write_file("/proc/self/gid_map", map);
}

static bool fresh_namespace(void)
{
	static bool tried, root;

	if (!tried)
		root = become_root();
	tried = true;
	if (root && !unshare(CLONE_NEWNET))
		return true;
	why_not = "no namespace can be made here";
	return false;
}

/* Lines for ip -batch, separated by ";". */
static bool ip(const char *lines)
{
	FILE *f = popen("ip -batch - >/dev/null 2>&1", "w");

	if (!f)
		return false;
	for (; *lines; lines++)
		fputc(*lines == ';' ? '\n' : *lines, f);
	fputc('\n', f);
	return !pclose(f);
}

static const char *output_of(const char *command)
{
	static char text[65536];
	FILE *f = popen(command, "r");
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[len] = '\0';
	if (f)
		pclose(f);
	return text;
}

static bool shows(const char *command, const char *what)
{
	const char *text = output_of(command);

	if (strstr(text, what))
		return true;
	printf("  %s: no '%s' in\n%s", command, what, text);
	return false;
}

static unsigned lines_of(const char *command)
{
	unsigned n = 0;

	for (const char *p = output_of(command); *p; p++)
		n += *p == '\n';
	return n;
}

#define LINKS	"link add eth0 type veth peer name peer0;"		\
		"link add eth1 type veth peer name peer1;"		\
		"link set lo up; link set peer0 up; link set peer1 up;"	\
		"link set eth0 addrgenmode none; link set eth0 up;"	\
		"link set eth1 addrgenmode none; link set eth1 up;"

/* The host of a test. False: cannot be had, see why_not. */
static bool host_with(const char *lines)
{
	if (!fresh_namespace())
		return false;
	if (!ip(LINKS)) {
		why_not = "ip(8) cannot make veth pairs here";
		return false;
	}
	OK(ip(lines));
	return true;
}

#define HOST(lines)							\
	do {								\
		if (!host_with(lines))					\
			SKIP(why_not);					\
	} while (0)

/* --- the template --- */

static struct addr A(const char *text)
{
	struct addr a = { 0 };

	if (*text)
		OK(addr_parse(&a, text));
	return a;
}

static const struct template_row {
	const char *what, *lines;
	enum fam fam;
	const char *want;	/* interface named, or NULL */
	const char *ifname, *addr;
	unsigned plen;
	const char *gw, *ll;
} template_rows[] = {
	{ "nothing there", "", FAM4, NULL, "", "", 0, "", "" },
	{ "nothing there", "", FAM6, NULL, "", "", 0, "", "" },
	{ "a default route",
	  "addr add 192.0.2.10/24 dev eth0; route add default via 192.0.2.1",
	  FAM4, NULL, "eth0", "192.0.2.10", 24, "192.0.2.1", "" },
	{ "a default route",
	  "addr add 2001:db8::10/64 dev eth0 nodad;"
	  "addr add fe80::10/64 dev eth0 nodad;"
	  "route add default via fe80::1 dev eth0",
	  FAM6, NULL, "eth0", "2001:db8::10", 64, "fe80::1", "fe80::10" },
	{ "a global gateway",
	  "addr add 2001:db8::10/64 dev eth0 nodad;"
	  "route add default via 2001:db8::1",
	  FAM6, NULL, "eth0", "2001:db8::10", 64, "2001:db8::1", "" },
	{ "the lower metric",
	  "addr add 192.0.2.10/24 dev eth0; addr add 198.51.100.10/24 dev eth1;"
	  "route add default via 192.0.2.1 metric 200;"
	  "route add default via 198.51.100.1 metric 100",
	  FAM4, NULL, "eth1", "198.51.100.10", 24, "198.51.100.1", "" },
	{ "the lower metric",
	  "addr add 2001:db8::10/64 dev eth0 nodad;"
	  "addr add 2001:db8:1::10/64 dev eth1 nodad;"
	  "route add default via 2001:db8::1 metric 200;"
	  "route add default via 2001:db8:1::1 metric 100",
	  FAM6, NULL, "eth1", "2001:db8:1::10", 64, "2001:db8:1::1", "" },
	{ "no default, but a route",
	  "addr add 192.0.2.10/24 dev eth1",
	  FAM4, NULL, "eth1", "192.0.2.10", 24, "", "" },
	{ "no default, but a route",
	  "addr add 2001:db8::10/64 dev eth1 nodad",
	  FAM6, NULL, "eth1", "2001:db8::10", 64, "", "" },
	{ "link-local routes do not count",
	  "addr add 169.254.7.7/16 dev eth0; addr add 192.0.2.10/24 dev eth1",
	  FAM4, NULL, "eth1", "192.0.2.10", 24, "", "" },
	{ "link-local routes do not count",
	  "addr add fe80::10/64 dev eth0 nodad",
	  FAM6, NULL, "", "", 0, "", "" },
	{ "the interface named",
	  "addr add 192.0.2.10/24 dev eth0; addr add 198.51.100.10/24 dev eth1;"
	  "route add default via 192.0.2.1;"
	  "route add default via 198.51.100.1 metric 100",
	  FAM4, "eth1", "eth1", "198.51.100.10", 24, "198.51.100.1", "" },
	{ "the interface named, without a default route",
	  "addr add 192.0.2.10/24 dev eth0; addr add 198.51.100.10/24 dev eth1;"
	  "route add default via 192.0.2.1",
	  FAM4, "eth1", "eth1", "198.51.100.10", 24, "", "" },
	{ "the longest prefix, the first of these",
	  "addr add 192.0.2.10/24 dev eth0; addr add 192.0.2.129/25 dev eth0;"
	  "addr add 192.0.2.130/25 dev eth0; route add default via 192.0.2.1",
	  FAM4, NULL, "eth0", "192.0.2.129", 25, "192.0.2.1", "" },
	{ "no deprecated address",
	  "addr add 2001:db8::1:10/112 dev eth0 nodad preferred_lft 0;"
	  "addr add 2001:db8::10/64 dev eth0 nodad;"
	  "route add default via 2001:db8::1",
	  FAM6, NULL, "eth0", "2001:db8::10", 64, "2001:db8::1", "" },
	{ "the heaviest hop",
	  "addr add 192.0.2.10/24 dev eth0; addr add 198.51.100.10/24 dev eth1;"
	  "route add default nexthop via 192.0.2.1 weight 1 "
	  "nexthop via 198.51.100.1 weight 3 "
	  "nexthop via 198.51.100.2 weight 3",
	  FAM4, NULL, "eth1", "198.51.100.10", 24, "198.51.100.1", "" },
	{ "the first of equal hops, and its gateway",
	  "addr add 192.0.2.10/24 dev eth0; addr add 198.51.100.10/24 dev eth1;"
	  "route add default nexthop via 192.0.2.1 nexthop via 198.51.100.1",
	  FAM4, NULL, "eth0", "192.0.2.10", 24, "192.0.2.1", "" },
	{ "the heaviest hop",
	  "addr add 2001:db8::10/64 dev eth0 nodad;"
	  "addr add 2001:db8:1::10/64 dev eth1 nodad;"
	  "route add default nexthop via 2001:db8::1 weight 1 "
	  "nexthop via 2001:db8:1::1 weight 2",
	  FAM6, NULL, "eth1", "2001:db8:1::10", 64, "2001:db8:1::1", "" },
	{ "the hop by the interface named",
	  "addr add 192.0.2.10/24 dev eth0; addr add 198.51.100.10/24 dev eth1;"
	  "route add default nexthop via 192.0.2.1 weight 9 "
	  "nexthop via 198.51.100.1 weight 1",
	  FAM4, "eth1", "eth1", "198.51.100.10", 24, "198.51.100.1", "" },
	{ "IPv4 by an IPv6 gateway",
	  "addr add 192.0.2.10/32 dev eth0;"
	  "route add 0.0.0.0/0 via inet6 fe80::1 dev eth0",
	  FAM4, NULL, "eth0", "192.0.2.10", 32, "", "" },
	{ "a route without gateway",
	  "addr add 192.0.2.10/32 dev eth0; route add default dev eth0",
	  FAM4, NULL, "eth0", "192.0.2.10", 32, "", "" },
	{ "a nexthop object",
	  "addr add 192.0.2.10/24 dev eth0;"
	  "nexthop add id 5 via 192.0.2.4 dev eth0; route add default nhid 5",
	  FAM4, NULL, "eth0", "192.0.2.10", 24, "192.0.2.4", "" },
	{ "other tables and kinds do not count",
	  "addr add 192.0.2.10/24 dev eth1;"
	  "route add default via 192.0.2.9 table 77;"
	  "route add blackhole default metric 5",
	  FAM4, NULL, "eth1", "192.0.2.10", 24, "", "" },
	{ "the other end of a point-to-point link",
	  "addr add 192.0.2.10 peer 192.0.2.200/32 dev eth0;"
	  "route add default via 192.0.2.200",
	  FAM4, NULL, "eth0", "192.0.2.10", 32, "192.0.2.200", "" },
};

static void check_template(const struct template_row *row)
{
	unsigned before = test_failures;
	struct host h = { 0 };
	const struct host_net *n = &h.net[row->fam];
	struct addr addr = A(row->addr), gw = A(row->gw), ll = A(row->ll);
	char err[ERR_MAX];

	OK(netlink_template(&h, row->fam,
			    row->want ? if_nametoindex(row->want) : 0, err));
	EQ(n->ifindex, *row->ifname ? if_nametoindex(row->ifname) : 0);
	STREQ(n->ifname, row->ifname);
	OK(addr_eq(&n->addr, &addr));
	EQ(n->prefix_len, row->plen);
	OK(addr_is_unspec(&gw) ? addr_is_unspec(&n->gw) :
	   addr_eq(&n->gw, &gw));
	OK(addr_eq(&h.ll, &ll));
	if (test_failures != before)
		printf("  with %s (%s)\n", row->what, fam_name(row->fam));
}

TEST(the_template_is_what_the_routes_say)
{
	for (unsigned i = 0; i < ARRAY_SIZE(template_rows); i++) {
		HOST(template_rows[i].lines);
		check_template(&template_rows[i]);
	}
}

TEST(where_there_has_never_been_a_route_there_is_no_template)
{
	struct host h = { 0 };
	char err[ERR_MAX];

	if (!fresh_namespace())
		SKIP(why_not);
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		OK(netlink_template(&h, fam, 0, err));
		EQ(h.net[fam].ifindex, 0);
		OK(netlink_template(&h, fam, LO_IFINDEX, err));
		EQ(h.net[fam].ifindex, LO_IFINDEX);
	}
}

/* --- neighbours --- */

static char heard[1024];

static void hear(const struct nl_neigh *n, bool gone)
{
	char ifname[IF_NAMESIZE], a[ADDR_STRLEN], m[MAC_STRLEN];
	size_t len = strlen(heard);

	if (addr_is_multicast(&n->addr))	/* the kernel's own */
		return;
	snprintf(heard + len, sizeof(heard) - len, "%s%s %s %s;",
		 gone ? "-" : "", if_indextoname(n->ifindex, ifname),
		 addr_str(&n->addr, a), gone ? "" : mac_str(&n->mac, m));
}

static bool is_heard(const char *what)
{
	if (strstr(heard, what))
		return true;
	printf("  no '%s' in '%s'\n", what, heard);
	return false;
}

TEST(all_neighbours_are_told_and_then_what_changes)
{
	int dump_fd, watch_fd;

	HOST("addr add 192.0.2.10/24 dev eth0;"
	     "addr add 2001:db8::10/64 dev eth1 nodad;"
	     "neigh add 192.0.2.77 lladdr 52:54:00:00:00:77 dev eth0;"
	     "neigh add 2001:db8::77 lladdr 52:54:00:00:00:78 dev eth1 nud stale;"
	     "neigh add proxy 192.0.2.78 dev eth0");
	dump_fd = netlink_open();
	watch_fd = netlink_open();
	OK(dump_fd >= 0 && watch_fd >= 0);
	EQ(netlink_watch_neighs(watch_fd), 0);
	*heard = '\0';
	EQ(netlink_dump_neighs(dump_fd, hear), 0);
	OK(is_heard("eth0 192.0.2.77 52:54:00:00:00:77;"));
	OK(is_heard("eth1 2001:db8::77 52:54:00:00:00:78;"));
	OK(!strstr(heard, "192.0.2.78"));

	while (!netlink_next_neighs(watch_fd, hear))
		;
	*heard = '\0';
	OK(ip("neigh replace 192.0.2.77 lladdr 52:54:00:00:00:79 dev eth0;"
	      "neigh del 2001:db8::77 dev eth1;"
	      "neigh add 192.0.2.80 lladdr 01:00:5e:00:00:01 dev eth0"));
	while (!netlink_next_neighs(watch_fd, hear))
		;
	EQ(netlink_next_neighs(watch_fd, hear), -EAGAIN);
	OK(is_heard("eth0 192.0.2.77 52:54:00:00:00:79;"));
	OK(is_heard("-eth1 2001:db8::77 ;"));
	OK(is_heard("-eth0 192.0.2.80 ;"));	/* nobody's hardware address */

	/* A second question, on the same socket */
	*heard = '\0';
	EQ(netlink_dump_neighs(dump_fd, hear), 0);
	OK(is_heard("eth0 192.0.2.77 52:54:00:00:00:79;"));
	close(dump_fd);
	close(watch_fd);
}

TEST(changes_of_neighbours_that_were_lost_are_known_to_be)
{
	int fd, small = 1, rc = 0;
	char line[80];

	HOST("addr add 192.0.2.10/24 dev eth0");
	fd = netlink_open();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	EQ(netlink_watch_neighs(fd), 0);
	for (unsigned i = 20; i < 60; i++) {
		snprintf(line, sizeof(line), "neigh add 192.0.2.%u "
			 "lladdr 52:54:00:00:00:%u dev eth0", i, i);
		OK(ip(line));
	}
	while (!rc)
		rc = netlink_next_neighs(fd, hear);
	EQ(rc, -ENOBUFS);
	close(fd);
}

/* --- the namespace --- */

/* Both, as struct conf would say for this template. */
static struct conf conf_copying(const char *ifname)
{
	struct conf c = {
		.mode = MODE_PASTA, .config_net = true, .mtu = 65520,
	};

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		c.net[fam].enabled = true;
		c.net[fam].ifindex = if_nametoindex(ifname);
		strcpy(c.net[fam].ifname, ifname);
		c.net[fam].copy_addrs = c.net[fam].copy_routes = true;
	}
	return c;
}

static struct conf conf_local(void)
{
	struct conf c = {
		.mode = MODE_PASTA, .config_net = true, .mtu = 65520,
	};

	c.net[FAM4] = (struct conf_net) {
		.enabled = true, .guest = A("169.254.2.1"), .prefix_len = 16,
		.gw = A("169.254.2.2"),
	};
	c.net[FAM6] = (struct conf_net) {
		.enabled = true, .prefix_len = 64, .gw = A("fe80::1"),
	};
	return c;
}

static int host_fd = -1, ns_fd = -1, tap_fd = -1;
static struct mac tap_mac;
static char err[ERR_MAX];

static void close_all(void)
{
	close_keep_errno(&host_fd);
	close_keep_errno(&ns_fd);
	close_keep_errno(&tap_fd);
}

/* The current namespace is the host; go to a new one with a tap. */
static bool enter(bool with_tap)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	close_all();
	host_fd = netlink_open();
	if (!fresh_namespace())
		return false;
	ns_fd = netlink_open();
	OK(host_fd >= 0 && ns_fd >= 0);
	if (!with_tap)
		return true;
	strcpy(ifr.ifr_name, "tap0");
	tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tap_fd >= 0 && !ioctl(tap_fd, TUNSETIFF, &ifr))
		return true;
	why_not = "no tap device can be made here";
	return false;
}

static bool configure(struct conf *c)
{
	*err = '\0';
	tap_mac = (struct mac) { 0 };
	if (netlink_configure(c, host_fd, ns_fd, if_nametoindex("tap0"),
			      &tap_mac, err))
		return true;
	printf("  %s\n", err);
	return false;
}

#define ENTER(with_tap)							\
	do {								\
		if (!enter(with_tap))					\
			SKIP(why_not);					\
	} while (0)

TEST(without_configuring_only_loopback_comes_up)
{
	struct conf c = conf_local();

	HOST("");
	c.config_net = false;
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip link show lo", "LOOPBACK,UP"));
	OK(!strstr(output_of("ip link show tap0"), "UP"));
	OK(shows("ip link show tap0", "mtu 1500"));
	EQ(lines_of("ip route; ip addr show tap0"), 2);
	OK(tap_mac.b[0] || tap_mac.b[5]);
}

TEST(without_an_interface_only_loopback_comes_up)
{
	struct conf c = conf_local();

	HOST("");
	ENTER(false);
	OK(configure(&c));
	OK(shows("ip link show lo", "LOOPBACK,UP"));
}

TEST(local_mode_is_usable_at_once)
{
	struct conf c = conf_local();

	HOST("");
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip link show tap0", "UP"));
	OK(shows("ip link show tap0", "mtu 65520"));
	OK(!strstr(output_of("ip link show tap0"), "NOARP"));
	OK(shows("ip -4 addr show tap0", "inet 169.254.2.1/16 scope global"));
	OK(shows("ip -4 route", "default via 169.254.2.2 dev tap0"));
	OK(shows("ip -6 addr show tap0", "inet6 fe80::"));
	OK(!strstr(output_of("ip -6 addr show tap0"), "tentative"));
	OK(shows("ip -6 route", "default via fe80::1 dev tap0"));
	EQ(lines_of("ip -o -6 addr show tap0"), 1);
	OK(shows("ip -d link show tap0", "addrgenmode eui64"));
}

TEST(the_mac_address_is_set_and_reported)
{
	struct conf c = conf_local();
	char text[MAC_STRLEN];

	HOST("");
	ENTER(true);
	c.guest_mac = (struct mac) { { 2, 0, 0, 0, 0, 7 } };
	OK(configure(&c));
	STREQ(mac_str(&tap_mac, text), "02:00:00:00:00:07");
	OK(shows("ip link show tap0", "02:00:00:00:00:07"));

	HOST("");
	ENTER(true);
	c.guest_mac.b[0] = 3;
	OK(!netlink_configure(&c, host_fd, ns_fd, if_nametoindex("tap0"),
			      &tap_mac, err));
	OK(strstr(err, "--ns-mac-addr"));
}

TEST(no_mtu_means_none_is_set)
{
	struct conf c = conf_local();

	HOST("");
	ENTER(true);
	c.mtu = 0;
	OK(configure(&c));
	OK(shows("ip link show tap0", "mtu 1500"));
}

TEST(addresses_and_routes_of_the_template_are_copied)
{
	struct conf c;

	HOST("addr add 192.0.2.10/24 brd + dev eth0 label eth0:1;"
	     "addr add 198.51.100.10/25 dev eth0;"
	     "addr add 192.0.2.11/24 dev eth0;"
	     "addr add 203.0.113.5/24 dev eth0 scope link;"
	     "addr add 10.9.9.9/24 dev eth1;"
	     "route add default via 192.0.2.1 metric 100;"
	     "route add 10.1.0.0/16 via 192.0.2.2 mtu 1400;"
	     "route add 10.2.0.0/16 via 10.9.9.1;"
	     "route add blackhole 10.3.0.0/16;"
	     "addr add 2001:db8::10/64 dev eth0 nodad;"
	     "addr add 2001:db8::11/64 dev eth0 nodad preferred_lft 0;"
	     "addr add fe80::10/64 dev eth0 nodad;"
	     "route add default via fe80::1 dev eth0 metric 1024;"
	     "route add 2001:db8:5::/48 via 2001:db8::5");
	c = conf_copying("eth0");
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip -4 addr show tap0",
		 "inet 192.0.2.10/24 brd 192.0.2.255 scope global tap0"));
	OK(shows("ip -4 addr show tap0", "inet 198.51.100.10/25"));
	OK(shows("ip -4 addr show tap0",
		 "inet 192.0.2.11/24 scope global secondary"));
	EQ(lines_of("ip -o -4 addr show tap0"), 3);
	OK(shows("ip -4 route", "default via 192.0.2.1 dev tap0 metric 100"));
	OK(shows("ip -4 route", "10.1.0.0/16 via 192.0.2.2 dev tap0"));
	OK(shows("ip -4 route", "mtu 1400"));
	/* Connected: one each, with the address they belong to. And the one of
	 * the address that is not copied. */
	OK(shows("ip -4 route", "192.0.2.0/24 dev tap0 proto kernel scope link "
				"src 192.0.2.10"));
	EQ(lines_of("ip -4 route"), 5);
	OK(shows("ip -6 addr show tap0", "inet6 2001:db8::10/64 scope global"));
	OK(!strstr(output_of("ip -6 addr show tap0"), "tentative"));
	EQ(lines_of("ip -o -6 addr show tap0"), 2);
	OK(shows("ip -6 route", "default via fe80::1 dev tap0"));
	OK(shows("ip -6 route", "2001:db8:5::/48 via 2001:db8::5 dev tap0"));
	EQ(lines_of("ip -6 route"), 4);
}

TEST(routes_that_depend_on_others_are_copied_in_any_order)
{
	struct conf c;

	/* Dumps go by destination: 10/8 comes before what makes its gateway
	 * reachable, and that before its own. */
	HOST("addr add 192.0.2.10/24 dev eth0;"
	     "route add 203.0.113.0/24 via 192.0.2.1;"
	     "route add 172.16.0.0/12 via 203.0.113.1 onlink dev eth0;"
	     "route add 198.18.0.0/15 dev eth0;"
	     "route add 10.0.0.0/8 via 198.18.0.1;"
	     "addr add 2001:db8:ffff::10/64 dev eth0 nodad;"
	     "route add 2001:db8:fffe::/48 dev eth0;"
	     "route add 2001:db8:1::/48 via 2001:db8:fffe::1");
	c = conf_copying("eth0");
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip -4 route", "10.0.0.0/8 via 198.18.0.1 dev tap0"));
	OK(!strstr(output_of("ip -4 route show 10.0.0.0/8"), "onlink"));
	OK(shows("ip -4 route show 172.16.0.0/12", "onlink"));
	OK(shows("ip -4 route", "203.0.113.0/24 via 192.0.2.1 dev tap0"));
	OK(shows("ip -6 route", "2001:db8:1::/48 via 2001:db8:fffe::1 dev "
				"tap0"));
}

TEST(gateways_the_chosen_address_cannot_reach_are_on_link)
{
	struct conf c;

	HOST("addr add 192.0.2.10/24 dev eth0; route add default via 192.0.2.1;"
	     "addr add 2001:db8::10/64 dev eth0 nodad;"
	     "route add default via 2001:db8::1");
	c = conf_copying("eth0");
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		c.net[fam].copy_addrs = false;
	c.net[FAM4].guest = A("10.0.2.100");
	c.net[FAM4].prefix_len = 24;
	c.net[FAM6].guest = A("fd00::3");
	c.net[FAM6].prefix_len = 64;
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip -4 route", "default via 192.0.2.1 dev tap0"));
	OK(shows("ip -6 route", "default via 2001:db8::1 dev tap0"));
	EQ(lines_of("ip -o -4 addr show tap0"), 1);

	HOST("");
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		c.net[fam].copy_routes = false;
	c.net[FAM4].gw = A("172.16.0.1");
	c.net[FAM6].gw = A("fd01::1");
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip -4 route", "default via 172.16.0.1 dev tap0"));
	OK(shows("ip -6 route", "default via fd01::1 dev tap0"));
}

TEST(of_several_hops_those_by_the_template_are_copied)
{
	struct conf c;

	HOST("addr add 192.0.2.10/24 dev eth0; addr add 198.51.100.10/24 dev "
	     "eth1; route add default nexthop via 192.0.2.1 weight 2 "
	     "nexthop via 198.51.100.1 nexthop via 192.0.2.2;"
	     "route add 10.0.0.0/8 nexthop via 198.51.100.1 "
	     "nexthop via 198.51.100.2;"
	     "nexthop add id 5 via 192.0.2.4 dev eth0;"
	     "route add 172.16.0.0/12 nhid 5");
	c = conf_copying("eth0");
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip -4 route show default", "nexthop via 192.0.2.1 dev tap0 "
					     "weight 2"));
	OK(shows("ip -4 route show default", "nexthop via 192.0.2.2 dev tap0"));
	OK(!strstr(output_of("ip -4 route"), "198.51.100"));
	OK(!strstr(output_of("ip -4 route"), "10.0.0.0/8"));
	OK(shows("ip -4 route", "172.16.0.0/12 via 192.0.2.4 dev tap0"));
}

TEST(ipv4_by_an_ipv6_gateway_is_copied)
{
	struct conf c;

	HOST("addr add 192.0.2.10/32 dev eth0;"
	     "route add 0.0.0.0/0 via inet6 fe80::1 dev eth0");
	c = conf_copying("eth0");
	ENTER(true);
	OK(configure(&c));
	OK(shows("ip -4 route", "default via inet6 fe80::1 dev tap0"));
}

TEST(thousands_of_routes_are_copied_quickly)
{
	static char lines[262144];
	struct timespec start, end;
	struct conf c;
	char *p = lines;
	long ms;

	p += sprintf(p, "addr add 192.0.2.10/24 dev eth0;"
			"addr add 2001:db8::10/64 dev eth0 nodad");
	for (unsigned i = 0; i < 2000; i++) {
		p += sprintf(p, ";route add 10.%u.%u.0/24 via 192.0.2.1",
			     i / 250, i % 250);
		p += sprintf(p, ";route add fd00:%x::/32 via 2001:db8::1",
			     i);
	}
	HOST(lines);
	c = conf_copying("eth0");
	ENTER(true);
	clock_gettime(CLOCK_MONOTONIC, &start);
	OK(configure(&c));
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (end.tv_sec - start.tv_sec) * 1000 +
	     (end.tv_nsec - start.tv_nsec) / 1000000;
	EQ(atoi(output_of("ip -4 route | wc -l")), 2001);
	EQ(atoi(output_of("ip -6 route | grep -c via")), 2000);
	if (!OK(ms < 2000))
		printf("  %ld ms\n", ms);
}

TEST(a_namespace_without_ipv6_gets_ipv4)
{
	struct conf c = conf_local();

	HOST("");
	ENTER(true);
	if (write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1") ||
	    write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"))
		SKIP("cannot turn off IPv6 here");
	c.net[FAM6].guest = A("fd00::3");
	log_threshold = LOG_LVL_ERR;
	OK(configure(&c));
	OK(c.net[FAM4].enabled && !c.net[FAM6].enabled);
	OK(shows("ip -4 route", "default via 169.254.2.2 dev tap0"));
}

TEST(a_family_that_is_off_is_left_alone)
{
	struct conf c = conf_local();

	HOST("");
	ENTER(true);
	c.net[FAM6] = (struct conf_net) { 0 };
	OK(configure(&c));
	EQ(lines_of("ip -o -6 addr show tap0 scope global"), 0);
	EQ(lines_of("ip -6 route show default"), 0);

	HOST("");
	ENTER(true);
	c = conf_local();
	c.net[FAM4] = (struct conf_net) { 0 };
	OK(configure(&c));
	EQ(lines_of("ip -o -4 addr show tap0"), 0);
	OK(shows("ip -6 route", "default via fe80::1"));
}

TEST(an_interface_that_is_there_again_can_be_configured_again)
{
	struct conf c = conf_local();

	HOST("");
	ENTER(true);
	OK(configure(&c));
	OK(configure(&c));
	EQ(lines_of("ip -4 route"), 2);
	close_all();
}
