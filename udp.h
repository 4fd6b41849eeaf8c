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
/* @n datagrams of one conversation, in order. */
void udp_from_guest(const struct packet *p, unsigned n);
void udp_listen_handle(struct ev ev, uint32_t events);	/* EV_UDP_LISTEN */

bool udp_work(struct flow *f);
void udp_expire(struct flow *f);
void udp_event(struct flow *f, unsigned side, uint32_t events);

#endif
