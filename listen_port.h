/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen_port.h - private to listen*.c: ports of rules, as listen_auto.c sees
 * them
 */
#ifndef LISTEN_PORT_H
#define LISTEN_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "diag.h"

/* Of conf.inbound, and of conf.outbound. */
enum listen_dir { DIR_IN, DIR_OUT, DIRS };
enum listen_proto { PROTO_TCP, PROTO_UDP, PROTOS };

/* --- listen.c --- */

const struct fwd_table *listen_table(enum listen_dir dir);
enum listen_proto listen_proto(uint8_t number);	/* IPPROTO_x */
bool listen_wired(enum listen_proto p);
/* Ports we have sockets on: in the namespace those of DIR_OUT, on the host
 * those of DIR_IN. */
const struct ports *listen_held(enum listen_dir dir, enum listen_proto p);
/* Have a port of an automatic rule open, or not; it was the other way. */
void listen_want(enum listen_dir dir, unsigned rule, uint16_t port, bool want);

/* --- listen_auto.c --- */

void listen_scan(void);		/* TIMER_SCAN */

#endif
