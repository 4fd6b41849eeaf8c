/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp.h - TCP connections between the link and host sockets */
#ifndef TCP_H
#define TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "wire/frame.h"

/* @n packets of one conversation, in order (services/dispatch.c groups them). */
void tcp_from_guest(const struct packet *p, unsigned n);
/* listen.c accepted @fd for the guest; side 0 and 1 are decided. Takes @fd. */
void tcp_from_host(int fd, const struct side given[2]);

/* Why connections ended. */
bool tcp_end_counter(unsigned i, struct counter *out);

/* Rows of the flow_ops table. */
bool tcp_work(struct flow *f);
void tcp_expire(struct flow *f);
void tcp_event(struct flow *f, unsigned side, uint32_t events);

#endif
