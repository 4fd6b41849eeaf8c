/* SPDX-License-Identifier: GPL-2.0-or-later */
/* icmp.h - echo, and errors of sockets as ICMP messages for the guest */
#ifndef ICMP_H
#define ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "wire/frame.h"

/* ping.c */
void ping_from_guest(const struct packet *p, unsigned n);
void ping_expire(struct flow *f);
void ping_event(struct flow *f, unsigned side, uint32_t events);

/* icmp.c */

/* An error of ours about what the guest sent: RFC 792, RFC 4443. @from is the
 * offender as the guest knows it; @quote the start of the guest's packet, IP
 * header included. @info: next-hop MTU where the type has one. */
void icmp_error_to_guest(const struct addr *from, const struct addr *to,
			 uint8_t type, uint8_t code, uint32_t info,
			 const void *quote, size_t quote_len);

#define ICMP_QUOTE_MAX	1232	/* of the guest's packet, in any family */
#define ICMP_QUOTE_IP	40	/* room for an IP header to be quoted */

struct icmp_error {		/* what a message says */
	uint8_t type, code;
	uint32_t info;		/* next-hop MTU, or pointer */
};

/* We ourselves say @e about a packet of the guest. */
void icmp_error_about(const struct packet *p, const struct icmp_error *e);

/* What an errno of connect() or sendmsg() means in @fam. False: nothing that a
 * message could say, as of ECONNREFUSED. */
bool icmp_error_of_errno(enum fam fam, int err, struct icmp_error *e);

/* We could not reach who is behind @tap, the guest's side of a conversation, as
 * errno @err says. @seq: of the segment, for TCP. False: no message for that
 * error, the guest must hear of it another way. */
bool icmp_unreachable_to_guest(const struct side *tap, uint8_t proto,
			       uint32_t seq, int err);

/* One entry of the error queue of a socket the guest's packets leave by. */
struct icmp_report {
	struct icmp_error error;
	int err;		/* the same, as an errno */
	struct addr offender;	/* on the host's side; unspecified: the host */
	struct addr dest;	/* where the packet in question was sent to */
	struct addr ours;	/* where it came from; of listeners only */
	uint16_t dest_port;
	size_t len;		/* of the packet in question, behind IP (and
				 * UDP): as much as came back */
	uint8_t data[ICMP_QUOTE_MAX];
};

/* 1: a report; 0: an entry the guest is not told of; -errno: nothing to read,
 * -EAGAIN most likely. */
int icmp_report_read(int fd, struct icmp_report *r);
/* Pass it on: @quote is the guest's own packet. @tap, @host: the sides of the
 * conversation. */
void icmp_report_to_guest(const struct icmp_report *r, const struct side *tap,
			  const struct side *host, const void *quote,
			  size_t quote_len);

/* The IP header of a packet of this conversation from the guest, with @l4_len
 * bytes to follow. Returns its length. */
size_t icmp_quote_ip(uint8_t out[ICMP_QUOTE_IP], const struct side *tap,
		     uint8_t proto, size_t l4_len);

/* A whole ICMP message, its checksum field zero; in fragments if the guest's
 * MTU demands that. @msg may be changed. */
void icmp_to_guest(const struct addr *src, const struct addr *dst,
		   uint8_t *msg, size_t len);

#endif
