/* SPDX-License-Identifier: GPL-2.0-or-later */
/* icmp.h - echo, and errors of sockets as ICMP messages for the guest */
#ifndef ICMP_H
#define ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "wire/frame.h"

void ping_from_guest(const struct packet *p, unsigned n);
void ping_expire(struct flow *f);
void ping_event(struct flow *f, unsigned side, uint32_t events);

/* An error of ours about what the guest sent: RFC 792, RFC 4443. @from is the
 * offender as the guest knows it; @quote the start of the guest's packet, IP
 * header included. @info: next-hop MTU where the type has one. */
void icmp_error_to_guest(const struct addr *from, const struct addr *to,
			 uint8_t type, uint8_t code, uint32_t info,
			 const void *quote, size_t quote_len);

#endif
