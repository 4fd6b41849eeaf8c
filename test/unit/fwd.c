/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: fwd conf addr util */
/* fwd.c - every decision there is, against the rules read a second time
 *
 * The oracles below are the text of the rules and nothing else: for each place
 * where a conversation can begin, the cases in order, first match wins. They
 * are compared with fwd.c over all combinations of: kind of address on either
 * end, protocol, interesting ports, and the settings that matter.
 */
#include "fwd.h"

#include <netinet/in.h>

#include "test/unit/test.h"
#include "util.h"

/* --- addresses, by what they are to us --- */

enum who {
	NOBODY,			/* unset: all zero */
	ANY, LO, LO_OTHER, GW, MAPLO, MAPGUEST, GUEST, SEEN, LL, SEENLL,
	OTHER, PEER, MCAST, BCAST, DNSMATCH, DNSHOST, OURTAP, OUTSRC, TARGET,
	WHO_COUNT
};

static const char *const text[WHO_COUNT][FAM_COUNT] = {
	[NOBODY] = { "::", "::" },
	[ANY] = { "0.0.0.0", "::" },
	[LO] = { "127.0.0.1", "::1" },
	/* IPv6 has no second one, IPv4 in disguise is none either */
	[LO_OTHER] = { "127.0.0.53", "::1" },
	[GW] = { "192.0.2.1", "2001:db8::1" },
	[MAPLO] = { "192.0.2.2", "2001:db8::2" },
	[MAPGUEST] = { "192.0.2.3", "2001:db8::3" },
	[GUEST] = { "192.0.2.100", "2001:db8::100" },
	[SEEN] = { "192.0.2.101", "2001:db8::101" },
	[LL] = { "169.254.1.1", "fe80::1" },
	[SEENLL] = { "169.254.1.2", "fe80::2" },
	[OTHER] = { "198.51.100.7", "2001:db8:1::7" },
	[PEER] = { "203.0.113.9", "2001:db8:2::9" },
	[MCAST] = { "224.0.0.251", "ff02::fb" },
	[BCAST] = { "255.255.255.255", "ff02::1" },
	[DNSMATCH] = { "192.0.2.53", "2001:db8::53" },
	[DNSHOST] = { "198.51.100.53", "2001:db8:1::53" },
	[OURTAP] = { "192.0.2.1", "fe80::9a" },
	[OUTSRC] = { "198.51.100.1", "2001:db8:1::1" },
	[TARGET] = { "192.0.2.200", "2001:db8::200" },
};

static struct addr A(enum who who, enum fam fam)
{
	static struct addr known[WHO_COUNT][FAM_COUNT];
	static bool parsed[WHO_COUNT][FAM_COUNT];

	if (!parsed[who][fam])
		parsed[who][fam] = OK(addr_parse(&known[who][fam],
						 text[who][fam]));
	return known[who][fam];
}

