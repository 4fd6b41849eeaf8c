/* SPDX-License-Identifier: GPL-2.0-or-later */
/* derive.c - what follows from the request and the host: struct conf
 *
 * Every default, every implication between options, every value taken over
 * from the host is decided here, for both families by the same code; what
 * differs between them is a row of a table. What the user said wins, always.
 *
 * A family is in one of three states: off; local, when the host has no usable
 * interface for it (then guest and gateway get link-local addresses, and it
 * can still talk to the host); or it has a template interface, whose address
 * and gateway the guest is given.
 *
 * Pure: no files, no kernel, no output, no exit. Tests make up the host.
 */
#include "setup/setup.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fwd.h"
#include "util.h"


static bool fail(char err[ERR_MAX], const char *fmt, ...)
PRINTF(2, 3);

static bool fail(char err[ERR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, ERR_MAX, fmt, ap);
	va_end(ap);
	str_printable(err);
	return false;
}

/* --- families --- */

/* Local mode: RFC 3927 addresses as in no network the host can be in. */
static const struct local {
	struct addr guest, gw;
	uint8_t prefix_len;
} local[FAM_COUNT] = {
	[FAM4] = {
		{ .b = { [10] = 0xff, 0xff, 169, 254, 2, 1 } },
		{ .b = { [10] = 0xff, 0xff, 169, 254, 2, 2 } }, 16,
	},
	[FAM6] = {
		{ .b = { 0 } },
		{ .b = { 0xfe, 0x80, [15] = 1 } }, 64,
	},
};

static bool derive_families(struct conf *c, const struct request *req,
			    const struct host *h, char err[ERR_MAX])
{
	const bool unwanted[FAM_COUNT] = { req->ipv6_only, req->ipv4_only };

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		enum fam other = fam == FAM4 ? FAM6 : FAM4;

		c->net[fam].enabled = h->net[fam].supported && !unwanted[fam];
		if (unwanted[other] && !h->net[fam].supported)
			return fail(err, "--ipv%c-only: this host does not "
				    "support %s", fam == FAM4 ? '4' : '6',
				    fam_name(fam));
		if (unwanted[fam] && *req->net[fam].outbound_if)
			return fail(err, "--outbound-if%c %s excludes "
				    "--ipv%c-only: drop one of them",
				    fam == FAM4 ? '4' : '6',
				    req->net[fam].outbound_if,
				    fam == FAM4 ? '6' : '4');
	}
	if (!c->net[FAM4].enabled && !c->net[FAM6].enabled)
		return fail(err, "this host supports neither IPv4 nor IPv6");
	return true;
}

/* RFC 791 3.2; for addresses of no class, the address alone. */
static int classful_len(const struct addr *a)
{
	uint8_t first = a->b[12];

	if (first < 128)
		return 8;
	if (first < 192)
		return 16;
	return first < 224 ? 24 : 32;
}

static uint8_t derive_prefix_len(const struct request *req,
				 const struct host_net *hn, enum fam fam,
				 bool is_local)
{
	const struct request_net *rn = &req->net[fam];
	int len;

	if (fam == FAM6)
		return 64;
	if (rn->has_address) {
		len = MAX(rn->prefix_len, req->netmask_len);
		return (uint8_t)(len > 0 ? len : classful_len(&rn->address));
	}
	if (is_local)
		return (uint8_t)(req->netmask_len > 0 ? req->netmask_len :
							local[fam].prefix_len);
	return hn->prefix_len ? hn->prefix_len :
				(uint8_t)classful_len(&hn->addr);
}

/* With an interface, and an address of it or one given instead. */
static bool has_template(const struct request_net *rn,
			 const struct host_net *hn)
{
	return hn->ifindex && (rn->has_address || !addr_is_unspec(&hn->addr));
}

