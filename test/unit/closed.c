/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: setup/cmdline setup/cmdline_value setup/derive setup/host setup/netlink
 *	  setup/netlink_msg setup/die setup/hint resolver fwd fwd_spec sock agent
 *	  addr buf conf epoll_ctl log timer util */
/* closed.c - the host's loopback stays closed where options have closed it
 *
 * From what a user types to what a socket is connected to: real options, made
 * up hosts, and destinations chosen to get through: loopback addresses in all
 * their forms, in each form of IPv6 address that holds an IPv4 one, and with
 * some bits of them flipped. The judge is the kernel: in a network namespace
 * that has a loopback interface and nothing else, no address the policy lets
 * through can be connected to.
 */
#include "setup/setup.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fwd.h"
#include "resolver.h"
#include "test/unit/test.h"
#include "util.h"

#define ARGS_MAX	32
#define DESTINATIONS	4000	/* for each set of options */

/* Repeatable. */
static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static struct addr A(const char *text)
{
	struct addr a = { 0 };

	OK(addr_parse(&a, text));
	return a;
}

/* --- hosts, and options --- */

static const char *const resolvers[] = {
	"", "nameserver 127.0.0.53\nnameserver ::1\n",
	"nameserver 192.0.2.53\nnameserver 2001:db8::53\n",
	"nameserver 192.0.2.1\nnameserver fe80::1\nnameserver 127.0.0.1\n",
};

static void host_make(struct host *h, bool resolver_on_loopback)
{
	*h = (struct host) { .initial_userns = true };
	h->net[FAM4] = (struct host_net) {
		.supported = true, .ifindex = 2, .ifname = "eth0",
		.addr = A("192.0.2.9"), .prefix_len = 24, .gw = A("192.0.2.1"),
	};
	h->net[FAM6] = (struct host_net) {
		.supported = true, .ifindex = 2, .ifname = "eth0",
		.addr = A("2001:db8::9"), .prefix_len = 64,
		.gw = A(rnd(2) ? "fe80::1" : "2001:db8::1"),
	};
	h->ll = A("fe80::9");
	h->ephemeral_first = 32768;
	h->ephemeral_last = 60999;
	host_parse_resolv(h, resolvers[resolver_on_loopback ?
		rnd(ARRAY_SIZE(resolvers)) : 2]);
}

/* Each closes the door of loopback's second name. */
static const char *const closing[][3] = {
	{ "--no-map-gw" },
	{ "--map-host-loopback", "none" },
	{ "--no-map-gw", "--map-host-loopback", "none" },
};

/* None opens it. */
static const char *const harmless[][4] = {
	{ "-a", "192.0.2.77" }, { "-a", "2001:db8::77" },
	{ "-g", "192.0.2.1" }, { "--map-guest-addr", "192.0.2.200" },
	{ "--map-guest-addr", "2001:db8::200" }, { "-4" }, { "-6" },
	{ "--outbound", "192.0.2.9" }, { "--no-icmp" }, { "--no-ndp" },
	{ "-t", "8080" }, { "-D", "192.0.2.53" }, { "-m", "1500" },
	{ "--dns-forward", "192.0.2.66", "--dns-forward", "2001:db8::66" },
	{ "-D", "2001:db8::53" }, { "--no-dhcp" },
};
#define FORWARDS_DNS	13	/* then the host's resolver is reachable */

/* Which of them are wrong together is cmdline.c's business: try others. */
static bool options_make(struct conf *c, struct host *h)
{
	static struct request req;
	char *argv[ARGS_MAX], why[ERR_MAX];
	bool forwards_dns = false;
	unsigned argc = 0, n = rnd(ARRAY_SIZE(closing));

	argv[argc++] = rnd(2) ? "passt" : "pasta";
	for (unsigned i = 0; i < 3 && closing[n][i]; i++)
		argv[argc++] = (char *)closing[n][i];
	for (unsigned more = rnd(4); more; more--) {
		n = rnd(ARRAY_SIZE(harmless));
		if (n == FORWARDS_DNS)
			forwards_dns = true;
		for (unsigned i = 0; i < 4 && harmless[n][i]; i++)
			argv[argc++] = (char *)harmless[n][i];
	}
	argv[argc] = NULL;
	host_make(h, !forwards_dns);
	memset(&req, 0, sizeof(req));
	memset(c, 0, sizeof(*c));
	return cmdline_parse(&req, (int)argc, argv, why) &&
	       derive_conf(c, &req, h, why);
}

