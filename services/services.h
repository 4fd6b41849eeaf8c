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
/* A guest attached: ask who it is (ARP and NS for the assigned addresses). */
void services_guest_up(void);

/* arp.c */
void arp_from_guest(const struct packet *p, unsigned n);
void arp_solicit(void);
/* ndp.c */
void ndp_from_guest(const struct packet *p, unsigned n);
void ndp_solicit(void);

#endif