static bool derive_net(struct conf *c, const struct request *req,
		       const struct host *h, enum fam fam, char err[ERR_MAX])
{
	const struct request_net *rn = &req->net[fam];
	const struct host_net *hn = &h->net[fam];
	bool is_local = !has_template(rn, hn);
	struct conf_net *n = &c->net[fam];

	if (is_local && hn->ifindex && !req->interface &&
	    !strcmp(hn->ifname, rn->outbound_if))
		return fail(err, "--outbound-if%c: %s has no %s address to "
			    "give to the guest; say which with --address",
			    fam == FAM4 ? '4' : '6', rn->outbound_if,
			    fam_name(fam));
	if (!is_local) {
		n->ifindex = hn->ifindex;
		str_copy(n->ifname, sizeof(n->ifname), hn->ifname);
	}
	n->guest = rn->has_address ? rn->address :
		   is_local ? local[fam].guest : hn->addr;
	n->pinned = rn->has_address;
	n->prefix_len = derive_prefix_len(req, hn, fam, is_local);
	n->gw = rn->has_gateway ? rn->gateway :
		is_local ? local[fam].gw : hn->gw;
	n->copy_addrs = req->config_net && !is_local && !rn->has_address &&
			!req->no_copy_addrs;
	n->copy_routes = req->config_net && !is_local && !rn->has_gateway &&
			 !req->no_copy_routes;

	if (rn->has_outbound)
		n->outbound = rn->outbound;
	str_copy(n->outbound_if, sizeof(n->outbound_if), rn->outbound_if);

	if (rn->has_map_loopback)
		n->map_loopback = rn->map_loopback;
	else if (!req->no_map_gw && !req->map_loopback_none)
		n->map_loopback = n->gw;
	if (rn->has_map_guest)
		n->map_guest = rn->map_guest;
	return true;
}

/* What the guest sees us as. For IPv6 it has to be link-local: routers are
 * known by such addresses (RFC 4861 6.1.2). */
static void derive_ours(struct conf *c, const struct host *h)
{
	struct conf_net *n4 = &c->net[FAM4], *n6 = &c->net[FAM6];

	n4->our_tap = n4->gw;
	if (!n6->enabled)
		return;
	if (addr_is_linklocal(&n6->gw))
		c->our_ll = n6->gw;
	else if (n6->ifindex && !addr_is_unspec(&h->ll))
		c->our_ll = h->ll;
	else
		c->our_ll = local[FAM6].gw;
	n6->our_tap = c->our_ll;
}

/* --- names --- */

/* The host's resolver, as the guest may be told of it: not at all, if the
 * guest cannot reach it under its own address nor under another. */
static void derive_nameserver(struct conf_net *n, const struct addr *ns)
{
	bool hidden = addr_is_loopback(ns) || addr_eq(ns, &n->map_loopback);
	const struct addr *shown = ns;

	if (hidden && addr_is_unspec(&n->dns_match))
		n->dns_match = n->map_loopback;
	if (hidden)
		shown = &n->dns_match;
	if (!addr_is_unspec(shown) && n->dns_cnt < CONF_DNS_MAX)
		n->dns[n->dns_cnt++] = *shown;
}

unsigned host_nameservers(const struct host *h, enum fam fam,
			  struct addr list[CONF_DNS_MAX])
{
	unsigned cnt = 0;

	for (unsigned i = 0; i < h->nameserver_cnt && cnt < CONF_DNS_MAX; i++)
		if (addr_fam(&h->nameserver[i]) == fam)
			list[cnt++] = h->nameserver[i];
	return cnt;
}

