/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmdline.c - what command lines mean, and what is said about wrong ones
 *
 * Some lines with what they have to come to; then two tables, of lines that are
 * accepted, and of lines that are refused with words the error has to contain.
 * That every option is in one of them is checked against options.def.
 */
/* links: setup/cmdline setup/cmdline_value addr buf util */
#include "setup/setup.h"

#include <stdlib.h>
#include <string.h>

#include "test/unit/test.h"
#include "util.h"

static struct request req;
static char err[ERR_MAX];

/* Words are split at blanks; "_" stands for an empty word, "+" for a blank. */
static bool parse(const char *line)
{
	static char text[16384];
	static char *argv[2048];
	int argc = 0;

	if (!str_copy(text, sizeof(text), line))
		return false;
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) {
		if (!strcmp(w, "_"))
			*w = '\0';
		for (char *p = strchr(w, '+'); p; p = strchr(p, '+'))
			*p = ' ';
		argv[argc++] = w;
	}
	argv[argc] = NULL;
	return cmdline_parse(&req, argc, argv, err);
}

static bool addr_is(const struct addr *a, const char *text)
{
	char buf[ADDR_STRLEN];

	return !strcmp(addr_str(a, buf), text);
}

#define NET4	req.net[FAM4]
#define NET6	req.net[FAM6]

/* One line, one expectation; a failing row is named by its line. */
#define GIVES(line, cond)						\
	do {								\
		if (!parse(line))					\
			printf("  refused: %s: %s\n", line, err);	\
		else if (!(cond))					\
			printf("  not as expected: %s\n", line);	\
		else							\
			break;						\
		test_failures++;					\
	} while (0)

TEST(the_mode_comes_from_the_last_component_of_the_name)
{
	GIVES("passt", req.mode == MODE_PASST);
	GIVES("/usr/bin/passt", req.mode == MODE_PASST);
	GIVES("passt.avx2", req.mode == MODE_PASST);
	GIVES("pasta", req.mode == MODE_PASTA);
	GIVES("foo-pasta.avx2", req.mode == MODE_PASTA);
	GIVES("mypasst-pasta", req.mode == MODE_PASTA);
	GIVES("/opt/pasta/passt", req.mode == MODE_PASST);
	GIVES("/opt/pasta/passt -h", req.mode == MODE_PASST &&
	      req.action == ACT_HELP);
	OK(!parse("/opt/pasta/foo"));
	OK(!parse("foo --version"));
	OK(!cmdline_parse(&req, 0, (char *[]) { NULL }, err));
}

TEST(actions_take_place_where_they_are_reached)
{
	GIVES("passt --version --nonsense", req.action == ACT_VERSION);
	GIVES("passt -h", req.action == ACT_HELP);
	GIVES("passt --help -m banana", req.action == ACT_HELP);
	GIVES("passt -fh -m banana", req.action == ACT_HELP);
	GIVES("pasta --host-lo-to-ns-lo --version", req.action == ACT_VERSION);
	GIVES("passt --print-capabilities", req.action == ACT_CAPABILITIES);
	GIVES("foo --vhost-user --print-capabilities",
	      req.action == ACT_CAPABILITIES);
	OK(!parse("passt --nonsense --version"));
	OK(!parse("passt --host-lo-to-ns-lo --version"));
}

TEST(syntax_is_that_of_getopt_long)
{
	GIVES("passt -fq", req.foreground && req.quiet);
	GIVES("passt -fm1500", req.foreground && req.mtu == 1500);
	GIVES("passt -m 1500", req.mtu == 1500);
	GIVES("passt --mtu=1500", req.mtu == 1500);
	GIVES("passt --mtu 1500", req.mtu == 1500);
	GIVES("passt --mt 1500", req.mtu == 1500);
	GIVES("passt --map-gues 192.0.2.9", NET4.has_map_guest);
	GIVES("passt --sock /tmp/x", !strcmp(req.socket_path, "/tmp/x"));
	GIVES("passt --socket /tmp/x", !strcmp(req.socket_path, "/tmp/x"));
	GIVES("passt --socket-path=/tmp/x", !strcmp(req.socket_path, "/tmp/x"));
	GIVES("passt -s-f", !strcmp(req.socket_path, "-f"));
	GIVES("passt -s -f", !strcmp(req.socket_path, "-f") &&
	      !req.foreground);
	GIVES("passt -lFoo", !strcmp(req.log_file, "Foo") && req.fd == -1);
	GIVES("passt --", req.action == ACT_RUN);
	GIVES("passt --hostname=", !*req.hostname);
}

