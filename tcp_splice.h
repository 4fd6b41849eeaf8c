/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_splice.h - TCP from socket to socket, no frames in between */
#ifndef TCP_SPLICE_H
#define TCP_SPLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"

void tcp_splice_init(void);
/* listen.c accepted @fd; side 0 and 1 are decided, side 1 is PIF_HOST or
 * PIF_SPLICE. Takes @fd. */
void tcp_splice_start(int fd, const struct side side[2]);

bool tcp_splice_end_counter(unsigned i, struct counter *out);

bool tcp_splice_work(struct flow *f);
void tcp_splice_event(struct flow *f, unsigned side, uint32_t events);

#endif
