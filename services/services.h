/* SPDX-License-Identifier: GPL-2.0-or-later */
/* services.h - the gateway the guest thinks it has */
#ifndef SERVICES_H
#define SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/frame.h"

/* dispatch.c: the link's sink. Groups neighbouring packets of a conversation
 * and hands each group to its row's handler. */
void dispatch(struct packet *p, unsigned n);
/* reassembly.c: a fragment; true if it makes up a @whole packet, which stays as
 * it is until the next call. The timer is TIMER_REASSEMBLY. */
bool reassembly_add(const struct packet *p, struct packet *whole);
void reassembly_expire(uint32_t timer_id);
/* A guest attached: ask who it is (ARP and NS for the assigned addresses), and
 * be its router from now on. */
void services_guest_up(void);

/* arp.c */
void arp_from_guest(const struct packet *p, unsigned n);
void arp_solicit(void);
/* Tell the guest that @a is to be found at @mac: RFC 5227 3. */
void arp_announce(const struct addr *a, const struct mac *mac);

/* ndp.c */
void ndp_from_guest(const struct packet *p, unsigned n);
void ndp_solicit(void);
void ndp_announce(const struct addr *a, const struct mac *mac);
/* Router advertisements nobody asked for: from now on, from time to time. */
void ndp_advertise_start(void);
void ndp_expire(void);			/* TIMER_RA */

/* dhcp.c, dhcpv6.c */
void dhcp_from_guest(const struct packet *p, unsigned n);
void dhcpv6_init(void);
void dhcpv6_from_guest(const struct packet *p, unsigned n);

/* name.c: false if @name is no domain name, and then nothing is written. What
 * does not fit fails @w. */
bool name_put(struct wr *w, const char *name);
/* @base: where the option's names begin; they are all in one piece. */
bool name_put_compressed(struct wr *w, const uint8_t *base, const char *name);

#endif
