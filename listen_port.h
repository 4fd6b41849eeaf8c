/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen_port.h - private to listen*.c: ports of rules, and their sockets */
#ifndef LISTEN_PORT_H
#define LISTEN_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "diag.h"
#include "listen.h"

/* Rules of -t and -u, and of -T and -U. */
enum listen_dir { DIR_IN, DIR_OUT, DIRS };
enum listen_proto { PROTO_TCP, PROTO_UDP, PROTOS };

#define LISTEN_WHERE_MAX	160	/* text naming a port */

/* --- listen.c: the rules --- */

/* In force, or (only during an update) those that may be next. */
enum listen_age { RULES_NOW, RULES_NEXT, RULES_AGES };
const struct fwd_table *listen_table(enum listen_dir dir, enum listen_age age);
bool listen_wired(enum listen_proto p);

/* Automatic rules: have a port open, or not. True: that was news. */
bool listen_want(enum listen_dir dir, unsigned rule, uint16_t port, bool want);
/* Shut ports whose target is not among these. */
void listen_want_only(enum listen_dir dir, enum listen_proto p,
		      const struct ports *targets);

/* --- listen_row.c: the sockets --- */

enum row_state {
	ROW_IDLE,		/* opened, or freed, before the caller returns */
	ROW_OPEN,
	ROW_MUTED,
	ROW_WAITING,
	ROW_DISPLACED,		/* shut to make room, during an update */
};

enum row_fate {			/* during an update */
	FATE_GOES,		/* unless that fails. So while there is none */
	FATE_STAYS,		/* as rule @becomes of RULES_NEXT */
	FATE_NEW,		/* of a rule of RULES_NEXT */
};

struct row {
	struct listener l;	/* proto 0: free */
	uint8_t state, fate, becomes;
	bool second;		/* of the two sockets of a port */
	uint16_t gen;
	uint32_t chain;		/* next of the same port */
	uint32_t next, prev;	/* MUTED, WAITING; free: next */
};

/* A port of a rule. */
struct spot {
	uint8_t dir, age;
	uint8_t rule;
	uint16_t port;
};

void rows_init(void);	/* the first time; then it does nothing */
struct row *row_of_slot(uint32_t slot);
uint32_t row_slot(const struct row *r);
/* All of them, in no order: NULL starts; NULL at the end. @r may be freed. */
struct row *row_each(const struct row *r);
const struct fwd_rule *row_rule(const struct row *r);
/* What is listened on where @at says, whatever rule it is of; or NULL. */
struct row *row_find(const struct spot *at);
void row_free(struct row *r);

/* How many sockets a port of that rule takes. */
unsigned port_sockets(const struct spot *at);
/* All sockets of a port, or none. 0, or -errno: *out is idle then, or NULL. */
int port_open(const struct spot *at, struct row **out);
int port_open_idle(struct row *r);	/* once more */
int row_open(struct row *r);		/* just that socket */
/* Shut what goes anyway at the port of @r, to make room. False: nothing does. */
bool port_displace(const struct row *r);
void port_free(struct row *r);
/* An idle row: try again from time to time, or free it, if that is of no use. */
void row_wait_for_better(struct row *r, int error);
void row_mute(struct row *r);
void row_retry_expire(void);	/* TIMER_LISTEN_RETRY */

/* "TCP port 80 of 192.0.2.1 on eth0 in the namespace" */
const char *row_where(const struct row *r, char buf[LISTEN_WHERE_MAX]);
void row_explain(const struct row *r, int error, char *buf, size_t len);

enum listen_proto listen_proto(uint8_t number);	/* IPPROTO_x */
/* Ports we have sockets on: in the namespace those of DIR_OUT, on the host
 * those of DIR_IN. */
const struct ports *listen_held(enum listen_dir dir, enum listen_proto p);

/* --- listen_auto.c --- */

void listen_scan(void);		/* TIMER_SCAN */
void listen_auto_update(void);	/* other rules are in force */

#endif