static bool same(struct addr a, struct addr b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static bool loop4(struct addr a)
{
	static const uint8_t mapped[12] = { [10] = 255, [11] = 255 };

	return !memcmp(a.b, mapped, 12) && a.b[12] == 127;
}

static bool loops(struct addr a)
{
	return loop4(a) || same(a, A(LO, FAM6));
}

static bool none(struct addr a)
{
	return same(a, A(ANY, FAM4)) || same(a, A(ANY, FAM6));
}

static bool grouped(struct addr a, enum fam fam)
{
	return same(a, A(MCAST, fam)) || same(a, A(BCAST, fam));
}

static bool v6_ll(struct addr a)
{
	return a.b[0] == 0xfe && a.b[1] == 0x80;
}

/* --- settings --- */

static struct conf c;
static struct fwd_env env = { .c = &c };

static void settings_clear(void)
{
	memset(&c, 0, sizeof(c));
	memset(&env, 0, sizeof(env));
	env.c = &c;
}

struct outcome {
	enum fwd_verdict verdict;
	struct side tgt;
};

static struct outcome verdict(enum fwd_verdict v)
{
	return (struct outcome) { .verdict = v };
}

static unsigned compared;

static void agree(const struct outcome *want, enum fwd_verdict v,
		  const struct side *tgt, const struct side *ini, int line)
{
	char b[4][ADDR_PORT_STRLEN];

	compared++;
	if (v == want->verdict &&
	    (v != FWD_OK ||
	     (same(tgt->ours, want->tgt.ours) &&
	      same(tgt->theirs, want->tgt.theirs) &&
	      tgt->our_port == want->tgt.our_port &&
	      tgt->their_port == want->tgt.their_port &&
	      tgt->pif == want->tgt.pif)))
		return;
	test_failures++;
	if (test_failures > 10)
		return;
	printf("  line %d: %s to %s: verdict %d for %d, %s -> %s (%d), ", line,
	       addr_port_str(&ini->theirs, ini->their_port, b[0]),
	       addr_port_str(&ini->ours, ini->our_port, b[1]), v,
	       want->verdict, addr_port_str(&tgt->ours, tgt->our_port, b[2]),
	       addr_port_str(&tgt->theirs, tgt->their_port, b[3]), tgt->pif);
	printf("not %s -> %s (%d)\n",
	       addr_port_str(&want->tgt.ours, want->tgt.our_port, b[2]),
	       addr_port_str(&want->tgt.theirs, want->tgt.their_port, b[3]),
	       want->tgt.pif);
}

/* --- from the link --- */

static struct outcome oracle_tap(enum fam fam, uint8_t proto,
				 const struct side *ini)
{
	const struct conf_net *n = &c.net[fam];
	bool l4 = proto == IPPROTO_TCP || proto == IPPROTO_UDP;
	bool allowed_loop = false;
	struct outcome o = { .verdict = FWD_OK };

	/* both unicast and specified for TCP; source unicast, destination
	 * specified for the others; ports not zero */
	if (none(ini->theirs) || grouped(ini->theirs, fam) || none(ini->ours))
		return verdict(FWD_BAD_ADDRESS);
	if (proto == IPPROTO_TCP && grouped(ini->ours, fam))
		return verdict(FWD_BAD_ADDRESS);
	if (l4 && (!ini->our_port || !ini->their_port))
		return verdict(FWD_BAD_ADDRESS);

	/* loopback by its own name, on a wire */
	if (loops(ini->ours) || loops(ini->theirs))
		return verdict(FWD_REFUSED);

	o.tgt.theirs = ini->ours;				/* 4 */
	if (!none(n->map_guest) && same(ini->ours, n->map_guest))
		o.tgt.theirs = n->guest;			/* 3 */
	if (!none(n->map_loopback) && same(ini->ours, n->map_loopback)) {
		o.tgt.theirs = A(LO, fam);			/* 2 */
		allowed_loop = true;
	}
	if (l4 && (ini->our_port == 53 || ini->our_port == 853) &&
	    !none(n->dns_match) && same(ini->ours, n->dns_match)) {
		o.tgt.theirs = env.dns_host[fam];		/* 1 */
		allowed_loop = true;
	}
	if (none(o.tgt.theirs) || (loops(o.tgt.theirs) && !allowed_loop))
		return verdict(FWD_REFUSED);

	o.tgt.their_port = ini->our_port;
	o.tgt.ours = none(n->outbound) ? A(ANY, fam) : n->outbound;
	o.tgt.our_port = proto == IPPROTO_UDP ? ini->their_port : 0;
	o.tgt.pif = PIF_HOST;
	return o;
}

static const uint16_t ports[] = { 0, 53, 80, 853 };
static const enum who maplos[] = { NOBODY, GW, MAPLO };
static const enum who matches[] = { NOBODY, DNSMATCH, GW, MAPLO };
static const enum who resolvers[] = { NOBODY, DNSHOST, LO, LO_OTHER };
static const enum who guests[] = { NOBODY, GUEST, LO };

#define FOR(i, array)	for (unsigned i = 0; i < ARRAY_SIZE(array); i++)

static void tap_all_ends(enum fam fam, uint8_t proto, bool closed)
{
	static const enum who srcs[] = { ANY, LO, GUEST, MCAST, BCAST, OTHER };

	FOR(s, srcs)
	for (unsigned dst = 0; dst < WHO_COUNT; dst++)
	FOR(p, ports) {
		struct side ini = {
			.ours = A(dst, fam), .our_port = ports[p],
			.theirs = A(srcs[s], fam), .their_port = 4000 * !!p,
			.pif = PIF_TAP,
		}, tgt = { 0 };
		struct outcome want = oracle_tap(fam, proto, &ini);
		enum fwd_verdict v = fwd_from_tap(&env, proto, &ini, &tgt);

		agree(&want, v, &tgt, &ini, __LINE__);
		if (v != FWD_OK)
			continue;
		OK(!none(tgt.theirs));
		OK(addr_fam(&tgt.theirs) == fam);
		OK(!closed || !loops(tgt.theirs));
	}
}

static void tap_all(enum fam fam)
{
	const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_UDP,
		fam == FAM4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
	};
	struct conf_net *n = &c.net[fam];

	settings_clear();
	FOR(m, maplos) FOR(d, matches) FOR(r, resolvers) FOR(g, guests)
	for (unsigned bits = 0; bits < 4; bits++) FOR(p, protos) {
		n->map_loopback = A(maplos[m], fam);
		n->dns_match = A(matches[d], fam);
		env.dns_host[fam] = A(resolvers[r], fam);
		n->guest = A(guests[g], fam);
		n->map_guest = A(bits & 1 ? MAPGUEST : NOBODY, fam);
		n->outbound = A(bits & 2 ? OUTSRC : NOBODY, fam);
		tap_all_ends(fam, protos[p], maplos[m] == NOBODY &&
			     (matches[d] == NOBODY || resolvers[r] < LO ||
			      resolvers[r] == DNSHOST));
	}
}

