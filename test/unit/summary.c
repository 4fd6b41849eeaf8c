/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary.c - what is said of a configuration, word for word
 *
 * From command lines and a made-up host, by way of the parser and derive.c.
 */
/* links: setup/summary setup/derive setup/cmdline setup/cmdline_value fwd_spec
 *	  log timer addr buf util */
#include "setup/setup.h"

#include <string.h>
#include <unistd.h>

#include "log.h"
#include "test/unit/test.h"
#include "util.h"

static struct addr A(const char *text)
{
	struct addr a = { 0 };

	OK(addr_parse(&a, text));
	return a;
}

static struct host host(void)
{
	struct host h = {
		.net = {
			{ .supported = true, .ifindex = 2, .ifname = "eth0",
			  .addr = A("192.0.2.10"), .prefix_len = 24,
			  .gw = A("192.0.2.1") },
			{ .supported = true, .ifindex = 2, .ifname = "eth0",
			  .addr = A("2001:db8::10"), .prefix_len = 64,
			  .gw = A("fe80::1") },
		},
		.ephemeral_first = 32768, .ephemeral_last = 60999,
		.can_bind_device = true,
	};

	return h;
}

static struct conf c;
static struct request req;
static char text[8192];

/* What @say sends to standard error. */
static void caught(void (*say)(void))
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t len;

	dup2(fileno(f), STDERR_FILENO);
	say();
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	fclose(f);
}

static void say_summary(void) { conf_summary(&c); }
static void say_warnings(void) { conf_warn(&c, &req); }

static void derive(const struct host *h, const char *line)
{
	static char words[1024], *argv[64];
	char err[ERR_MAX];
	int argc = 0;

	str_copy(words, sizeof(words), line);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	OK(cmdline_parse(&req, argc, argv, err));
	OK(derive_conf(&c, &req, h, err));
}

static const char *summary(const struct host *h, const char *line)
{
	derive(h, line);
	caught(say_summary);
	return text;
}

static const char *warnings(const struct host *h, const char *line)
{
	derive(h, line);
	caught(say_warnings);
	return text;
}

TEST(a_virtual_machine_is_told_all_it_gets)
{
	struct host h = host();

	h.nameserver[0] = A("127.0.0.53");
	h.nameserver[1] = A("2001:db8::53");
	h.nameserver_cnt = 2;
	strcpy(h.search[0], "example.com");
	h.search_cnt = 1;
	STREQ(summary(&h, "passt -s /tmp/x.socket -t 22 -t 0.0.0.0/80:8080 "
			  "-o 192.0.2.11 --outbound-if6 eth1 "
			  "--map-guest-addr 192.0.2.99"),
	      "Template interface: eth0 (IPv4)\n"
	      "Outbound IPv4 address: 192.0.2.11\n"
	      "Template interface: eth0 (IPv6)\n"
	      "Outbound interface: eth1 (IPv6)\n"
	      "MAC:\n"
	      "    host: 9a:55:9a:55:9a:55\n"
	      "NAT to host 127.0.0.1: 192.0.2.1\n"
	      "NAT to host's own address: 192.0.2.99\n"
	      "DHCP:\n"
	      "    assign: 192.0.2.10/24\n"
	      "    router: 192.0.2.1\n"
	      "    DNS at 192.0.2.1 goes to 127.0.0.53\n"
	      "DNS:\n"
	      "    192.0.2.1\n"
	      "NAT to host ::1: fe80::1\n"
	      "NDP/DHCPv6:\n"
	      "    assign: 2001:db8::10/64\n"
	      "    router: fe80::1\n"
	      "    our link-local: fe80::1\n"
	      "DNS:\n"
	      "    2001:db8::53\n"
	      "DNS search list:\n"
	      "    example.com\n"
	      "Inbound (HOST):\n"
	      "    TCP [*]:22  =>  22 \n"
	      "    TCP [0.0.0.0]:80  =>  8080 \n"
	      "You can now start a virtual machine, for example:\n"
	      "    qemu-system-x86_64 ... "
	      "-device virtio-net-pci,netdev=n -netdev stream,id=n,"
	      "server=off,addr.type=unix,addr.path=/tmp/x.socket\n");
}