/* --- destinations --- */

static const char *const doors[] = {
	"127.0.0.1", "127.0.0.53", "127.255.255.255", "127.1.2.3", "0.0.0.0",
	"::", "::1", "::127.0.0.1", "::0.0.0.0", "64:ff9b::127.0.0.1",
	"64:ff9b::0.0.0.0", "64:ff9b::127.9.9.9", "64:ff9b:1::127.0.0.1",
	"64:ff9b:1:fffe::127.0.0.1", "2002:7f00:1::", "2002:7f00:1::1",
	"2002::1", "2002:7fff:ffff::", "fe80::1", "fe80::7f00:1", "ff01::1",
	"ff02::1", "0.0.0.1", "128.0.0.1", "126.255.255.255",
	"::ffff:0:127.0.0.1", "fec0::1", "fc00::127.0.0.1", "255.255.255.255",
	"169.254.1.1", "224.0.0.1", "192.0.2.1", "192.0.2.9", "192.0.2.200",
	"2001:db8::1", "2001:db8::9", "192.0.2.66", "2001:db8::66",
	"192.0.2.53", "8.8.8.8", "2001:db8:9::1",
};

/* What a parser of frames makes of it: in an IPv4 header, or an IPv6 one. */
static struct addr destination(enum fam *header)
{
	struct addr a = A(doors[rnd(ARRAY_SIZE(doors))]);
	uint8_t bytes[16];

	for (unsigned flips = rnd(4) ? 0 : 1 + rnd(3); flips; flips--)
		a.b[rnd(2) ? rnd(16) : 12 + rnd(4)] ^= (uint8_t)(1 << rnd(8));
	*header = addr_fam(&a) == FAM4 && rnd(4) ? FAM4 : FAM6;
	if (*header == FAM4)
		return a;
	memcpy(bytes, a.b, sizeof(bytes));
	return addr_get(FAM6, bytes);
}

static bool embedded(const struct addr *a, const char *prefix, unsigned bits,
		     unsigned at)
{
	struct addr p = A(prefix);

	return addr_in_prefix(a, &p, bits) &&
	       (a->b[at] == 127 || (!a->b[at] && !a->b[at + 1] &&
				    !a->b[at + 2] && !a->b[at + 3]));
}

/* What no kernel does by itself, but a translator on the host could. */
static bool translates_to_loopback(const struct addr *a)
{
	return addr_fam(a) == FAM6 &&
	       (embedded(a, "::", 96, 12) ||
		embedded(a, "64:ff9b::", 96, 12) ||
		embedded(a, "64:ff9b:1::", 48, 12) ||
		embedded(a, "2002::", 16, 2));
}

/* --- the judge --- */

static int judge[FAM_COUNT];

static bool judge_take_seat(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	for (enum fam fam = 0; fam < FAM_COUNT; fam++)
		judge[fam] = socket(addr_af(fam), SOCK_DGRAM, 0);
	return !ioctl(judge[FAM4], SIOCSIFFLAGS, &lo);
}

/* For datagrams that takes a route and nobody who answers. As our own sockets
 * would be: of the address's family, or IPv6 for both. */
static bool reaches(const struct addr *a)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	union sockaddr_any own, any6;
	socklen_t len = addr_to_sockaddr(&own, a, 80, 0);
	socklen_t len6 = addr_to_sockaddr6(&any6, a, 80, 0);
	bool there = !connect(judge[addr_fam(a)], &own.sa, len) ||
		     !connect(judge[FAM6], &any6.sa, len6);

	(void)connect(judge[FAM4], &none, sizeof(none));
	(void)connect(judge[FAM6], &none, sizeof(none));
	return there;
}

/* --- the trial --- */

static unsigned tried, let_through;

static void complain(const char *what, const struct side *ini,
		     const struct side *tgt)
{
	char b[2][ADDR_PORT_STRLEN];

	if (test_failures++ < 10)
		printf("  %s: %s led to %s\n", what,
		       addr_port_str(&ini->ours, ini->our_port, b[0]),
		       addr_port_str(&tgt->theirs, tgt->their_port, b[1]));
}

