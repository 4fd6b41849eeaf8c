/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf.h - what this process was told to be: plain data, const after setup
 *
 * Written by setup/ only; its page is made read-only before the loop starts.
 * What changes while running belongs to the module that owns it.
 */
#ifndef CONF_H
#define CONF_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

enum mode { MODE_PASST, MODE_VHOST_USER, MODE_PASTA };

/* A network interface as flows see it: where a side of a flow lives. The
 * numbers appear in logs and in the control protocol. */
enum pif { PIF_NONE, PIF_HOST, PIF_TAP, PIF_SPLICE, PIF_COUNT };

#define CONF_DNS_MAX	3
#define CONF_SEARCH_MAX	6
#define CONF_NAME_MAX	253
#define MTU_MAX		65521u
#define MTU_DEFAULT	65520u
#define MTU_MIN_IPV4	68u		/* RFC 791 3.2 */
#define MTU_MIN_IPV6	1280u		/* RFC 8200 5 */
#define ETH_FRAME_MAX	65535u
#define RULES_MAX	255
#define MAC_OURS_DEFAULT						\
	((struct mac) { { 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55 } })

struct conf_net {		/* one address family */
	bool enabled;
	bool pinned;		/* guest address given by -a: never learned */
	unsigned ifindex;	/* template on the host; 0: local mode */
	char ifname[IFNAMSIZ];
	struct addr guest;	/* address assigned to the guest */
	uint8_t prefix_len;
	struct addr gw;		/* gateway told to the guest */
	struct addr our_tap;	/* our own address on the link */
	struct addr map_loopback; /* guest's name for our 127.0.0.1 or ::1 */
	struct addr map_guest;	/* guest's name for @guest on the host */
	struct addr dns_match;	/* DNS to this address goes to dns_hosts */
	struct addr dns_hosts[CONF_DNS_MAX];	/* in order of preference */
	unsigned dns_host_cnt;
	bool dns_from_file;	/* and follow resolv.conf: see resolver.h */
	struct addr outbound;	/* source address of our sockets */
	char outbound_if[IFNAMSIZ];
	struct addr dns[CONF_DNS_MAX];	/* resolvers advertised */
	unsigned dns_cnt;
	bool copy_addrs, copy_routes;	/* --config-net: from the template */
};

/* Ports forwarded */
#define RULE_DUAL	1	/* listen on any address of both families */
#define RULE_WEAK	2	/* tolerate ports that cannot be bound */
#define RULE_AUTO	4	/* bind only what the other side listens on */
#define RULE_FLAGS	7

struct fwd_rule {
	struct addr listen;	/* "::" with RULE_DUAL; or the wildcard */
	struct addr target;	/* unspecified: the guest's own address */
	char ifname[IFNAMSIZ];
	uint16_t first, last, to;
	uint8_t proto;		/* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t flags;
	uint8_t spec;		/* rules of one option share a number: "weak"
				 * is judged over all of them */
};

struct fwd_table {
	unsigned cnt;
	struct fwd_rule rule[RULES_MAX];
};

struct conf {
	enum mode mode;
	struct conf_net net[FAM_COUNT];
	struct addr our_ll;	/* IPv6 link-local of ours on the link */
	struct mac our_mac;
	struct mac guest_mac;	/* --ns-mac-addr, or zero */
	unsigned mtu;		/* 0: advertise and set none */

	bool no_tcp, no_udp, no_icmp;
	bool no_dhcp, no_dhcpv6, no_ndp, no_ra;
	bool no_splice, splice_only, host_lo_to_ns_lo;
	bool freebind;
	bool advertise_dns, advertise_search;
	char search[CONF_SEARCH_MAX][CONF_NAME_MAX + 1];
	unsigned search_cnt;
	char hostname[CONF_NAME_MAX + 1];
	char fqdn[CONF_NAME_MAX + 1];

	struct fwd_table inbound;	/* -t -u: listeners on the host */
	struct fwd_table outbound;	/* -T -U: listeners in the namespace */
	uint16_t ephemeral_first, ephemeral_last;	/* of the host */
	bool can_bind_device;	/* SO_BINDTODEVICE without privilege */
	bool has_peek_off[FAM_COUNT];	/* SO_PEEK_OFF works on TCP */

	/* timing sysctls of the host */
	unsigned syn_retries, syn_linear_timeouts, rto_max_ms;
	unsigned udp_timeout_s, udp_timeout_stream_s;

	char tap_name[IFNAMSIZ];
	bool config_net;
	char socket_path[108];	/* VM modes: "" until chosen by probing */
	char control_path[108];	/* "": no control socket */
	int guest_fd;		/* -F, or -1 */
	bool one_off;
	char pcap_path[PATH_MAX];
	unsigned stats_s;
};

/* One object under two names: everyone reads conf, setup/ writes
 * conf_writable, until conf_freeze() makes its pages read-only. A function that
 * writes reads by that name too: to the compiler, conf does not change. */
extern const struct conf conf;
extern struct conf conf_writable;
int conf_freeze(void);		/* 0, or -errno */

#endif