TEST(a_namespace_in_local_mode_is_told_so)
{
	struct host h = host();

	h.net[FAM4].ifindex = 0;
	STREQ(summary(&h, "pasta -4 --no-dhcp -t none -u none -T none -U 53 "
			  "--no-map-gw 1"),
	      "No interface of the host can be a template for IPv4: using "
	      "link-local addresses\n"
	      "Namespace interface: tap0\n"
	      "MAC:\n"
	      "    host: 9a:55:9a:55:9a:55\n"
	      "IPv4:\n"
	      "    assign: 169.254.2.1/16\n"
	      "    router: 169.254.2.2\n"
	      "Outbound (SPLICE):\n"
	      "    UDP [0.0.0.0]%lo:53  =>  53 \n");
}

TEST(splicing_only_has_no_addresses_to_tell_of)
{
	struct host h = host();

	STREQ(summary(&h, "pasta --splice-only -c /tmp/control -t 80 -u none "
			  "-T none -U none"),
	      "Control socket: /tmp/control\n"
	      "Inbound (HOST):\n"
	      "    TCP [*]:80  =>  80 \n");
}

TEST(services_that_are_off_have_no_heading)
{
	struct host h = host();

	OK(strstr(summary(&h, "passt --no-ndp"), "\nDHCPv6:\n"));
	OK(strstr(summary(&h, "passt --no-dhcpv6"), "\nNDP:\n"));
	OK(strstr(summary(&h, "passt --no-dhcpv6 --no-ndp"), "\nIPv6:\n"));
	OK(!strstr(summary(&h, "passt -F 5"), "start a virtual machine"));
}

TEST(ordinary_lines_cause_no_warning)
{
	struct host h = host();

	STREQ(warnings(&h, "pasta --config-net 1"), "");
	STREQ(warnings(&h, "pasta --config-net -m 0 1"), "");
	STREQ(warnings(&h, "passt --no-dhcp-dns -m 1280"), "");
	STREQ(warnings(&h, "passt -D none"), "");
	STREQ(warnings(&h, "pasta --splice-only --dhcp-dns"), "");
}

TEST(deprecated_options_are_warned_of_with_what_to_do)
{
	struct host h = host();

	STREQ(warnings(&h, "pasta --config-net --stderr --no-copy-routes"),
	      "--stderr is deprecated: it has no effect\n"
	      "--no-copy-routes is deprecated: give --gateway instead\n");
}

TEST(mtus_too_small_are_warned_of_by_family)
{
	struct host h = host();

	STREQ(warnings(&h, "pasta -m 1279"),
	      "--mtu 1279 is less than the 1280 that IPv6 needs\n");
	STREQ(warnings(&h, "pasta -m 1279 --config-net"),
	      "--mtu 1279 is less than the 1280 that IPv6 needs: doing "
	      "without\n");
	STREQ(warnings(&h, "pasta -4 -m 1279"), "");
	STREQ(warnings(&h, "pasta -4 -m 67"),
	      "--mtu 67 is less than the 68 that IPv4 needs\n");
}

TEST(missing_resolvers_are_warned_of_where_they_would_be_advertised)
{
	struct host h = host();

	STREQ(warnings(&h, "passt"),
	      "Couldn't get any nameserver address for IPv4; give one with "
	      "--dns, or say none\n"
	      "Couldn't get any nameserver address for IPv6; give one with "
	      "--dns, or say none\n");
	STREQ(warnings(&h, "passt -D 192.0.2.53 --no-ra --no-dhcpv6"), "");
	STREQ(warnings(&h, "pasta"), "");
	STREQ(warnings(&h, "pasta -4 --dhcp-dns"),
	      "Couldn't get any nameserver address for IPv4; give one with "
	      "--dns, or say none\n");
}

TEST(forwarding_of_dns_to_nowhere_is_warned_of)
{
	struct host h = host();

	STREQ(warnings(&h, "pasta --dns-forward 169.254.1.1"),
	      "--dns-forward 169.254.1.1 leads nowhere so far: the host has "
	      "no IPv4 resolver; give one with --dns-host\n");
	STREQ(warnings(&h, "pasta --dns-forward 169.254.1.1 --dns-host "
			   "192.0.2.53"), "");
	h.nameserver[0] = A("192.0.2.53");
	h.nameserver_cnt = 1;
	STREQ(warnings(&h, "pasta --dns-forward 169.254.1.1"), "");
}