TEST(words_after_the_options_are_left_alone)
{
	GIVES("pasta", !req.command && !req.pid);
	GIVES("pasta echo --vhost-user", req.mode == MODE_PASTA &&
	      !strcmp(req.command[0], "echo") &&
	      !strcmp(req.command[1], "--vhost-user") && !req.command[2]);
	GIVES("pasta -f echo --fd 2 -q", req.foreground && !req.quiet &&
	      req.fd == -1);
	GIVES("pasta -- --version", req.action == ACT_RUN &&
	      !strcmp(req.command[0], "--version"));
	GIVES("pasta - x", !strcmp(req.command[0], "-"));
	GIVES("pasta 123", req.pid == 123 && !req.command);
	GIVES("pasta -- 123", req.pid == 123 && !req.command);
	GIVES("pasta 123 -f", !req.pid && !strcmp(req.command[0], "123") &&
	      !strcmp(req.command[1], "-f"));
	GIVES("pasta ./123", !req.pid && !strcmp(req.command[0], "./123"));
	GIVES("pasta 12a", !req.pid && req.command);
	GIVES("pasta _", !req.pid && req.command);
}

TEST(a_command_keeps_pasta_in_the_foreground)
{
	GIVES("pasta", req.foreground);
	GIVES("pasta true", req.foreground);
	GIVES("pasta 123", !req.foreground);
	GIVES("pasta --netns x", !req.foreground);
	GIVES("passt", !req.foreground);
}

TEST(later_occurrences_win)
{
	GIVES("passt -m 1500 -m 1400", req.mtu == 1400);
	GIVES("pasta --ns-mac-addr 02:00:00:00:00:01 "
	      "--ns-mac-addr 02:00:00:00:00:02", req.ns_mac.b[5] == 2);
	GIVES("passt -a 192.0.2.1 -a 2001:db8::1 -a 192.0.2.2",
	      addr_is(&NET4.address, "192.0.2.2") &&
	      addr_is(&NET6.address, "2001:db8::1"));
	GIVES("passt -4 -6", req.ipv6_only && !req.ipv4_only);
	GIVES("passt -6 -4", req.ipv4_only && !req.ipv6_only);
	GIVES("passt -6 -4 -6", req.ipv6_only && !req.ipv4_only);
	GIVES("passt -F 5 -s /tmp/x", req.fd == -1 && req.socket_path &&
	      !req.one_off);
	GIVES("passt -s /tmp/x -F 5", req.fd == 5 && !req.socket_path &&
	      req.one_off);
	GIVES("passt -1 -F 5 -s /tmp/x", req.one_off);
	GIVES("pasta --userns /u --netns-only true", !req.userns &&
	      req.netns_only);
	GIVES("pasta --netns-only --userns /u true", req.userns &&
	      !req.netns_only);
}

TEST(verbosity_goes_by_the_last_word)
{
	GIVES("passt", req.level == LOG_LVL_INFO && !req.quiet);
	GIVES("passt -d", req.level == LOG_LVL_DEBUG);
	GIVES("passt --trace", req.level == LOG_LVL_TRACE);
	GIVES("passt --trace -d", req.level == LOG_LVL_TRACE);
	GIVES("passt -q", req.level == LOG_LVL_WARN && req.quiet);
	GIVES("passt -q -d", req.level == LOG_LVL_DEBUG && !req.quiet);
	GIVES("passt -d -q", req.level == LOG_LVL_WARN && req.quiet);
	GIVES("passt --trace -q", req.level == LOG_LVL_WARN);
}