TEST(from_the_link_every_case_is_as_the_rules_say)
{
	compared = 0;
	tap_all(FAM4);
	tap_all(FAM6);
	OK(compared > 500000);
}

TEST(ipv4_in_disguise_is_no_way_around)
{
	struct side ini = {
		.our_port = 80, .their_port = 4000, .pif = PIF_TAP,
	};
	struct side tgt;

	settings_clear();
	/* ::ffff:127.0.0.1 in an IPv6 header, from an IPv6 address */
	ini.ours = A(LO, FAM4);
	ini.theirs = A(GUEST, FAM6);
	OK(fwd_from_tap(&env, IPPROTO_TCP, &ini, &tgt) != FWD_OK);
	/* both in disguise */
	ini.theirs = A(GUEST, FAM4);
	OK(fwd_from_tap(&env, IPPROTO_TCP, &ini, &tgt) != FWD_OK);
	/* ::ffff:0.0.0.0, which Linux takes for 127.0.0.1 */
	ini.ours = A(ANY, FAM4);
	OK(fwd_from_tap(&env, IPPROTO_TCP, &ini, &tgt) != FWD_OK);
	/* and nothing else of the other family */
	ini.ours = A(OTHER, FAM4);
	ini.theirs = A(GUEST, FAM6);
	OK(fwd_from_tap(&env, IPPROTO_UDP, &ini, &tgt) != FWD_OK);
}

TEST(a_setting_of_the_other_family_changes_nothing)
{
	struct side ini = {
		.ours = A(ANY, FAM4), .theirs = A(GUEST, FAM4), .our_port = 53,
		.their_port = 4000, .pif = PIF_TAP,
	}, tgt;

	/* An unset address is "::"; so is no address of IPv6 on the link */
	settings_clear();
	OK(fwd_from_tap(&env, IPPROTO_UDP, &ini, &tgt) == FWD_BAD_ADDRESS);
	c.net[FAM4].dns_match = A(DNSMATCH, FAM4);
	env.dns_host[FAM4] = A(DNSHOST, FAM6);
	ini.ours = A(DNSMATCH, FAM4);
	OK(fwd_from_tap(&env, IPPROTO_UDP, &ini, &tgt) == FWD_REFUSED);
}

/* --- from the host --- */

