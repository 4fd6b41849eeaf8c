/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - slirp4netns' command line, and what it means to pasta
 *
 * Options are stored as they are found, and judged when all are there. The
 * addresses follow from the network as with slirp4netns: gateway +2, resolver
 * +3, guest +100; IPv6 ones are fixed. Nothing is forwarded at first, in any
 * direction. Messages and where they go are those of slirp4netns 1.2.0 where it
 * has any: usage on standard output, also after an error.
 */
#include "contrib/slirp4netns/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "util.h"

#define MTU_USUAL	"1500"
#define NETWORK_USUAL	"10.0.2.0/24"
#define GUEST6		"fd00::100"
#define PREFIX_LEN6	64
#define GATEWAY6	"fd00::2"
#define DNS6		"fd00::3"

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("slirp4netns: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* --- the command line --- */

enum opt {
	OPT_CONFIGURE, OPT_EXIT_FD, OPT_READY_FD, OPT_MTU, OPT_IPV6,
	OPT_API_SOCKET, OPT_CIDR, OPT_NO_LOOPBACK, OPT_NETNS_TYPE, OPT_USERNS,
	OPT_SANDBOX, OPT_SECCOMP, OPT_OUTBOUND4, OPT_OUTBOUND6, OPT_NO_DNS,
	OPT_MAC, OPT_TARGET, OPT_HELP, OPT_VERSION, OPT_COUNT
};

static const struct {
	const char *name;
	char letter;
	const char *arg, *help;
} opts[OPT_COUNT] = {
	[OPT_CONFIGURE] = { "configure", 'c', NULL, "bring up the interface" },
	[OPT_EXIT_FD] = { "exit-fd", 'e', "FD",
		"specify the FD for terminating slirp4netns" },
	[OPT_READY_FD] = { "ready-fd", 'r', "FD",
		"specify the FD to write to when the network is configured" },
	[OPT_MTU] = { "mtu", 'm', "MTU",
		"specify MTU (default=1500, max=65521)" },
	[OPT_IPV6] = { "enable-ipv6", '6', NULL, "enable IPv6" },
	[OPT_API_SOCKET] = { "api-socket", 'a', "PATH",
		"specify API socket path" },
	[OPT_CIDR] = { "cidr", 0, "CIDR",
		"specify network address CIDR (default=10.0.2.0/24)" },
	[OPT_NO_LOOPBACK] = { "disable-host-loopback", 0, NULL,
		"prohibit connecting to 127.0.0.1:* on the host namespace" },
	[OPT_NETNS_TYPE] = { "netns-type", 0, "TYPE",
		"specify network namespace type ([path|pid], default=pid)" },
	[OPT_USERNS] = { "userns-path", 0, "PATH",
		"specify user namespace path" },
	[OPT_SANDBOX] = { "enable-sandbox", 0, NULL,
		"ignored: pasta is always confined" },
	[OPT_SECCOMP] = { "enable-seccomp", 0, NULL,
		"ignored: pasta is always confined" },
	[OPT_OUTBOUND4] = { "outbound-addr", 0, "IPv4",
		"source address or interface of IPv4 connections" },
	[OPT_OUTBOUND6] = { "outbound-addr6", 0, "IPv6",
		"source address or interface of IPv6 connections" },
	[OPT_NO_DNS] = { "disable-dns", 0, NULL,
		"10.0.2.3 (or its like) does not lead to the host's resolver" },
	[OPT_MAC] = { "macaddress", 0, "MAC",
		"specify the MAC address of the TAP (only valid with -c)" },
	[OPT_TARGET] = { "target-type", 0, "TYPE",
		"specify the target type (netns; bess is not supported)" },
	[OPT_HELP] = { "help", 'h', NULL, "show this help and exit" },
	[OPT_VERSION] = { "version", 'v', NULL, "show version and exit" },
};

/* What was given, "" for an option without argument. */
static const char *given[OPT_COUNT];

/* All that follows from the command line. */
static struct {
	const char *target, *tap;
	uint64_t mtu;
	struct addr network, netmask, gateway, dns;
	unsigned prefix_len;
} args;
static struct options options;

static void usage(void)
{
	printf("Usage: %s [OPTION]... PID|PATH [TAPNAME]\n"
	       "User-mode networking for unprivileged network namespaces.\n\n",
	       program_invocation_name);
	for (enum opt o = 0; o < OPT_COUNT; o++) {
		char left[64], letter[] = "-x, ";

		letter[1] = opts[o].letter;
		snprintf(left, sizeof(left), "%s--%s%s%s",
			 opts[o].letter ? letter : "", opts[o].name,
			 opts[o].arg ? "=" : "",
			 opts[o].arg ? opts[o].arg : "");
		printf("%-24s %s\n", left, opts[o].help);
	}
}

/* Said like slirp4netns does: what is wrong; on stdout, how it should be. */
static _Noreturn void misuse(const char *fmt, ...) PRINTF(1, 2);

static _Noreturn void misuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	usage();
	exit(EXIT_FAILURE);
}

