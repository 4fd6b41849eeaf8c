/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent.h - the process that lives in the namespace and makes sockets there
 *
 * It entered once. One SEQPACKET socket carries requests (struct sock_req and
 * how many) and answers (error, or descriptors by SCM_RIGHTS). The daemon
 * itself never enters, and needs no capability to serve the namespace.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>

#include "epoll_ctl.h"
#include "sock.h"

#define AGENT_BATCH	16	/* sockets of one answer, at most */

/* --- daemon's half --- */
void agent_attach(int fd);	/* our end; the loop is told of it by the caller */
bool agent_there(void);
/* Until it serves, which is after it has given up all it was born with. Fills a
 * pool, to ask something. 0, or -errno. */
int agent_wait(void);
/* One socket now; waits for the answer. fd, or -errno (-EPIPE: agent gone). */
int agent_open(const struct sock_req *req);
/* From the pool of unbound TCP sockets of @kind and @fam; asks for more when it
 * runs low, without waiting unless empty. fd, or -errno. */
int agent_pool_get(enum sock_kind kind, enum fam fam);
void agent_handle(struct ev ev, uint32_t events);	/* EV_AGENT: refills */

/* --- agent's half: serves until the daemon closes its end, then returns --- */
void agent_serve(int fd);

#endif