static void derive_dns(struct conf_net *n, const struct request *req,
		       const struct host *h, enum fam fam)
{
	const struct request_net *rn = &req->net[fam];
	bool listed = rn->dns_cnt || req->dns_none;

	if (rn->has_dns_forward)
		n->dns_match = rn->dns_forward;
	for (unsigned i = 0; i < rn->dns_cnt; i++)
		n->dns[n->dns_cnt++] = rn->dns[i];
	for (unsigned i = 0; !listed && i < h->nameserver_cnt; i++)
		if (addr_fam(&h->nameserver[i]) == fam)
			derive_nameserver(n, &h->nameserver[i]);

	/* An address to forward needs somewhere to go, even if the resolvers
	 * told to the guest are others. Left unspecified if there is none, and
	 * then refused: it must not become the host's loopback. */
	n->dns_from_file = !rn->has_dns_host &&
			   (!listed || rn->has_dns_forward);
	if (n->dns_from_file)
		n->dns_host_cnt = host_nameservers(h, fam, n->dns_hosts);
	else if (rn->has_dns_host)
		n->dns_hosts[n->dns_host_cnt++] = rn->dns_host;
}

static void derive_search(struct conf *c, const struct request *req,
			  const struct host *h)
{
	if (req->search_none || req->splice_only)
		return;
	c->search_cnt = req->search_cnt ? req->search_cnt : h->search_cnt;
	memcpy(c->search, req->search_cnt ? req->search : h->search,
	       sizeof(c->search));
}

/* --- switches --- */

static void derive_protocols(struct conf *c, const struct request *req)
{
	const struct conf_net *n4 = &c->net[FAM4], *n6 = &c->net[FAM6];

	c->no_tcp = req->no_tcp;
	c->no_udp = req->no_udp;
	c->no_icmp = req->no_icmp || req->splice_only;
	c->no_ndp = req->no_ndp || c->no_icmp || !n6->enabled;
	c->no_ra = req->no_ra || req->config_net || c->no_ndp;
	c->no_dhcp = req->no_dhcp || !n4->enabled || addr_is_unspec(&n4->gw);
	c->no_dhcpv6 = req->no_dhcpv6 || !n6->enabled ||
		       addr_is_unspec(&n6->guest);
	c->no_splice = req->no_splice || req->mode != MODE_PASTA;
	c->splice_only = req->splice_only;
	c->host_lo_to_ns_lo = req->host_lo_to_ns_lo || req->splice_only;
	c->freebind = req->freebind;
	c->advertise_dns = req->dhcp_dns;
	c->advertise_search = req->dhcp_search;
}

static void derive_process(struct conf *c, const struct request *req)
{
	const struct {
		char *to;
		size_t size;
		const char *from;
	} strings[] = {
		{ c->hostname, sizeof(c->hostname), req->hostname },
		{ c->fqdn, sizeof(c->fqdn), req->fqdn },
		{ c->socket_path, sizeof(c->socket_path), req->socket_path },
		{ c->control_path, sizeof(c->control_path),
		  req->control_path },
		{ c->pcap_path, sizeof(c->pcap_path), req->pcap },
	};

	/* All fit: the lengths were judged when they were read. */
	for (unsigned i = 0; i < ARRAY_SIZE(strings); i++)
		if (strings[i].from)
			str_copy(strings[i].to, strings[i].size,
				 strings[i].from);
	c->our_mac = req->has_mac ? req->mac : MAC_OURS_DEFAULT;
	c->guest_mac = req->has_ns_mac ? req->ns_mac : MAC_ZERO;
	c->mtu = req->has_mtu ? req->mtu : MTU_DEFAULT;
	c->config_net = req->config_net;
	c->guest_fd = req->fd;
	c->one_off = req->one_off;
	c->stats_s = req->stats_s;
}

static void derive_limits(struct conf *c, const struct host *h)
{
	c->ephemeral_first = h->ephemeral_first;
	c->ephemeral_last = h->ephemeral_last;
	c->can_bind_device = h->can_bind_device;
	memcpy(c->has_peek_off, h->has_peek_off, sizeof(c->has_peek_off));
	c->syn_retries = h->syn_retries;
	c->syn_linear_timeouts = h->syn_linear_timeouts;
	c->rto_max_ms = h->rto_max_ms;
	c->udp_timeout_s = h->udp_timeout_s;
	c->udp_timeout_stream_s = h->udp_timeout_stream_s;
}