static _Noreturn void about(enum opt o)
{
	if (o == OPT_HELP)
		usage();
	else
		puts("slirp4netns version 1.2.0\n"
		     "implemented by pasta " VERSION);
	exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void check_target_type(const char *type)
{
	if (type && !strcmp(type, "bess"))
		die("--target-type=bess is not supported, see passt(1) for "
		    "virtual machines");
	if (type && strcmp(type, "netns"))
		misuse("--target-type must be \"netns\"");
}

static void getopt_tables(struct option *longs, char *shorts)
{
	for (enum opt o = 0; o < OPT_COUNT; o++) {
		longs[o] = (struct option) {
			opts[o].name, opts[o].arg ? 1 : 0, NULL, (int)o + 256,
		};
		if (opts[o].letter)
			*shorts++ = opts[o].letter;
		if (opts[o].letter && opts[o].arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static enum opt opt_of(int got)
{
	enum opt o = 0;

	if (got >= 256)
		return (enum opt)(got - 256);
	while (opts[o].letter != got)
		o++;
	return o;
}

static void parse(int argc, char **argv)
{
	struct option longs[OPT_COUNT + 1] = { 0 };
	char shorts[2 * OPT_COUNT + 1];
	int got;

	getopt_tables(longs, shorts);
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		enum opt o;

		if (got == '?') {
			usage();
			exit(EXIT_FAILURE);
		}
		o = opt_of(got);
		if (o == OPT_HELP || o == OPT_VERSION)
			about(o);
		given[o] = optarg ? optarg : "";
	}
	check_target_type(given[OPT_TARGET]);
	if (argc - optind < 2) {
		usage();
		exit(EXIT_FAILURE);
	}
	if (argc - optind > 2)
		puts("WARNING: too many arguments");
	args.target = argv[optind];
	args.tap = argv[optind + 1];
}

/* --- what it means --- */

static int check_fd(enum opt o)
{
	uint64_t fd;

	if (!given[o])
		return -1;
	if (!parse_u64(given[o], INT32_MAX, &fd))
		misuse("%s must be a non-negative integer", opts[o].name);
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC))
		die("--%s=%s: %s", opts[o].name, given[o], strerror(errno));
	return (int)fd;
}

static struct addr in_network(const struct addr *net, unsigned offset)
{
	uint8_t b[4];

	addr_put(net, b);
	return addr4(get_be32(b) + offset);
}

static void check_network(void)
{
	const char *text = given[OPT_CIDR] ? given[OPT_CIDR] : NETWORK_USUAL;
	const char *slash = strchr(text, '/');
	char net[ADDR_STRLEN];
	struct addr masked;
	uint64_t plen;

	if (!slash || (size_t)(slash - text) >= sizeof(net) ||
	    !parse_u64(slash + 1, UINT32_MAX, &plen))
		die("invalid CIDR: %s", text);
	memcpy(net, text, (size_t)(slash - text));
	net[slash - text] = '\0';
	if (!addr_parse(&args.network, net) ||
	    addr_fam(&args.network) != FAM4)
		die("invalid CIDR: %s", text);
	if (plen < 1 || plen > 25)
		die("prefix length needs to be 1-25");
	masked = addr_mask(&args.network, (unsigned)plen);
	if (!addr_eq(&masked, &args.network))
		die("CIDR needs to be a network address like 10.0.2.0/24, not "
		    "like 10.0.2.100/24");
	args.prefix_len = (unsigned)plen;
	args.netmask = addr4(UINT32_MAX << (32 - plen));
	args.gateway = in_network(&args.network, 2);
	args.dns = in_network(&args.network, 3);
	options.guest[FAM4] = in_network(&args.network, 100);
}

static bool is_by_path(void)
{
	const char *type = given[OPT_NETNS_TYPE];

	if (type && strcmp(type, "path") && strcmp(type, "pid"))
		misuse("--netns-type must be either \"path\" or \"pid\"");
	return type && !strcmp(type, "path");
}

static void check_target(void)
{
	uint64_t pid;

	if (is_by_path()) {
		if (access(args.target, F_OK))
			misuse("existing path expected when --netns-type=path: "
			       "%s", strerror(errno));
	} else if (!parse_u64(args.target, INT32_MAX, &pid) || !pid) {
		misuse("PID must be a positive integer");
	}
	if (given[OPT_USERNS] && access(given[OPT_USERNS], F_OK))
		misuse("userns path doesn't exist: %s", given[OPT_USERNS]);
}

static void check(void)
{
	const char *mtu = given[OPT_MTU] ? given[OPT_MTU] : MTU_USUAL;

	if (!parse_u64(mtu, MTU_MAX, &args.mtu) || !args.mtu)
		misuse("MTU must be a positive integer (< %u)", MTU_MAX + 1);
	if (given[OPT_MAC] && !given[OPT_CONFIGURE])
		misuse("--macaddress cannot be specified when --configure or "
		       "-c is not specified");
	check_target();
	check_network();
	if (given[OPT_IPV6])
		addr_parse(&options.guest[FAM6], GUEST6);
	options.exit_fd = check_fd(OPT_EXIT_FD);
	options.ready_fd = check_fd(OPT_READY_FD);
	options.api_socket = given[OPT_API_SOCKET];
}

const struct options *options_parse(int argc, char **argv)
{
	parse(argc, argv);
	check();
	return &options;
}

/* --- pasta's command line --- */

static struct {
	char *argv[64];
	unsigned argc;
} pasta;

static void add(const char *fmt, ...) PRINTF(1, 2);

static void add(const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&pasta.argv[pasta.argc++], fmt, ap);
	va_end(ap);
	if (len < 0 || pasta.argc == ARRAY_SIZE(pasta.argv))
		die("%s", strerror(ENOMEM));
}

