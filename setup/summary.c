/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary.c - the configuration, told to the user
 *
 * A walk over struct conf at info level: what the guest is told, and which
 * ports lead where. Nothing is decided here, and nothing but conf is asked, so
 * what is printed is what is in effect.
 *
 * Warnings are for what the user may not expect and can do something about.
 */
#include "setup/setup.h"

#include <stdio.h>
#include <string.h>

#include "fwd.h"
#include "util.h"

static const char *str(const struct addr *a)
{
	static char buf[ADDR_STRLEN];

	return addr_str(a, buf);
}

static void line_addr(const char *label, const struct addr *a)
{
	if (!addr_is_unspec(a))
		info("    %s: %s", label, str(a));
}

static void say_interfaces(const struct conf *c)
{
	char mac[MAC_STRLEN];

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		const struct conf_net *n = &c->net[fam];

		if (!n->enabled || c->splice_only)
			continue;
		if (n->ifindex)
			info("Template interface: %s (%s)", n->ifname,
			     fam_name(fam));
		else
			info("No interface of the host can be a template for "
			     "%s: using link-local addresses", fam_name(fam));
		if (*n->outbound_if)
			info("Outbound interface: %s (%s)", n->outbound_if,
			     fam_name(fam));
		if (!addr_is_unspec(&n->outbound))
			info("Outbound %s address: %s", fam_name(fam),
			     str(&n->outbound));
	}
	if (c->splice_only)
		return;
	if (c->mode == MODE_PASTA)
		info("Namespace interface: %s", c->tap_name);
	info("MAC:");
	info("    host: %s", mac_str(&c->our_mac, mac));
}

/* RFC 2131's words where there are some. */
static void say_network(const struct conf *c, enum fam fam)
{
	static const char *const loopback[] = { "127.0.0.1", "::1" };
	const struct conf_net *n = &c->net[fam];
	const char *services =
		fam == FAM4 ? (c->no_dhcp ? "IPv4:" : "DHCP:") :
		c->no_ndp && c->no_dhcpv6 ? "IPv6:" :
		c->no_ndp ? "DHCPv6:" :
		c->no_dhcpv6 ? "NDP:" : "NDP/DHCPv6:";

	if (!addr_is_unspec(&n->map_loopback))
		info("NAT to host %s: %s", loopback[fam],
		     str(&n->map_loopback));
	if (!addr_is_unspec(&n->map_guest))
		info("NAT to host's own address: %s", str(&n->map_guest));
	info("%s", services);
	if (!addr_is_unspec(&n->guest))
		info("    assign: %s/%u", str(&n->guest), n->prefix_len);
	line_addr("router", &n->gw);
	if (fam == FAM6)
		line_addr("our link-local", &c->our_ll);
	for (unsigned i = 0; !addr_is_unspec(&n->dns_match) &&
			     i < n->dns_host_cnt; i++) {
		char host[ADDR_STRLEN];

		info("    DNS at %s goes to %s%s", str(&n->dns_match),
		     addr_str(&n->dns_hosts[i], host),
		     i ? ", if that does not answer" : "");
	}
	if (n->dns_cnt && c->advertise_dns)
		info("DNS:");
	for (unsigned i = 0; c->advertise_dns && i < n->dns_cnt; i++)
		info("    %s", str(&n->dns[i]));
}

static void say_rules(const char *heading, const struct fwd_table *t)
{
	char buf[160];

	if (t->cnt)
		info("%s:", heading);
	for (unsigned i = 0; i < t->cnt; i++)
		info("    %s", fwd_rule_str(&t->rule[i], buf, sizeof(buf)));
}

/* How to get at it. */
static void say_socket(const struct conf *c)
{
	if (!*c->socket_path)
		return;
	info("You can now start a virtual machine, for example:");
	info("    qemu-system-x86_64 ... -device virtio-net-pci,netdev=n "
	     "-netdev stream,id=n,server=off,addr.type=unix,addr.path=%s",
	     c->socket_path);
}

void conf_summary(const struct conf *c)
{
	if (*c->control_path)
		info("Control socket: %s", c->control_path);
	say_interfaces(c);
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		if (c->net[fam].enabled && !c->splice_only)
			say_network(c, fam);
	if (c->search_cnt && c->advertise_search)
		info("DNS search list:");
	for (unsigned i = 0; c->advertise_search && i < c->search_cnt; i++)
		info("    %s", c->search[i]);
	say_rules("Inbound (HOST)", &c->inbound);
	say_rules("Outbound (SPLICE)", &c->outbound);
	say_socket(c);
}

/* --- warnings --- */

static void warn_mtu(const struct conf *c, const struct request *req)
{
	const struct {
		unsigned min;
		bool wanted;
	} fams[FAM_COUNT] = {
		{ MTU_MIN_IPV4, !req->ipv6_only },
		{ MTU_MIN_IPV6, !req->ipv4_only },
	};

	for (enum fam fam = FAM4; c->mtu && fam < FAM_COUNT; fam++)
		if (fams[fam].wanted && c->mtu < fams[fam].min)
			warn("--mtu %u is less than the %u that %s needs%s",
			     c->mtu, fams[fam].min, fam_name(fam),
			     c->net[fam].enabled ? "" : ": doing without");
}

static void warn_resolvers(const struct conf *c, const struct request *req)
{
	const bool told[FAM_COUNT] = {
		!c->no_dhcp, !c->no_ra || !c->no_dhcpv6,
	};

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		if (!req->dns_none && c->advertise_dns && told[fam] &&
		    c->net[fam].enabled && !c->net[fam].dns_cnt)
			warn("Couldn't get any nameserver address for %s; "
			     "give one with --dns, or say none",
			     fam_name(fam));
}

static void warn_forward(const struct conf *c, const struct request *req)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		if (c->net[fam].enabled && req->net[fam].has_dns_forward &&
		    !c->net[fam].dns_host_cnt)
			warn("--dns-forward %s leads nowhere so far: the host "
			     "has no %s resolver; give one with --dns-host",
			     str(&c->net[fam].dns_match), fam_name(fam));
}

void conf_warn(const struct conf *c, const struct request *req)
{
	for (unsigned i = 0; i < req->deprecated_cnt; i++)
		warn("--%s is deprecated: %s", req->deprecated[i].option,
		     req->deprecated[i].instead);
	warn_mtu(c, req);
	if (c->splice_only)
		return;
	warn_resolvers(c, req);
	warn_forward(c, req);
}