TEST(addresses_carry_prefix_lengths)
{
	GIVES("passt -a 192.0.2.1", NET4.has_address && NET4.prefix_len == -1);
	GIVES("passt -a 192.0.2.1/24", NET4.prefix_len == 24);
	GIVES("passt -a 192.0.2.1/0", NET4.prefix_len == -1);
	GIVES("passt -a 192.0.2.1/024", NET4.prefix_len == 24);
	GIVES("passt -a [192.0.2.1]/24", NET4.prefix_len == 24);
	GIVES("passt -a ::ffff:192.0.2.1/120", NET4.prefix_len == 24 &&
	      addr_is(&NET4.address, "192.0.2.1"));
	GIVES("passt -a ::ffff:192.0.2.1/96", NET4.prefix_len == -1);
	GIVES("passt -a ::ffff:192.0.2.1/128", NET4.prefix_len == 32);
	GIVES("passt -a 2001:db8::1/48", NET6.prefix_len == 48);
	GIVES("passt -a [2001:db8::1]", NET6.has_address);
	GIVES("passt -a 10.0.2.0 -n 24", req.netmask_len == 24);
	GIVES("passt -a 10.0.2.0 -n 255.255.240.0", req.netmask_len == 20);
	GIVES("passt -n 0x10", req.netmask_len == 16);
	GIVES("passt -n 0", req.netmask_len == -1);
	GIVES("passt -n 0.0.0.0", req.netmask_len == -1);
	GIVES("passt -n 24 -a 2001:db8::1/64", req.netmask_len == 24);
}

TEST(resolvers_and_domains_are_lists)
{
	GIVES("passt -D 192.0.2.1 -D 2001:db8::1 -D 192.0.2.2",
	      NET4.dns_cnt == 2 && NET6.dns_cnt == 1 && !req.dns_none);
	GIVES("passt -D 192.0.2.1 -D 192.0.2.2 -D 192.0.2.3 -D 192.0.2.4",
	      NET4.dns_cnt == 3 && addr_is(&NET4.dns[2], "192.0.2.3"));
	GIVES("passt -D 192.0.2.1 --dns-forward 192.0.2.7 "
	      "--dns-host 192.0.2.8 -D none", req.dns_none && !NET4.dns_cnt &&
	      !NET4.has_dns_forward && !NET4.has_dns_host);
	GIVES("passt -D none -D 192.0.2.1", !req.dns_none && NET4.dns_cnt == 1);
	GIVES("passt -D none --dns-forward 192.0.2.7", req.dns_none &&
	      NET4.has_dns_forward);
	GIVES("passt -S a.example -S b.example.", req.search_cnt == 2 &&
	      !strcmp(req.search[0], "a.example") &&
	      !strcmp(req.search[1], "b.example"));
	GIVES("passt --search a+b++c+", req.search_cnt == 3 &&
	      !strcmp(req.search[2], "c"));
	GIVES("passt -S x -S none", req.search_none && !req.search_cnt);
	GIVES("passt -S x -S none -S y", !req.search_none &&
	      req.search_cnt == 1 && !strcmp(req.search[0], "y"));
}

TEST(advertising_depends_on_the_mode)
{
	GIVES("passt", req.dhcp_dns && req.dhcp_search);
	GIVES("pasta", !req.dhcp_dns && !req.dhcp_search);
	GIVES("passt --no-dhcp-dns", !req.dhcp_dns && req.dhcp_search);
	GIVES("passt --no-dhcp-search", req.dhcp_dns && !req.dhcp_search);
	GIVES("pasta --dhcp-dns", req.dhcp_dns && !req.dhcp_search);
	GIVES("pasta --dhcp-search", !req.dhcp_dns && req.dhcp_search);
}

TEST(mappings_can_be_turned_off)
{
	GIVES("passt --map-host-loopback 192.0.2.9", NET4.has_map_loopback &&
	      !NET6.has_map_loopback && !req.map_loopback_none);
	GIVES("passt --map-host-loopback 192.0.2.9 --map-host-loopback "
	      "2001:db8::9 --map-host-loopback none", req.map_loopback_none &&
	      !NET4.has_map_loopback && !NET6.has_map_loopback);
	GIVES("passt --map-host-loopback none --map-host-loopback 192.0.2.9",
	      NET4.has_map_loopback);
	GIVES("passt --map-guest-addr 192.0.2.9 --map-guest-addr none",
	      req.map_guest_none && !NET4.has_map_guest);
	GIVES("passt --no-map-gw", req.no_map_gw);
}

TEST(a_network_namespace_alone_means_no_user_namespace)
{
	GIVES("pasta --netns /run/x", req.netns_only);
	GIVES("pasta --netns x --userns /proc/1/ns/user", !req.netns_only);
	GIVES("pasta --userns /proc/1/ns/user --netns x", !req.netns_only);
	GIVES("pasta --netns-only 123", req.netns_only && req.pid == 123);
}

