/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp.h - datagrams between the link, host sockets and namespace sockets */
#ifndef UDP_H
#define UDP_H

#include <stdbool.h>
#include <stdint.h>

#include "epoll_ctl.h"
#include "flow.h"
#include "wire/frame.h"

void udp_init(void);
/* @n datagrams of one conversation, of one TTL and TOS, in order. */
void udp_from_guest(const struct packet *p, unsigned n);
void udp_handle(struct ev ev, uint32_t events);		/* EV_UDP */
void udp_listen_handle(struct ev ev, uint32_t events);	/* EV_UDP_LISTEN */
void udp_expire(struct flow *f);
void udp_tick(void);					/* of the loop */

#endif
