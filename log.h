/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - one line per message, to whoever is listening
 *
 * Nothing is formatted for a level that is off. Anything a guest or a peer can
 * provoke uses the *_limit forms: five per call site and window of a second,
 * then one line saying so, and the suppressed count with the next message.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "util.h"

enum log_level { LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG,
		 LOG_LVL_TRACE };

/* Before log_start() every message goes to stderr. */
struct log_config {
	const char *ident;	/* "passt" or "pasta" */
	enum log_level level;
	bool to_stderr;		/* keep writing to stderr after log_detach() */
	bool to_syslog;
	const char *file;	/* NULL: none */
	uint64_t file_limit;	/* bytes */
};

/* Opens the sinks. 0, or -errno when the file cannot be opened. */
int log_start(const struct log_config *cfg, const char *version);
/* Start-up is over: from here stderr only if asked for by to_stderr. */
void log_detach(void);
void log_sync(void);		/* fsync the file, at exit */
/* As it is, past all sinks; at most PIPE_BUF bytes. False: nobody reads. */
bool log_stderr_raw(const char *text, size_t len);

extern enum log_level log_threshold;
static inline bool log_on(enum log_level l) { return l <= log_threshold; }

void log_msg(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

struct log_limit {
	uint64_t window_ms;	/* when the window began */
	unsigned count;
};
/* Whether this site may speak now; reports what it held back before. */
bool log_allow(struct log_limit *l, enum log_level level);

#define LOG(level, ...)							\
	do {								\
		if (log_on(level))					\
			log_msg(level, __VA_ARGS__);			\
	} while (0)
#define LOG_LIMIT(level, ...)						\
	do {								\
		static struct log_limit limit_;				\
		if (log_on(level) && log_allow(&limit_, level))		\
			log_msg(level, __VA_ARGS__);			\
	} while (0)

#define err(...)	LOG(LOG_LVL_ERR, __VA_ARGS__)
#define warn(...)	LOG(LOG_LVL_WARN, __VA_ARGS__)
#define info(...)	LOG(LOG_LVL_INFO, __VA_ARGS__)
#define debug(...)	LOG(LOG_LVL_DEBUG, __VA_ARGS__)
#define trace(...)	LOG(LOG_LVL_TRACE, __VA_ARGS__)
#define err_limit(...)	LOG_LIMIT(LOG_LVL_ERR, __VA_ARGS__)
#define warn_limit(...)	LOG_LIMIT(LOG_LVL_WARN, __VA_ARGS__)
#define debug_limit(...) LOG_LIMIT(LOG_LVL_DEBUG, __VA_ARGS__)

/* Why a packet went nowhere. One line here is the counter, the log text, the
 * statistics column and the word tests use. */
#define DROP_REASONS(X)							\
	X(SHORT,	"frame shorter than its headers")		\
	X(ETHERTYPE,	"not IPv4, IPv6 or ARP")			\
	X(IP_HEADER,	"malformed IP header")				\
	X(IP_LENGTH,	"IP length beyond the frame")			\
	X(IP_FRAGMENT,	"IP fragment not put together")			\
	X(IP_EXTENSION,	"malformed or unsupported IPv6 extension")	\
	X(IP_PROTOCOL,	"protocol we do not carry")			\
	X(FAMILY_OFF,	"address family disabled")			\
	X(LOOPBACK,	"loopback address on the link")			\
	X(ADDRESS,	"address or port that cannot be used")		\
	X(TCP_HEADER,	"malformed TCP header")				\
	X(TCP_OFF,	"TCP disabled")					\
	X(TCP_WINDOW,	"TCP segment outside the window")		\
	X(TCP_RST,	"TCP reset that does not fit")			\
	X(UDP_HEADER,	"malformed UDP header")				\
	X(UDP_OFF,	"UDP disabled")					\
	X(ICMP,		"ICMP message we do not handle")		\
	X(ICMP_RATE,	"ICMP error beyond the rate limit")		\
	X(ARP,		"ARP message we do not answer")			\
	X(NDP,		"NDP message we do not answer")			\
	X(NO_FLOW,	"no flow, and not the start of one")		\
	X(OWN,		"sent to many by the guest itself")		\
	X(TABLE_FULL,	"flow table full")				\
	X(SOCKET,	"no socket for it")				\
	X(NOT_SENT,	"the host refused to send it")			\
	X(REFUSED,	"forwarding refused")				\
	X(SLAB,		"no memory left to hold data for the host")	\
	X(LINK_FULL,	"no room on the link")				\
	X(LINK_ERROR,	"the link refused the frame")			\
	X(LINK_DOWN,	"no guest on the link")				\
	X(SERVICE,	"no service here answers that")

enum drop_reason {
#define X(name, text) DROP_##name,
	DROP_REASONS(X)
#undef X
	DROP_COUNT
};

/* Counts it, says so at trace level. Always false, so that a parser can write
 * "return drop(DROP_SHORT);" */
bool drop(enum drop_reason why);
uint64_t drop_count(enum drop_reason why);

/* How often something has happened for one reason of a list. */
struct counter {
	const char *name, *text;
	uint64_t count;
};
/* The @i-th reason; false: there are not that many. */
bool drop_counter(unsigned i, struct counter *out);

#endif