TEST(port_specifications_are_kept_in_order)
{
	GIVES("pasta -t 22 -U none --tcp-ports=80 -T5201 -u auto true",
	      req.spec_cnt == 5 && req.spec[0].letter == 't' &&
	      req.spec[1].letter == 'U' && req.spec[2].letter == 't' &&
	      !strcmp(req.spec[2].text, "80") && req.spec[3].letter == 'T' &&
	      !strcmp(req.spec[3].text, "5201") && req.given_t &&
	      req.given_u && req.given_T && req.given_U);
	GIVES("passt -t 22", req.given_t && !req.given_u && !req.given_T);
}

TEST(too_many_port_specifications_are_refused)
{
	char line[16384] = "passt";

	for (int i = 0; i < REQ_SPECS_MAX; i++)
		strcat(line, " -t 1");
	OK(parse(line));
	EQ(req.spec_cnt, REQ_SPECS_MAX);
	strcat(line, " -t 1");
	OK(!parse(line));
}

TEST(deprecated_options_are_noted_to_be_warned_of)
{
	GIVES("pasta --config-net --no-copy-addrs --stderr 1",
	      req.deprecated_cnt == 2 &&
	      !strcmp(req.deprecated[0].option, "stderr") &&
	      !strcmp(req.deprecated[1].option, "no-copy-addrs") &&
	      !strcmp(req.deprecated[1].instead, "give --address instead"));
	GIVES("pasta --config-net --gateway 192.0.2.1", !req.deprecated_cnt);
}

TEST(control_characters_do_not_break_the_line)
{
	char *argv[] = { "passt", "--mtu", "1\n2", NULL };

	OK(!cmdline_parse(&req, 3, argv, err));
	STREQ(err, "--mtu: '1?2' is not a number from 0 to 65521");
	argv[1] = "--a\nb";
	OK(!cmdline_parse(&req, 2, argv, err));
	OK(!strchr(err, '\n'));
	argv[0] = "a\nb";
	OK(!cmdline_parse(&req, 1, argv, err));
	OK(!strchr(err, '\n'));
}

TEST(statistics_need_somewhere_to_go)
{
	GIVES("passt --stats 5 -f", req.stats_s == 5);
	GIVES("passt -f --stats 5", req.stats_s == 5);
	GIVES("pasta --stats 5 true", req.stats_s == 5);
	GIVES("passt --stats 0", !req.stats_s);
	OK(!parse("passt --stats 5"));
	OK(!parse("pasta --stats 5 123"));
}

static const char *const good[] = {
	"passt --conf-path /tmp/c",
	"pasta -c /tmp/c",
	"passt --help", "passt --version",
	"passt --print-capabilities", "passt --foreground",
	"passt --debug", "passt --trace", "passt --quiet",
	"pasta --stderr 1", "passt -e",
	"passt --log-file /tmp/l", "passt --log-size 40960",
	"passt --runas 1000:1000", "passt --pid /proc/9/fd/3",
	"passt --pcap f", "passt -f --stats 1",
	"passt --chroot-fallback", "passt --socket /tmp/s",
	"passt --fd 0", "passt --fd 3", "passt --one-off",
	"passt --repair-path none", "pasta --repair-path none",
	"pasta --netns x", "pasta --userns /u 1",
	"pasta --netns-only x", "pasta --no-netns-quit 1",
	"pasta --ns-ifname fifteencharacte",
	"pasta --ns-mac-addr 02:00:00:00:00:01",
	"pasta --config-net",
	"pasta --no-copy-routes --config-net",
	"pasta --config-net --no-copy-addrs",
	"pasta --host-lo-to-ns-lo", "pasta --no-splice",
	"passt --no-splice", "pasta --splice-only",
	"passt --address 192.0.2.1", "passt --netmask 24",
	"passt --mac-addr 52:54:00:12:34:56",
	"passt --gateway fe80::1", "passt --interface eth0",
	"passt --outbound 127.0.0.2",
	"passt --outbound-if4 eth9", "passt --outbound-if6 eth9",
	"passt --mtu 65521", "passt --mtu 0",
	"passt --ipv4-only", "passt --ipv6-only",
	"passt --dns none", "passt --dns-forward 192.0.2.1",
	"passt --dns-host 127.0.0.53", "passt --search none",
	"passt --hostname h", "passt --fqdn h.example",
	"pasta --dhcp-dns", "passt --no-dhcp-dns",
	"pasta --dhcp-search", "passt --no-dhcp-search",
	"passt --map-host-loopback 192.0.2.1",
	"passt --no-map-gw", "passt --map-guest-addr fd00::2",
	"passt --freebind", "passt --no-tcp",
	"passt --no-udp", "passt --no-icmp",
	"passt --no-dhcp", "passt --no-dhcpv6",
	"passt --no-ndp", "passt --no-ra",
	"passt --tcp-ports 22", "passt --udp-ports all",
	"pasta --tcp-ns 22", "pasta --udp-ns 53",
};