static void try_one(const struct fwd_env *env)
{
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6,
	};
	static const uint16_t ports[] = { 22, 53, 80, 853, 6010 };
	enum fam header;
	struct side tgt, ini = {
		.ours = destination(&header), .pif = PIF_TAP,
		.our_port = ports[rnd(ARRAY_SIZE(ports))], .their_port = 4000,
	};

	/* The guest may call itself anything, mapped addresses included. */
	ini.theirs = rnd(8) ? A(header == FAM4 ? "192.0.2.9" : "2001:db8::9") :
			      A("192.0.2.9");
	tried++;
	if (fwd_from_tap(env, protos[rnd(ARRAY_SIZE(protos))], &ini, &tgt) !=
	    FWD_OK)
		return;
	let_through++;
	if (addr_is_loopback(&tgt.theirs) || reaches(&tgt.theirs))
		complain("loopback", &ini, &tgt);
	if (translates_to_loopback(&tgt.theirs))
		complain("loopback, translated", &ini, &tgt);
	if (tgt.pif != PIF_HOST)
		complain("elsewhere", &ini, &tgt);
}

/* A connection from the namespace's loopback needs a rule of -T or -U, and gets
 * there with the same address, or not at all. */
static void try_splice(const struct fwd_env *env)
{
	enum fam header;
	struct fwd_rule rule = {
		.proto = IPPROTO_TCP, .first = 80, .last = 80, .to = 80,
		.flags = RULE_DUAL,
	};
	struct side tgt, ini = {
		.ours = destination(&header), .our_port = 80,
		.theirs = destination(&header), .their_port = 4000,
		.pif = PIF_SPLICE,
	};

	if (fwd_from_splice(env, IPPROTO_TCP, &rule, &ini, &tgt) == FWD_OK &&
	    (!addr_is_loopback(&ini.ours) || !addr_is_loopback(&ini.theirs) ||
	     !addr_eq(&tgt.theirs, &ini.ours)))
		complain("splice", &ini, &tgt);
	rule.first++;
	rule.last++;
	if (fwd_from_splice(env, IPPROTO_TCP, &rule, &ini, &tgt) == FWD_OK)
		complain("splice without a rule", &ini, &tgt);
}

static void trial(void)
{
	static struct host h;
	unsigned sets = 0;

	for (unsigned i = 0; i < 200; i++) {
		if (!options_make(&conf_writable, &h))
			continue;
		sets++;
		fwd_init();
		resolver_init();
		for (unsigned n = 0; n < DESTINATIONS; n++) {
			try_one(fwd_env());
			try_splice(fwd_env());
		}
	}
	OK(sets > 100);
	OK(let_through > tried / 10);
	printf("  %u sets of options, %u destinations, %u let through\n", sets,
	       tried, let_through);
}

static bool in_child(void (*body)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		log_threshold = LOG_LVL_ERR;
		test_failures = 0;
		if (!judge_take_seat())
			_exit(2);
		body();
		fflush(stdout);
		_exit(!!test_failures);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static bool judge_is_there(void)
{
	int status = 1;
	pid_t pid = fork();

	if (!pid)
		_exit(!judge_take_seat());
	waitpid(pid, &status, 0);
	return !status;
}

static void judge_knows(void)
{
	static const char *const inside[] = {
		"127.0.0.1", "127.9.9.9", "0.0.0.0", "::", "::1",
	}, *const outside[] = {
		"192.0.2.1", "2001:db8::1", "64:ff9b::127.0.0.1", "::127.0.0.1",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(inside); i++) {
		struct addr a = A(inside[i]);

		OK(reaches(&a));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++) {
		struct addr a = A(outside[i]);

		OK(!reaches(&a));
	}
}

TEST(the_kernel_tells_loopback_from_the_rest)
{
	if (!judge_is_there())
		SKIP("user namespaces are not allowed here");
	OK(in_child(judge_knows));
}

TEST(no_destination_leads_to_loopback_when_options_closed_it)
{
	if (!judge_is_there())
		SKIP("user namespaces are not allowed here");
	OK(in_child(trial));
}