static void add_addr(const char *option, const struct addr *a)
{
	char text[ADDR_STRLEN];

	add("%s", option);
	add("%s", addr_str(a, text));
}

static void add_words(const char *const *word)
{
	for (; *word; word++)
		add("%s", *word);
}

static void add_network(const char *guest, unsigned prefix_len,
			const char *gateway)
{
	add("-a");
	add("%s/%u", guest, prefix_len);
	add("-g");
	add("%s", gateway);
}

static void add_networks(void)
{
	static const char *const dns6[] = {
		"-D", DNS6, "--dns-forward", DNS6, NULL,
	};
	char guest[ADDR_STRLEN], gateway[ADDR_STRLEN];

	add_network(addr_str(&options.guest[FAM4], guest), args.prefix_len,
		    addr_str(&args.gateway, gateway));
	if (given[OPT_IPV6])
		add_network(GUEST6, PREFIX_LEN6, GATEWAY6);
	else
		add("-4");
	add("-m");
	add("%llu", (unsigned long long)args.mtu);

	if (given[OPT_NO_DNS]) {
		add("-D");
		add("none");
		return;
	}
	add("--dhcp-dns");
	add_addr("-D", &args.dns);
	add_addr("--dns-forward", &args.dns);
	if (given[OPT_IPV6])
		add_words(dns6);
}