static const struct {
	const char *line, *names;
} bad[] = {
	/* Words that are no options. */
	{ "passt --xyz", "unrecognized option '--xyz'" },
	{ "passt --xyz=1", "unrecognized option '--xyz=1'" },
	{ "passt -x", "invalid option -- 'x'" },
	{ "passt -fx", "invalid option -- 'x'" },
	{ "passt --v", "'--v' is ambiguous; possibilities: '--version' "
		       "'--vhost-user'" },
	{ "passt --no-d", "ambiguous" },
	{ "passt --mtu", "option '--mtu' requires an argument" },
	{ "passt -m", "option requires an argument -- 'm'" },
	{ "passt -fm", "option requires an argument -- 'm'" },
	{ "passt --quiet=1", "option '--quiet' doesn't allow an argument" },
	{ "passt word", "'word'" }, { "passt -- word", "'word'" },
	{ "passt 123", "'123'" },
	{ "pasta --netns x word", "'word'" }, { "pasta --netns x 12", "'12'" },
	{ "pasta 0", "'0'" }, { "pasta 2147483648", "'2147483648'" },
	{ "pasta 99999999999999999999", "'99999999999999999999'" },

	/* Values. */
	{ "passt --log-file _", "--log-file" },
	{ "passt --log-size 40959", "--log-size: '40959'" },
	{ "passt --log-size 1M", "--log-size: '1M'" },
	{ "passt --runas _", "--runas: ''" },
	{ "passt --runas :", "--runas: ':'" },
	{ "passt --runas 0:", "--runas: '0:'" },
	{ "passt --runas :0", "--runas: ':0'" },
	{ "passt --runas a:b:c", "--runas: 'a:b:c'" },
	{ "passt --pid _", "--pid" }, { "passt --pcap _", "--pcap" },
	{ "passt -f --stats x", "--stats: 'x'" },
	{ "passt --socket _", "--socket" },
	{ "passt --fd 1", "--fd: '1'" }, { "passt --fd 2", "--fd: '2'" },
	{ "passt --fd -1", "--fd: '-1'" }, { "passt --fd x", "--fd: 'x'" },
	{ "passt --fd 2147483648", "--fd" },
	{ "passt --repair-path /r", "--repair-path '/r'" },
	{ "pasta --repair-path /r", "--repair-path '/r'" },
	{ "pasta --netns _", "--netns" }, { "pasta --userns _", "--userns" },
	{ "pasta --ns-ifname _", "--ns-ifname" },
	{ "pasta --ns-ifname sixteencharacter", "'sixteencharacter'" },
	{ "pasta --ns-ifname a/b", "'a/b'" },
	{ "pasta --ns-ifname a:b", "'a:b'" },
	{ "pasta --ns-ifname tap%d", "'tap%d'" },
	{ "pasta --ns-ifname a+b", "'a b'" },
	{ "pasta --ns-ifname .", "'.'" }, { "pasta --ns-ifname ..", "'..'" },
	{ "pasta --ns-mac-addr 2:0:0:0:0:1", "'2:0:0:0:0:1'" },
	{ "pasta --ns-mac-addr 03:00:00:00:00:01", "multicast" },
	{ "passt --mac-addr 52:54:00:12:34:5g", "--mac-addr" },
	{ "passt --address _", "--address" },
	{ "passt --address 0.0.0.0", "unspecified" },
	{ "passt --address ::", "unspecified" },
	{ "passt --address 127.0.0.1", "loopback" },
	{ "passt --address ::1", "loopback" },
	{ "passt --address 224.0.0.1", "multicast" },
	{ "passt --address ff02::1", "multicast" },
	{ "passt --address 255.255.255.255", "broadcast" },
	{ "passt --address 192.0.2.1/33", "'192.0.2.1/33'" },
	{ "passt --address 192.0.2.1/", "'192.0.2.1/'" },
	{ "passt --address 192.0.2.1/24x", "'192.0.2.1/24x'" },
	{ "passt --address 192.0.2.1/0x18", "'192.0.2.1/0x18'" },
	{ "passt --address 192.0.2.1/+24", "'192.0.2.1/ 24'" },
	{ "passt --address 192.0.2.1x", "'192.0.2.1x'" },
	{ "passt --address 2001:db8::1/129", "'2001:db8::1/129'" },
	{ "passt --address ::ffff:192.0.2.1/24", "from 96 to 128" },
	{ "passt --address fe80::1%eth0", "'fe80::1%eth0'" },
	{ "passt --netmask 33", "--netmask: '33'" },
	{ "passt --netmask 255.0.255.0", "'255.0.255.0'" },
	{ "passt --netmask x", "--netmask: 'x'" },
	{ "passt --netmask ::ffff:255.0.0.0", "--netmask" },
	{ "passt -n 24 -a 192.0.2.1/24", "--netmask" },
	{ "passt -a 192.0.2.1/24 -n 24", "--netmask" },
	{ "passt -a 192.0.2.1/24 -a 192.0.2.2 -n 24", "--netmask" },
	{ "passt --gateway 0.0.0.0", "unspecified" },
	{ "passt --gateway ::1", "loopback" },
	{ "passt --gateway 255.255.255.255", "broadcast" },
	{ "passt --gateway 224.0.0.1", "multicast" },
	{ "passt --gateway ::ffff:192.0.2.1", "mapped" },
	{ "passt --gateway [192.0.2.1]", "'[192.0.2.1]'" },
	{ "passt --interface _", "--interface" },
	{ "passt --interface sixteencharacter", "'sixteencharacter'" },
	{ "passt --outbound ::1", "loopback" },
	{ "passt --outbound ff02::1", "multicast" },
	{ "passt --outbound 0.0.0.0", "unspecified" },
	{ "passt --outbound ::192.0.2.1", "IPv4-compatible" },
	{ "passt --outbound ::ffff:192.0.2.1", "IPv4-mapped" },
	{ "passt --outbound 255.255.255.255", "broadcast" },
	{ "passt --outbound x", "--outbound: 'x'" },
	{ "passt --outbound-if4 _", "--outbound-if4" },
	{ "passt --outbound-if6 sixteencharacter", "--outbound-if6" },
	{ "passt --mtu 65522", "--mtu: '65522'" },
	{ "passt --mtu x", "--mtu: 'x'" }, { "passt --mtu _", "--mtu" },
	{ "passt --mtu -1", "--mtu: '-1'" },
	{ "passt --dns _", "--dns" }, { "passt --dns x", "--dns: 'x'" },
	{ "passt --dns-forward 127.0.0.1", "loopback" },
	{ "passt --dns-forward 224.0.0.1", "multicast" },
	{ "passt --dns-host ::", "unspecified" },
	{ "passt --search _", "--search" }, { "passt --search +", "--search" },
	{ "passt --search .", "--search" },
	{ "passt --search a+b+c+d+e+f+g", "--search" },
	{ "passt --map-host-loopback 127.0.0.1", "loopback" },
	{ "passt --map-host-loopback x", "'x'" },
	{ "passt --map-host-loopback 0.0.0.0", "unspecified" },
	{ "passt --map-guest-addr ::1", "loopback" },
	{ "passt --map-guest-addr x", "nor none" },
	{ "passt --dns-forward 255.255.255.255", "broadcast" },
	{ "passt --dns-host 255.255.255.255", "broadcast" },
	{ "passt --dns ::ffff:192.0.2.1", "mapped" },
	{ "passt --map-guest-addr ff02::1", "multicast" },

	/* Modes. */
	{ "pasta --socket /tmp/s", "--socket is not valid in pasta" },
	{ "pasta --fd 5", "--fd is not valid in pasta" },
	{ "pasta --one-off", "--one-off is not valid in pasta" },
	{ "pasta --no-dhcp-dns", "--no-dhcp-dns is not valid in pasta" },
	{ "pasta --no-dhcp-search", "--no-dhcp-search is not valid in pasta" },
	{ "passt --migrate-exit", "--migrate-exit needs --vhost-user" },
	{ "passt --migrate-no-linger", "--migrate-no-linger needs --vhost-user" },
	{ "pasta --migrate-exit", "--migrate-exit needs --vhost-user" },
	{ "passt --netns x", "--netns is not valid in passt" },
	{ "passt --userns x", "--userns is not valid in passt" },
	{ "passt --netns-only", "--netns-only is not valid" },
	{ "passt --no-netns-quit", "--no-netns-quit is not valid" },
	{ "passt --ns-ifname x", "--ns-ifname is not valid" },
	{ "passt --ns-mac-addr 02:00:00:00:00:01", "--ns-mac-addr is not" },
	{ "passt --config-net", "--config-net is not valid" },
	{ "passt --no-copy-routes", "--no-copy-routes is not valid" },
	{ "passt --no-copy-addrs", "--no-copy-addrs is not valid" },
	{ "passt --host-lo-to-ns-lo", "--host-lo-to-ns-lo is not valid" },
	{ "passt --splice-only", "--splice-only is not valid" },
	{ "passt --dhcp-dns", "--dhcp-dns is not valid" },
	{ "passt --dhcp-search", "--dhcp-search is not valid" },
	{ "passt --tcp-ns 22", "--tcp-ns is not valid" },
	{ "passt --udp-ns 53", "--udp-ns is not valid" },
	{ "pasta --vhost-user --config-net", "--config-net is not valid in "
					     "vhost-user mode" },

	/* Pairs, and what this build lacks. */
	{ "pasta --no-splice --splice-only", "excludes" },
	{ "pasta --no-splice --host-lo-to-ns-lo", "excludes" },
	{ "pasta --no-copy-routes", "needs --config-net" },
	{ "pasta --no-copy-addrs", "needs --config-net" },
	{ "passt --vhost-user", "not supported by this build" },
	{ "pasta --vhost", "not supported by this build" },
	{ "passt --vhost-user --migrate-exit --migrate-no-linger "
	  "--repair-path /r", "not supported by this build" },
};

