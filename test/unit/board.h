/* SPDX-License-Identifier: GPL-2.0-or-later */
/* board.h - the modules, wired as passt.c does it, for tests of all of them
 *
 * Less what watches the host, and what waits for others than guest and peers.
 */
#ifndef BOARD_H
#define BOARD_H

#include "backlog.h"
#include "conf.h"
#include "epoll_ctl.h"
#include "flow.h"
#include "icmp.h"
#include "link/link.h"
#include "listen.h"
#include "resolver.h"
#include "services/services.h"
#include "tcp.h"
#include "tcp_splice.h"
#include "timer.h"
#include "udp.h"

static const struct flow_ops board_flow_ops[FLOW_TYPE_COUNT] = {
	/*		    work	     expire	  event */
	[FLOW_TCP]	= { tcp_work,	     tcp_expire,  tcp_event },
	[FLOW_SPLICE]	= { tcp_splice_work, NULL,	  tcp_splice_event },
	[FLOW_UDP]	= { NULL,	     udp_expire,  NULL },
	[FLOW_PING4]	= { NULL,	     ping_expire, ping_event },
	[FLOW_PING6]	= { NULL,	     ping_expire, ping_event },
};

/* Whether the last turn left something to do. */
static bool board_has_more;

static void board_timer_expired(uint32_t id)
{
	if (id < FLOW_MAX)
		flow_expire(id);
	else if (id == TIMER_REASSEMBLY)
		reassembly_expire(id);
	else if (id == TIMER_RESOLVER)
		resolver_expire();
	else if (id == TIMER_BACKLOG)
		backlog_expire(id);
	else
		listen_expire(id);
}

static bool board_turn_ended(void)
{
	board_has_more = flow_run_ready();
	link_flush();
	return board_has_more;
}

static const struct loop_hooks board_hooks = {
	.handler = {
		[EV_LINK]	 = link_handle,
		[EV_LINK_LISTEN] = link_handle,
		[EV_TCP]	 = flow_handle,
		[EV_SPLICE]	 = flow_handle,
		[EV_PING]	 = flow_handle,
		[EV_TCP_LISTEN]	 = listen_tcp_handle,
		[EV_UDP]	 = udp_handle,
		[EV_UDP_LISTEN]	 = udp_listen_handle,
	},
	.expire	= board_timer_expired,
	.tick	= udp_tick,
	.turn	= board_turn_ended,
};

static inline void board_conf_net(struct conf_net *net, const char *guest,
				  const char *gw, uint8_t prefix_len)
{
	net->enabled = true;
	net->prefix_len = prefix_len;
	addr_parse(&net->guest, guest);
	addr_parse(&net->gw, gw);
	net->map_loopback = net->our_tap = net->gw;
}

/* A host of both families, and the defaults of the command line and of Linux */
static inline void board_conf(void)
{
	struct conf *c = &conf_writable;

	board_conf_net(&c->net[FAM4], "10.0.2.15", "10.0.2.2", 24);
	board_conf_net(&c->net[FAM6], "fd00:2::15", "fe80::1", 64);
	c->our_ll = c->net[FAM6].gw;
	c->our_mac = MAC_OURS_DEFAULT;
	c->ephemeral_first = 32768;
	c->ephemeral_last = 60999;
	c->syn_retries = 6;
	c->syn_linear_timeouts = 4;
	c->rto_max_ms = 120000;
	c->udp_timeout_s = 30;
	c->udp_timeout_stream_s = 120;
}

#endif