static struct outcome oracle_host(enum fam fam, uint8_t proto,
				  const struct fwd_rule *r,
				  const struct side *ini)
{
	const struct conf_net *n = &c.net[fam];
	struct addr peer = ini->theirs, ours = ini->ours, other;
	struct outcome o = { .verdict = FWD_OK };
	bool splice, reachable;

	/* peer unicast, with a port; our address specific */
	if (none(peer) || grouped(peer, fam) || !ini->their_port || none(ours))
		return verdict(FWD_BAD_ADDRESS);
	/* the rule must match */
	if (r->proto != proto || ini->our_port < r->first ||
	    ini->our_port > r->last)
		return verdict(FWD_REFUSED);
	if (!(r->flags & RULE_DUAL) && !same(r->listen, ours) &&
	    !same(r->listen, A(ANY, fam)))
		return verdict(FWD_REFUSED);

	o.tgt.their_port = (uint16_t)(r->to + (ini->our_port - r->first));
	splice = c.mode == MODE_PASTA && !c.no_splice && none(r->target) &&
		 loops(peer) && (proto == IPPROTO_TCP || proto == IPPROTO_UDP);
	if (splice) {
		o.tgt.pif = PIF_SPLICE;
		o.tgt.ours = A(ANY, fam);
		o.tgt.our_port = proto == IPPROTO_UDP ? ini->their_port : 0;
		other = env.seen[!fam];
		if (grouped(ours, fam) || (c.host_lo_to_ns_lo && loops(ours)))
			o.tgt.theirs = ours;
		else
			o.tgt.theirs = env.seen[fam];
		/* no address of this family: the other one's will do */
		if (same(o.tgt.theirs, env.seen[fam]) &&
		    (none(o.tgt.theirs) || v6_ll(o.tgt.theirs))) {
			o.tgt.theirs = other;
			o.tgt.ours = A(ANY, !fam);
		}
		if (none(o.tgt.theirs) || v6_ll(o.tgt.theirs))
			return verdict(FWD_REFUSED);
		return o;
	}
	if (c.splice_only)
		return verdict(FWD_REFUSED);

	o.tgt.pif = PIF_TAP;
	o.tgt.our_port = ini->their_port;
	reachable = !loops(peer) && !same(peer, n->guest) &&
		    !same(peer, env.seen[fam]);
	if (same(peer, A(LO, fam)) && !none(n->map_loopback))	/* a */
		o.tgt.ours = n->map_loopback;
	else if (same(peer, n->guest) && !none(n->map_guest))	/* b */
		o.tgt.ours = n->map_guest;
	else if (reachable)					/* c */
		o.tgt.ours = peer;
	else if (fam == FAM4)					/* d */
		o.tgt.ours = n->our_tap;
	else
		o.tgt.ours = c.our_ll;
	if (none(o.tgt.ours))
		return verdict(FWD_REFUSED);

	if (!none(r->target))
		o.tgt.theirs = r->target;
	else if (grouped(ours, fam))
		o.tgt.theirs = ours;
	else if (v6_ll(o.tgt.ours))
		o.tgt.theirs = env.seen_ll;
	else
		o.tgt.theirs = env.seen[fam];
	if (none(o.tgt.theirs))
		return verdict(FWD_REFUSED);
	return o;
}

static void host_all_ends(enum fam fam, const struct fwd_rule *r)
{
	static const enum who peers[] = {
		ANY, LO, LO_OTHER, GUEST, SEEN, LL, MCAST, BCAST, OTHER, PEER,
	}, ours[] = {
		ANY, LO, LO_OTHER, LL, MCAST, BCAST, OTHER,
	};
	static const uint16_t at[] = { 79, 84, 85 };
	const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

	FOR(e, peers) FOR(o, ours) FOR(q, at) FOR(p, protos) {
		struct side ini = {
			.ours = A(ours[o], fam), .our_port = at[q],
			.theirs = A(peers[e], fam),
			.their_port = peers[e] == PEER ? 0 : 4000,
			.pif = PIF_HOST,
		}, tgt = { 0 };
		struct outcome want = oracle_host(fam, protos[p], r, &ini);
		enum fwd_verdict v = fwd_from_host(&env, protos[p], r, &ini,
						   &tgt);

		agree(&want, v, &tgt, &ini, __LINE__);
		/* what the link cannot carry is not put there */
		if (v == FWD_OK && tgt.pif == PIF_TAP)
			OK(!loops(tgt.ours) && !loops(tgt.theirs));
	}
}