TEST(each_good_line_is_accepted)
{
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		bool ok = parse(good[i]);

		if (!ok)
			printf("  %s: %s\n", good[i], err);
		OK(ok);
	}
}

TEST(each_bad_line_is_refused_with_the_words_that_explain_it)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		bool refused = !parse(bad[i].line);
		bool named = refused && strstr(err, bad[i].names);

		if (!refused || !named)
			printf("  %s: \"%s\", not \"...%s...\"\n", bad[i].line,
			       refused ? err : "accepted", bad[i].names);
		OK(refused && named);
		OK(!refused || !strchr(err, '\n'));
	}
}

TEST(values_too_long_are_refused_and_cut_short_in_the_message)
{
	static const struct {
		const char *option;
		size_t max;
	} rows[] = {
		{ "passt --socket ", 107 }, { "passt --hostname ", 253 },
		{ "passt --fqdn ", 253 }, { "passt --search ", 253 },
		{ "passt --pid ", PATH_MAX - 1 },
		{ "passt --pcap ", PATH_MAX - 1 },
		{ "pasta --userns ", PATH_MAX - 1 },
	};
	char line[PATH_MAX + 64], value[PATH_MAX + 1];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(value, 'x', sizeof(value));
		value[rows[i].max] = '\0';
		snprintf(line, sizeof(line), "%s%s", rows[i].option, value);
		OK(parse(line));
		strcat(line, "x");
		OK(!parse(line));
		OK(strlen(err) < 200);
	}
}

