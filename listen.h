/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.h - listening sockets for the forwarding rules
 *
 * Owns them all, on the host and in the namespace; opens and closes those of
 * automatic rules as services appear on the other side.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "epoll_ctl.h"

/* Which protocols there is an engine for; rules of others open nothing. */
void listen_protocols(bool tcp, bool udp);
/* The rules in force, PIF_HOST or PIF_SPLICE; empty before listen_open(). */
const struct fwd_table *listen_rules(uint8_t pif);
/* Open what @pif's table (PIF_HOST: inbound, PIF_SPLICE: outbound) asks for,
 * and register with the loop. False: a strict rule failed; @errbuf names port,
 * address and cause. Automatic rules open nothing yet. */
bool listen_open(uint8_t pif, char *errbuf, size_t errlen);
/* Other rules from now on, as a whole: what is listened on before and after
 * stays open, with all callers that wait in it. False: all is as it was,
 * @errbuf says why. Rules have been checked. */
bool listen_update(const struct fwd_table *inbound,
		   const struct fwd_table *outbound,
		   char *errbuf, size_t errlen);
/* Automatic rules: descriptors of diag_open() on both sides. Scans at once,
 * and from then on by timer. */
void listen_auto_start(int host_diag, int ns_diag);
void listen_expire(uint32_t timer_id);	/* TIMER_SCAN, TIMER_LISTEN_RETRY */
/* EV_TCP_LISTEN: accept, ask fwd, hand to TCP or splice. */
void listen_tcp_handle(struct ev ev, uint32_t events);
/* EV_UDP_LISTEN is udp.c's; this names the rule and place of a listener. */
struct listener {
	int fd;
	uint16_t port;
	uint8_t pif, rule;	/* index in listen_rules(pif) */
	uint8_t proto;
	uint8_t df[FAM_COUNT];	/* for udp_sock_df(): since it is open */
};
/* NULL once it is closed, whatever its place is used for meanwhile. Nothing but
 * @df is to be written. */
struct listener *listen_get(uint32_t slot);
/* Where that port of that rule is open, or LISTEN_NONE. */
#define LISTEN_NONE	UINT32_MAX
uint32_t listen_slot(uint8_t pif, unsigned rule, uint16_t port);
/* Sockets that are ours, and so no services, whatever automatic rules find:
 * listeners, and those of datagram flows. */
void listen_hold(uint8_t pif, uint8_t proto, uint16_t port);
void listen_unhold(uint8_t pif, uint8_t proto, uint16_t port);
/* The guest's namespace is going: free the ports first. */
void listen_close_all(void);
unsigned listen_count(void);

#endif
