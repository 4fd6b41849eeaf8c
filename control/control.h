/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - forwarding rules shown and replaced while running
 *
 * Owns the control socket and its client, one at a time. Protocol: see
 * control_wire.h.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "epoll_ctl.h"

/* @fd listens, and is ours from now on; -1: nothing to do. 0, or -errno. */
int control_start(int fd);
void control_handle(struct ev ev, uint32_t events);	/* EV_CONTROL */
void control_expire(void);				/* TIMER_CONTROL */

#endif