static void host_all(enum fam fam)
{
	static const enum who listens[] = { ANY, LO, OTHER, NOBODY };
	static const enum who seens[] = { NOBODY, GUEST, SEEN, LL };
	struct conf_net *n = &c.net[fam];

	settings_clear();
	FOR(l, listens) FOR(s, seens) FOR(m, maplos)
	for (unsigned bits = 0; bits < 256; bits++) {
		struct fwd_rule r = {
			.first = 80, .last = 84, .to = 8080,
			.proto = bits & 1 ? IPPROTO_UDP : IPPROTO_TCP,
			.listen = A(listens[l], fam),
			.flags = listens[l] == NOBODY ? RULE_DUAL : 0,
		};

		/* Some settings share a bit, where neither hides the other */
		r.target = A(bits & 2 ? TARGET : NOBODY, fam);
		c.mode = bits & 4 ? MODE_PASTA : MODE_PASST;
		c.no_splice = bits & 8;
		c.splice_only = bits & 16;
		c.host_lo_to_ns_lo = bits & 32;
		n->map_guest = A(bits & 64 ? MAPGUEST : NOBODY, fam);
		n->our_tap = A(bits & 128 ? OURTAP : NOBODY, fam);
		c.our_ll = fam == FAM6 ? n->our_tap : A(NOBODY, FAM6);
		n->map_loopback = A(maplos[m], fam);
		n->guest = A(bits & 128 ? GUEST : NOBODY, fam);
		env.seen[fam] = A(seens[s], fam);
		env.seen[!fam] = bits & 128 ? A(bits & 64 ? LL : SEEN, !fam) :
				 A(NOBODY, fam);
		env.seen_ll = A(bits & 64 ? SEENLL : NOBODY, FAM6);
		host_all_ends(fam, &r);
	}
}

TEST(from_the_host_every_case_is_as_the_rules_say)
{
	compared = 0;
	host_all(FAM4);
	host_all(FAM6);
	OK(compared > 5000000);
}

TEST(who_was_refused_may_be_tried_by_the_other_family)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		const struct {
			enum who from, to;
			uint8_t pif;
		} ways[] = {
			{ SEEN, SEEN, PIF_SPLICE }, { LO, LO, PIF_SPLICE },
			{ LO, LO, PIF_HOST },
		};
		/* IPv6 has one loopback address */
		const enum who none[] = {
			OTHER, GUEST, fam == FAM4 ? LO_OTHER : OTHER,
		};
		struct side tgt;

		settings_clear();
		c.net[fam].enabled = c.net[!fam].enabled = true;
		env.seen[fam] = A(SEEN, fam);
		env.seen[!fam] = A(SEEN, !fam);
		FOR(w, ways) {
			tgt = (struct side) {
				.ours = A(LO, fam), .pif = ways[w].pif,
				.theirs = A(ways[w].from, fam),
				.their_port = 80,
			};
			OK(fwd_splice_again(&env, &tgt));
			OK(same(tgt.theirs, A(ways[w].to, !fam)));
			OK(same(tgt.ours, A(ANY, !fam)));
			EQ(tgt.their_port, 80);
		}
		FOR(n, none) {
			tgt = (struct side) {
				.theirs = A(none[n], fam), .pif = PIF_SPLICE,
			};
			OK(!fwd_splice_again(&env, &tgt));
		}
		tgt = (struct side) { .theirs = A(SEEN, fam), .pif = PIF_HOST };
		OK(!fwd_splice_again(&env, &tgt));
		tgt.pif = PIF_SPLICE;
		env.seen[!fam] = A(NOBODY, !fam);
		OK(!fwd_splice_again(&env, &tgt));
		env.seen[!fam] = A(SEEN, !fam);
		c.net[!fam].enabled = false;
		OK(!fwd_splice_again(&env, &tgt));
	}
}