static void add_outbound(enum opt o, enum fam fam)
{
	static const char *const by_interface[FAM_COUNT] = {
		[FAM4] = "--outbound-if4", [FAM6] = "--outbound-if6",
	};
	struct addr a;

	if (!given[o])
		return;
	if (addr_parse(&a, given[o]) && addr_fam(&a) == fam) {
		add_addr("-o", &a);
		return;
	}
	if (!if_nametoindex(given[o]))
		die("--%s=%s: neither an %s address nor an interface",
		    opts[o].name, given[o], fam_name(fam));
	add("%s", by_interface[fam]);
	add("%s", given[o]);
}

static void add_target(void)
{
	add("-I");
	add("%s", args.tap);
	if (given[OPT_USERNS]) {
		add("--userns");
		add("%s", given[OPT_USERNS]);
	}
	if (!is_by_path() && !given[OPT_USERNS]) {
		add("%s", args.target);
		return;
	}
	add("--netns");
	/* Without a slash it would be the name of one in /run/netns. */
	if (is_by_path())
		add("%s%s", strchr(args.target, '/') ? "" : "./", args.target);
	else
		add("/proc/%s/ns/net", args.target);
}

char **options_for_pasta(const char *control_path)
{
	static const char *const always[] = {
		"pasta", "-f", "-q", "-P", "/proc/self/fd/1", "-S", "none",
		"-t", "none", "-u", "none", "-T", "none", "-U", "none", NULL,
	};

	add_words(always);
	add_networks();
	add_outbound(OPT_OUTBOUND4, FAM4);
	if (given[OPT_IPV6])
		add_outbound(OPT_OUTBOUND6, FAM6);
	if (given[OPT_CONFIGURE])
		add("--config-net");
	if (given[OPT_NO_LOOPBACK])
		add("--no-map-gw");
	if (given[OPT_MAC]) {
		add("--ns-mac-addr");
		add("%s", given[OPT_MAC]);
	}
	if (control_path) {
		add("-c");
		add("%s", control_path);
	}
	add_target();
	return pasta.argv;
}

/* --- what is said --- */

void options_banner(void)
{
	char text[ADDR_STRLEN];

	printf("Starting slirp\n* MTU:             %llu\n",
	       (unsigned long long)args.mtu);
	printf("* Network:         %s\n", addr_str(&args.network, text));
	printf("* Netmask:         %s\n", addr_str(&args.netmask, text));
	printf("* Gateway:         %s\n", addr_str(&args.gateway, text));
	printf("* DNS:             %s\n", addr_str(&args.dns, text));
	printf("* DHCP begin:      %s\n", addr_str(&options.guest[FAM4], text));
	printf("* DHCP end:        %s\n", addr_str(&options.guest[FAM4], text));
	printf("* Recommended IP:  %s\n", addr_str(&options.guest[FAM4], text));
	if (given[OPT_API_SOCKET])
		printf("* API Socket:      %s\n", given[OPT_API_SOCKET]);
	if (given[OPT_MAC])
		printf("* MAC address:     %s\n", given[OPT_MAC]);
	if (!given[OPT_NO_LOOPBACK])
		printf("WARNING: 127.0.0.1:* on the host is accessible as %s "
		       "(set --disable-host-loopback to prohibit connecting to "
		       "127.0.0.1:*)\n", addr_str(&args.gateway, text));
	fflush(stdout);
}