static bool has_word(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	while (at && at[strlen(word)] && at[strlen(word)] != ' ')
		at = strstr(at + 1, word);
	return at;
}

TEST(every_option_is_in_the_tables)
{
	static const char *const all[] = {
#define OPT(id, long_, ...) long_,
#include "setup/options.def"
	};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		char word[64];
		unsigned n = 0;

		snprintf(word, sizeof(word), "--%s", all[i]);
		for (unsigned j = 0; j < ARRAY_SIZE(good); j++)
			n += has_word(good[j], word);
		for (unsigned j = 0; j < ARRAY_SIZE(bad); j++)
			n += has_word(bad[j].line, word);
		if (!n)
			printf("  in neither table: %s\n", word);
		OK(n);
	}
}

TEST(clients_command_lines_are_accepted_as_they_are)
{
	static const char *const lines[] = {
		/* Podman */
		("pasta --config-net --dns-forward 169.254.1.1 -t none -u none "
		 "-T none -U none --no-map-gw --quiet --netns netns123 "
		 "--map-guest-addr 169.254.1.2"),
		("/usr/bin/pasta --config-net --pid /run/p -t 80-82:80-82 "
		 "-t 0.0.0.0/5000:192.0.2.5/6000 --dns-forward 169.254.1.1 "
		 "-u none -T none -U none --no-map-gw --quiet --netns /run/n "
		 "--map-guest-addr 169.254.1.2"),
		("pasta --config-net --ipv4-only -a 10.0.2.0 -n 24 -g 10.0.2.2 "
		 "--dns-forward 10.0.2.3 -m 1500 --no-ndp --no-dhcpv6 --no-dhcp "
		 "-t none -u none -T none -U none --no-map-gw --quiet --netns x"),
		/* RootlessKit */
		("pasta --stderr --ns-ifname=tap0 --mtu=65520 --config-net "
		 "--address=10.0.2.100 --netmask=24 --gateway=10.0.2.2 "
		 "--dns-forward=10.0.2.3 --no-map-gw --ipv4-only "
		 "--tcp-ports=auto --udp-ports=auto --host-lo-to-ns-lo 4711"),
		("pasta --stderr --ns-ifname=tap0 --mtu=65520 --config-net "
		 "--address=10.0.2.100 --netmask=24 --gateway=10.0.2.2 "
		 "--dns-forward=10.0.2.3 --no-map-gw --tcp-ports=none "
		 "--udp-ports=none --host-lo-to-ns-lo "
		 "--userns=/proc/4711/ns/user --netns=/run/x/netns"),
		/* libvirt */
		("passt --one-off --socket /run/s.socket --pid /run/p.pid "
		 "--mtu 1500 --interface eth0 --log-file /tmp/l --hostname h "
		 "--fqdn h.example --address 172.17.2.0 --netmask 24 "
		 "--address 2001:db8:ac10:fd01::1:10 --tcp-ports "
		 "2001:db8:ac10:fd01::1:10/22:2022,1000-1050,~1020,~1030-1040 "
		 "--udp-ports 1.2.3.4%eth0/5000-5020:6000-6020,~5010-5015 "
		 "--tcp-ports 80 --tcp-ports 443:344"),
		/* QEMU, libguestfs, libkrun, crun, muvm */
		("passt --one-off --socket /tmp/S --pid /tmp/P --address "
		 "169.254.2.15 --netmask 16 --mac-addr 52:56:00:00:00:02 "
		 "--gateway 169.254.2.2"),
		"passt -f --fd 5", "passt -t all -f --fd 5",
		"passt -t all -u all --no-dhcp-dns --no-map-gw --fd 5",
		/* Lix, sandboxes, qemus */
		("pasta --quiet --foreground --config-net "
		 "--gateway 169.254.1.1 --address 169.254.1.2 --netmask 16 "
		 "--dns-forward 169.254.1.1 "
		 "--gateway 64:ff9b:1:4b8e:472e:a5c8:a9fe:0101 "
		 "--address 64:ff9b:1:4b8e:472e:a5c8:a9fe:0102 "
		 "--dns-forward 64:ff9b:1:4b8e:472e:a5c8:a9fe:0101 "
		 "--ns-ifname eth0 --no-netns-quit --netns /proc/self/fd/0 "
		 "--userns /proc/self/fd/1"),
		("pasta --config-net --foreground --userns /proc/9/fd/7 "
		 "--pid /proc/9/fd/8 4711"),
		"pasta --config-net --quiet 4711",
		("pasta --config-net --quiet --no-map-gw -t none -u none "
		 "-T 5201 -U none -- bwrap --ro-bind / /"),
		("pasta --map-host-loopback none --map-guest-addr none "
		 "--no-splice --no-ra --search none --runas 0 true"),
		("pasta --splice-only --host-lo-to-ns-lo "
		 "--tcp-ports 127.0.0.1/5000:5100 true"),
		("passt -4 -a 192.0.2.5 -g 192.0.2.1 -n 255.255.255.0 -m 1500 "
		 "-t 22,80 -u 53 -H guest -M 02:00:00:00:00:01 "
		 "--runas 1000:1000 -P /var/run/passt.pid "
		 "-s /tmp/passt.socket -l /var/log/passt.log -q"),
		("passt --quiet --fd 5 --mtu 1500 --search a+b --freebind "
		 "--no-ra --dns-host 127.0.0.53 --mac-addr 52:54:00:12:34:56"),
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		bool ok = parse(lines[i]);

		if (!ok)
			printf("  %s: %s\n", lines[i], err);
		OK(ok);
	}
}