TEST(a_range_may_be_shifted_either_way_to_the_last_port)
{
	struct fwd_rule r = {
		.first = 1, .last = 1000, .to = 64536, .proto = IPPROTO_TCP,
		.listen = A(ANY, FAM4),
	};
	struct side tgt, ini = {
		.ours = A(OTHER, FAM4), .our_port = 1000,
		.theirs = A(PEER, FAM4), .their_port = 9, .pif = PIF_HOST,
	};

	settings_clear();
	env.seen[FAM4] = A(SEEN, FAM4);
	EQ(fwd_from_host(&env, IPPROTO_TCP, &r, &ini, &tgt), FWD_OK);
	EQ(tgt.their_port, 65535);
	r.first = 64536;
	r.last = 65535;
	r.to = 1;
	ini.our_port = 65535;
	EQ(fwd_from_host(&env, IPPROTO_TCP, &r, &ini, &tgt), FWD_OK);
	EQ(tgt.their_port, 1000);
}

/* --- from the namespace --- */

static void splice_all(enum fam fam)
{
	static const enum who listens[] = { ANY, LO, OTHER, NOBODY };

	settings_clear();
	FOR(l, listens)
	for (unsigned peer = 0; peer < WHO_COUNT; peer++)
	for (unsigned ours = 0; ours < WHO_COUNT; ours++)
	for (unsigned bits = 0; bits < 8; bits++) {
		uint8_t proto = bits & 1 ? IPPROTO_UDP : IPPROTO_TCP;
		uint16_t from = bits & 2 ? 4000 : 0;
		struct fwd_rule r = {
			.first = 80, .last = 84, .to = 80, .proto = proto,
			.listen = A(listens[l], fam),
			.flags = listens[l] == NOBODY ? RULE_DUAL : 0,
		};
		struct side tgt = { 0 }, ini = {
			.ours = A(ours, fam), .theirs = A(peer, fam),
			.our_port = bits & 4 ? 82 : 85, .their_port = from,
			.pif = PIF_SPLICE,
		};
		struct outcome want = verdict(FWD_REFUSED);

		if (none(ini.theirs) || grouped(ini.theirs, fam) || !from ||
		    none(ini.ours))
			want = verdict(FWD_BAD_ADDRESS);
		else if (loops(ini.ours) && loops(ini.theirs) && bits & 4 &&
			 (listens[l] == ANY || listens[l] == NOBODY ||
			  same(A(listens[l], fam), ini.ours)))
			want = (struct outcome) { FWD_OK, {
				.ours = ini.theirs, .theirs = ini.ours,
				.our_port = bits & 1 ? from : 0,
				.their_port = 82, .pif = PIF_HOST,
			} };
		agree(&want, fwd_from_splice(&env, proto, &r, &ini, &tgt), &tgt,
		      &ini, __LINE__);
	}
}

TEST(from_the_namespace_only_loopback_reaches_loopback)
{
	compared = 0;
	splice_all(FAM4);
	splice_all(FAM6);
	OK(compared > 10000);
}

/* --- rules --- */

TEST(the_first_rule_that_covers_an_address_and_port_is_found)
{
	static const struct fwd_table t = { .cnt = 4, .rule = {
		{ .proto = IPPROTO_TCP, .first = 80, .last = 90,
		  .flags = RULE_DUAL },
		{ .proto = IPPROTO_UDP, .first = 80, .last = 80,
		  .listen = { .b = { [10] = 255, [11] = 255 } } },
		{ .proto = IPPROTO_UDP, .first = 80, .last = 80,
		  .listen = { .b = { [15] = 1 } } },
		{ .proto = IPPROTO_UDP, .first = 80, .last = 81 },
	} };
	struct addr a4 = A(OTHER, FAM4), a6 = A(OTHER, FAM6);
	struct addr lo6 = A(LO, FAM6);

	OK(fwd_match(&t, IPPROTO_TCP, &a4, 80) == &t.rule[0]);
	OK(fwd_match(&t, IPPROTO_TCP, &a6, 90) == &t.rule[0]);
	OK(!fwd_match(&t, IPPROTO_TCP, &a6, 79));
	OK(!fwd_match(&t, IPPROTO_TCP, &a6, 91));
	OK(fwd_match(&t, IPPROTO_UDP, &a4, 80) == &t.rule[1]);
	OK(fwd_match(&t, IPPROTO_UDP, &lo6, 80) == &t.rule[2]);
	OK(fwd_match(&t, IPPROTO_UDP, &a6, 80) == &t.rule[3]);
	OK(!fwd_match(&t, IPPROTO_UDP, &a4, 81));
}