static void derive_tap_name(struct conf *c, const struct request *req)
{
	const char *names[] = { req->ns_ifname, c->net[FAM4].ifname,
				c->net[FAM6].ifname, "tap0" };

	for (unsigned i = 0; !*c->tap_name; i++)
		if (names[i])
			str_copy(c->tap_name, sizeof(c->tap_name), names[i]);
}

/* Linux refuses IPv6 on links that small; IPv4 shall not suffer from it. */
static bool derive_small_mtu(struct conf *c, char err[ERR_MAX])
{
	if (!c->config_net || !c->mtu || c->mtu >= MTU_MIN_IPV6)
		return true;
	if (c->mtu < MTU_MIN_IPV4)
		return fail(err, "--mtu %u: no interface can be set to less "
			    "than %u; 0 leaves it alone", c->mtu, MTU_MIN_IPV4);
	c->net[FAM6] = (struct conf_net) { 0 };
	if (!c->net[FAM4].enabled)
		return fail(err, "--mtu %u: IPv6 needs at least %u", c->mtu,
			    MTU_MIN_IPV6);
	return true;
}

/* --- ports --- */

static const struct direction {
	char letter;
	uint8_t proto;
	bool outbound;
	size_t given;		/* in struct request */
} directions[] = {
	{ 't', IPPROTO_TCP, false, offsetof(struct request, given_t) },
	{ 'u', IPPROTO_UDP, false, offsetof(struct request, given_u) },
	{ 'T', IPPROTO_TCP, true, offsetof(struct request, given_T) },
	{ 'U', IPPROTO_UDP, true, offsetof(struct request, given_U) },
};

static bool add_spec(struct conf *c, const struct direction *d,
		     const char *text, char err[ERR_MAX])
{
	struct fwd_table *t = d->outbound ? &c->outbound : &c->inbound;
	struct fwd_spec_ctx ctx = {
		.c = c, .proto = d->proto, .outbound = d->outbound,
		.can_auto = c->mode == MODE_PASTA,
		/* Of those that left rules, so that all numbers differ. */
		.spec = t->cnt ? (uint8_t)(t->rule[t->cnt - 1].spec + 1) : 0,
	};
	char why[ERR_MAX - 80];

	if (fwd_parse_spec(t, &ctx, text, why, sizeof(why)))
		return true;
	return fail(err, "-%c %.60s%s: %s", d->letter, *text ? text : "''",
		    strlen(text) > 60 ? "..." : "", why);
}

static const struct direction *find_direction(char letter)
{
	const struct direction *d = directions;

	while (d->letter != letter)
		d++;
	return d;
}

static bool derive_ports(struct conf *c, const struct request *req,
			 char err[ERR_MAX])
{
	for (unsigned i = 0; i < req->spec_cnt; i++)
		if (!add_spec(c, find_direction(req->spec[i].letter),
			      req->spec[i].text, err))
			return false;

	for (unsigned i = 0; i < ARRAY_SIZE(directions); i++) {
		const struct direction *d = &directions[i];
		bool off = d->proto == IPPROTO_TCP ? c->no_tcp : c->no_udp;

		if (c->mode != MODE_PASTA || off ||
		    *(const bool *)((const char *)req + d->given))
			continue;
		if (!add_spec(c, d, "auto", err))
			return false;
	}
	return true;
}

bool derive_conf(struct conf *c, const struct request *req,
		 const struct host *h, char err[ERR_MAX])
{
	*c = (struct conf) { .mode = req->mode };
	*err = '\0';
	derive_process(c, req);
	derive_limits(c, h);
	if (!derive_families(c, req, h, err) || !derive_small_mtu(c, err))
		return false;
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		if (!c->net[fam].enabled || req->splice_only)
			continue;
		if (!derive_net(c, req, h, fam, err))
			return false;
		derive_dns(&c->net[fam], req, h, fam);
	}
	if (!req->splice_only)
		derive_ours(c, h);
	derive_search(c, req, h);
	derive_protocols(c, req);
	derive_tap_name(c, req);
	return derive_ports(c, req, err);
}