/* --- what the guest is seen as --- */

static void seen(enum who who, enum fam fam)
{
	struct addr a = A(who, fam);

	fwd_guest_seen(&a);
}

static bool seen_is(enum fam fam, enum who who)
{
	return same(fwd_env()->seen[fam], A(who, fam));
}

static void learns(enum fam fam)
{
	memset(&conf_writable, 0, sizeof(conf_writable));
	conf_writable.net[fam].guest = A(GUEST, fam);
	fwd_init();
	OK(fwd_env()->c == &conf);
	OK(seen_is(fam, GUEST));
	seen(SEEN, fam);
	OK(seen_is(fam, SEEN));
	seen(ANY, fam);
	seen(MCAST, fam);
	seen(LO, fam);
	seen(LO_OTHER, fam);
	if (fam == FAM4)
		seen(BCAST, fam);
	OK(seen_is(fam, SEEN));

	conf_writable.net[fam].pinned = true;
	fwd_init();
	seen(SEEN, fam);
	OK(seen_is(fam, GUEST));
}

TEST(the_guest_is_who_it_was_last_seen_as_unless_pinned)
{
	learns(FAM4);
	learns(FAM6);
}

TEST(a_link_local_source_is_kept_apart_but_better_than_none)
{
	memset(&conf_writable, 0, sizeof(conf_writable));
	fwd_init();
	seen(LL, FAM6);
	OK(same(fwd_env()->seen_ll, A(LL, FAM6)));
	OK(seen_is(FAM6, LL));
	seen(SEENLL, FAM6);		/* it changed its mind */
	OK(seen_is(FAM6, SEENLL));
	seen(SEEN, FAM6);
	seen(LL, FAM6);
	OK(seen_is(FAM6, SEEN));
	OK(same(fwd_env()->seen_ll, A(LL, FAM6)));

	conf_writable.net[FAM6].pinned = true;
	fwd_init();
	seen(LL, FAM6);
	OK(seen_is(FAM6, NOBODY));
	OK(same(fwd_env()->seen_ll, A(LL, FAM6)));

	/* IPv4 has no such distinction */
	fwd_init();
	seen(LL, FAM4);
	OK(seen_is(FAM4, LL));
	OK(same(fwd_env()->seen_ll, A(LL, FAM6)) == false);
}

TEST(a_host_address_is_shown_to_the_guest_only_if_it_means_the_same_there)
{
	for (unsigned fam = 0; fam < FAM_COUNT; fam++) {
		struct addr out, in;

		settings_clear();
		c.net[fam].guest = A(GUEST, fam);
		env.seen[fam] = A(SEEN, fam);
		in = A(OTHER, fam);
		OK(fwd_host_to_guest(&env, &in, &out) && same(in, out));
		in = A(LO, fam);
		OK(!fwd_host_to_guest(&env, &in, &out));
		in = A(GUEST, fam);
		OK(!fwd_host_to_guest(&env, &in, &out));
		in = A(SEEN, fam);
		OK(!fwd_host_to_guest(&env, &in, &out));
		in = A(ANY, fam);
		OK(!fwd_host_to_guest(&env, &in, &out));

		c.net[fam].map_loopback = A(MAPLO, fam);
		c.net[fam].map_guest = A(MAPGUEST, fam);
		in = A(LO, fam);
		OK(fwd_host_to_guest(&env, &in, &out) &&
		   same(out, A(MAPLO, fam)));
		in = A(GUEST, fam);
		OK(fwd_host_to_guest(&env, &in, &out) &&
		   same(out, A(MAPGUEST, fam)));
	}
}
