/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcpv6.c - DHCPv6 server for one client: dhcp.c for IPv6
 *
 * There is one address, it is the guest's, and for ever; nothing is kept here
 * between messages. Each kind of message is a row of a table: what must be in
 * it to be heard (RFC 8415 16), and what the answer is. Options of the answer
 * are rows of another: a code, the kinds it is for, and a function that writes
 * the value.
 *
 * Of several IA_NA options the last one is answered. A client with another
 * address than ours is told that it is not for this link, and starts again.
 * Temporary addresses and prefixes to delegate there are none: who asks for
 * some is told so, and can do without.
 *
 * Our DUID has the time of our start in it: after a restart, clients renew with
 * a server that is gone, are not heard, and rebind with us.
 *
 * RFC 8415 11.2, 16, 18.3, 21; RFC 3646; RFC 4704.
 */
#include "services/services.h"

#include <string.h>
#include <time.h>

#include "conf.h"
#include "fwd.h"
#include "link/link.h"
#include "log.h"
#include "util.h"

#define PORT_SERVER	547
#define PORT_CLIENT	546
#define MESSAGE_MAX	(1280 - 40 - 8)	/* on any link, RFC 8200 5 */
#define REQUEST_MAX	1500
#define DUID_MAX	(2 + 128)
#define EPOCH_2000	946684800	/* since 1970 */
#define INFINITE	UINT32_MAX
#define TAIL_MAX	300	/* of a message: what follows the search list */
#define SUCCESS		0
#define NO_ADDRESSES	2
#define NOT_ON_LINK	4
#define NO_PREFIXES	6

enum option {
	OPT_CLIENT_ID = 1,
	OPT_SERVER_ID = 2,
	OPT_IA_NA = 3,
	OPT_IA_TA = 4,
	OPT_IA_ADDR = 5,
	OPT_PREFERENCE = 7,
	OPT_STATUS = 13,
	OPT_RAPID = 14,
	OPT_DNS = 23,
	OPT_SEARCH = 24,
	OPT_IA_PD = 25,
	OPT_FQDN = 39,
};

enum type {
	SOLICIT = 1,
	ADVERTISE,
	REQUEST,
	CONFIRM,
	RENEW,
	REBIND,
	REPLY,
	RELEASE,
	DECLINE,
	RECONFIGURE,
	INFORMATION_REQUEST,
	TYPE_CNT
};

struct request {
	enum type type;
	uint32_t xid;		/* 24 bits */
	struct rd client_id, server_id;	/* empty: none */
	bool has_server_id;
	bool has_ia;		/* any of these */
	bool has_ia_na, has_ia_ta, has_ia_pd;
	uint32_t iaid, iaid_ta, iaid_pd;	/* of the last one each */
	bool has_address;	/* anywhere in an IA */
	bool has_other_address;	/* and it is not the guest's */
	bool rapid;
	bool fqdn_wants_update;
};

/* --- which messages are heard --- */

enum presence { MAY, MUST, MUST_NOT };

static const struct kind {
	const char *name;	/* NULL: not for servers */
	enum presence client_id, server_id, ia, address;
	bool binds;		/* the answer gives addresses */
} kinds[TYPE_CNT] = {
	/*		  name		client	server	  IA	address */
	[SOLICIT]	= { "SOLICIT",	MUST,	MUST_NOT, MAY,	MAY, true },
	[REQUEST]	= { "REQUEST",	MUST,	MUST,	  MAY,	MAY, true },
	[CONFIRM]	= { "CONFIRM",	MUST,	MUST_NOT, MAY,	MUST, false },
	[RENEW]		= { "RENEW",	MUST,	MUST,	  MAY,	MAY, true },
	[REBIND]	= { "REBIND",	MUST,	MUST_NOT, MAY,	MAY, true },
	[RELEASE]	= { "RELEASE",	MUST,	MUST,	  MAY,	MAY, false },
	[DECLINE]	= { "DECLINE",	MUST,	MUST,	  MAY,	MAY, false },
	[INFORMATION_REQUEST]
		= { "INFORMATION-REQUEST", MAY,	MAY, MUST_NOT,	MAY, false },
};

static bool presence_ok(enum presence want, bool is)
{
	return want == MAY || is == (want == MUST);
}

/* --- what the client says --- */

/* Type, hardware, time, hardware address: RFC 8415 11.2. */
static struct {
	uint8_t b[14];
} duid;

void dhcpv6_init(void)
{
	struct wr w = wr_init(duid.b, sizeof(duid.b));

	wr_be16(&w, 1);			/* link-layer address plus time */
	wr_be16(&w, 1);			/* Ethernet */
	wr_be32(&w, (uint32_t)(time(NULL) - EPOCH_2000));
	wr_bytes(&w, conf.our_mac.b, sizeof(conf.our_mac.b));
}

/* An option at a time; false at the end, or where one is cut. */
static bool option_next(struct rd *r, uint16_t *code, struct rd *val)
{
	if (!rd_more(r))
		return false;
	*code = rd_be16(r);
	*val = rd_sub(r, rd_be16(r));
	return rd_ok(r);
}

static void take_address(struct request *req, struct rd *val)
{
	uint8_t raw[16];
	struct addr a;

	rd_bytes(val, raw, sizeof(raw));
	a = addr_get(FAM6, raw);
	req->has_address = true;
	if (!addr_eq(&a, &conf.net[FAM6].guest))
		req->has_other_address = true;
}

/* @fixed: bytes before the IA's own options. */
static void take_ia(struct request *req, struct rd *val, size_t fixed)
{
	uint16_t code;
	struct rd in;

	req->has_ia = true;
	rd_skip(val, fixed);
	while (option_next(val, &code, &in)) {
		if (code == OPT_IA_ADDR)
			take_address(req, &in);
		if (!rd_ok(&in))
			val->bad = true;
	}
}

static void take_option(struct request *req, uint16_t code, struct rd *val)
{
	switch (code) {
	case OPT_CLIENT_ID:
		req->client_id = *val;
		break;
	case OPT_SERVER_ID:
		req->server_id = *val;
		req->has_server_id = true;
		break;
	case OPT_IA_NA:
		req->has_ia_na = true;
		req->iaid = rd_be32(val);
		take_ia(req, val, 4 + 4);
		break;
	case OPT_IA_TA:
		req->has_ia_ta = true;
		req->iaid_ta = rd_be32(val);
		take_ia(req, val, 0);
		break;
	case OPT_IA_PD:
		req->has_ia = req->has_ia_pd = true;
		req->iaid_pd = rd_be32(val);
		break;
	case OPT_RAPID:
		req->rapid = true;
		break;
	case OPT_FQDN:
		req->fqdn_wants_update = rd_u8(val) & 1;
		break;
	}
}

static bool request_parse(struct request *req, struct rd r)
{
	uint32_t first = rd_be32(&r);
	uint16_t code;
	struct rd val;

	*req = (struct request) {
		.type = (enum type)(first >> 24), .xid = first & 0xffffff,
	};
	while (option_next(&r, &code, &val)) {
		take_option(req, code, &val);
		if (!rd_ok(&val))
			return false;
	}
	return rd_ok(&r);
}

/* RFC 8415 16 */
static bool request_valid(const struct request *req)
{
	const struct kind *k;

	if (req->type >= TYPE_CNT || !kinds[req->type].name)
		return false;
	k = &kinds[req->type];
	if (req->client_id.len > DUID_MAX ||
	    !presence_ok(k->client_id, req->client_id.len) ||
	    !presence_ok(k->server_id, req->has_server_id) ||
	    !presence_ok(k->ia, req->has_ia) ||
	    !presence_ok(k->address, req->has_address))
		return false;
	return !req->has_server_id ||
	       (req->server_id.len == sizeof(duid.b) &&
		!memcmp(req->server_id.p, duid.b, sizeof(duid.b)));
}

/* --- what we say --- */

struct reply {
	const struct request *to;
	enum type type;
	bool binds;		/* is about addresses */
	bool refused;		/* one of them is not for this link */
	bool full;		/* with all there is to know */
};

static const char not_on_link[] = "Prefix not appropriate for link.";

static void put_option(struct wr *w, enum option code, size_t len)
{
	wr_be16(w, (uint16_t)code);
	wr_be16(w, (uint16_t)len);
}

static void put_status(struct wr *w, uint16_t status, const char *text)
{
	wr_be16(w, status);
	wr_bytes(w, text, strlen(text));
}

/* Of one IA. */
static void put_in_status(struct wr *w, uint16_t status, const char *text)
{
	put_option(w, OPT_STATUS, 2 + strlen(text));
	put_status(w, status, text);
}

static bool fill_server_id(struct wr *w, const struct reply *rep)
{
	(void)rep;
	wr_bytes(w, duid.b, sizeof(duid.b));
	return true;
}

static bool fill_ia_na(struct wr *w, const struct reply *rep)
{
	wr_be32(w, rep->to->iaid);
	wr_be32(w, rep->refused ? 0 : INFINITE);	/* T1 */
	wr_be32(w, rep->refused ? 0 : INFINITE);	/* T2 */
	if (rep->refused) {
		put_in_status(w, NOT_ON_LINK, not_on_link);
	} else {
		put_option(w, OPT_IA_ADDR, 16 + 4 + 4);
		wr_bytes(w, conf.net[FAM6].guest.b, 16);
		wr_be32(w, INFINITE);			/* preferred */
		wr_be32(w, INFINITE);			/* valid */
	}
	return rep->binds && rep->to->has_ia_na;
}

static bool fill_ia_ta(struct wr *w, const struct reply *rep)
{
	wr_be32(w, rep->to->iaid_ta);
	put_in_status(w, NO_ADDRESSES, "No temporary addresses.");
	return rep->to->has_ia_ta;
}

static bool fill_ia_pd(struct wr *w, const struct reply *rep)
{
	wr_be32(w, rep->to->iaid_pd);
	wr_zero(w, 4 + 4);		/* T1, T2 */
	put_in_status(w, NO_PREFIXES, "No prefixes.");
	return rep->to->has_ia_pd;
}

static bool fill_client_id(struct wr *w, const struct reply *rep)
{
	wr_bytes(w, rep->to->client_id.p, rep->to->client_id.len);
	return rep->to->client_id.len;
}

/* Of the message as a whole, where no IA_NA says how it went. */
static bool fill_status(struct wr *w, const struct reply *rep)
{
	if (rep->refused)
		put_status(w, NOT_ON_LINK, not_on_link);
	else
		put_status(w, SUCCESS, "");
	return !rep->full && !(rep->binds && rep->to->has_ia_na);
}

static bool fill_dns(struct wr *w, const struct reply *rep)
{
	const struct conf_net *net = &conf.net[FAM6];

	(void)rep;
	for (unsigned i = 0; i < net->dns_cnt; i++)
		wr_bytes(w, net->dns[i].b, sizeof(net->dns[i].b));
	return conf.advertise_dns && net->dns_cnt;
}

/* As many names as there is room for, not compressed: RFC 8415 10. */
static bool fill_search(struct wr *w, const struct reply *rep)
{
	bool any = false;

	(void)rep;
	for (unsigned i = 0; i < conf.search_cnt; i++) {
		struct wr before = *w;

		if (name_put(w, conf.search[i]) && w->left >= TAIL_MAX)
			any = true;
		else
			*w = before;
	}
	return any && conf.advertise_search;
}

/* RFC 4704 4.1: no DNS is updated, whatever the client would like. */
static bool fill_fqdn(struct wr *w, const struct reply *rep)
{
	wr_u8(w, rep->to->fqdn_wants_update ? 2 : 0);
	return *conf.fqdn && name_put(w, conf.fqdn);
}

static bool fill_rapid(struct wr *w, const struct reply *rep)
{
	(void)w;
	return rep->to->type == SOLICIT && rep->type == REPLY;
}

/* The highest there is: waiting for other servers is of no use. */
static bool fill_preference(struct wr *w, const struct reply *rep)
{
	wr_u8(w, UINT8_MAX);
	return rep->type == ADVERTISE;
}

static const struct {
	uint16_t code;
	bool always;		/* not only in full replies */
	bool (*fill)(struct wr *w, const struct reply *rep);
} options[] = {
	{ OPT_SERVER_ID,	true,	fill_server_id },
	{ OPT_IA_NA,		true,	fill_ia_na },
	{ OPT_IA_TA,		false,	fill_ia_ta },
	{ OPT_IA_PD,		false,	fill_ia_pd },
	{ OPT_CLIENT_ID,	true,	fill_client_id },
	{ OPT_STATUS,		true,	fill_status },
	{ OPT_DNS,		false,	fill_dns },
	{ OPT_SEARCH,		false,	fill_search },
	{ OPT_FQDN,		false,	fill_fqdn },
	{ OPT_RAPID,		false,	fill_rapid },
	{ OPT_PREFERENCE,	false,	fill_preference },
};

/* Whole or not at all. */
static void option_put(struct wr *w, size_t row, const struct reply *rep)
{
	struct wr before = *w;
	uint8_t *start = wr_reserve(w, 4);

	if (start && options[row].fill(w, rep) && wr_ok(w)) {
		put_be16(start, options[row].code);
		put_be16(start + 2, (uint16_t)(w->p - start - 4));
	} else {
		*w = before;
	}
}

static void reply_fill(struct wr *w, const struct reply *rep)
{
	wr_be32(w, (uint32_t)rep->type << 24 | rep->to->xid);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (rep->full || options[i].always)
			option_put(w, i, rep);
}

static void reply_send(const struct addr *dst, const struct reply *rep)
{
	const struct mac guest = link_guest_mac();
	struct frame_tmpl t;
	struct frame f;
	struct wr w;

	frame_tmpl_init(&t, IPPROTO_UDP, &conf.our_ll, PORT_SERVER, dst,
			PORT_CLIENT, &conf.our_mac, &guest, 0);
	if (!link_reserve_one(&f, t.hdr_len, MESSAGE_MAX))
		return;
	w = wr_init(f.pay[0].iov_base, MESSAGE_MAX);
	reply_fill(&w, rep);
	f.pay_len = MESSAGE_MAX - w.left;
	frame_put_udp(&f, &t, 0, 0, 0);
	link_commit(&f, 1);
}

/* --- which is the answer --- */

/* What a client would like to have is but a wish; others claim to have it. */
static bool refuses(const struct request *req)
{
	return req->has_other_address && req->type != SOLICIT &&
	       (req->type == CONFIRM || kinds[req->type].binds);
}

static struct reply answer_to(const struct request *req)
{
	bool at_once = req->type != SOLICIT || req->rapid;
	struct reply rep = {
		.to = req,
		.type = at_once ? REPLY : ADVERTISE,
		.binds = kinds[req->type].binds,
		.refused = refuses(req),
	};

	rep.full = !rep.refused &&
		   (rep.binds || req->type == INFORMATION_REQUEST);
	return rep;
}

static void say(const struct request *req, const struct packet *p,
		const struct reply *rep)
{
	char from[ADDR_STRLEN];

	LOG_LIMIT(LOG_LVL_INFO, "DHCPv6: %s from %s, %s",
		  kinds[req->type].name, addr_str(&p->src, from),
		  rep->refused ? "not on link" :
		  rep->type == ADVERTISE ? "ADVERTISE" : "REPLY");
}

static void answer(const struct packet *p)
{
	uint8_t scratch[REQUEST_MAX];
	struct rd r = view_linear(&p->payload, scratch, sizeof(scratch));
	struct request req;
	struct reply rep;

	if (!addr_is_multicast(&p->dst) || !addr_is_unicast(&p->src) ||
	    !request_parse(&req, r) || !request_valid(&req)) {
		drop(DROP_SERVICE);
		return;
	}
	rep = answer_to(&req);
	reply_send(&p->src, &rep);
	say(&req, p, &rep);
	/* That is where it can be reached from now on. */
	if (rep.binds && rep.full && rep.type == REPLY && req.has_ia_na)
		fwd_guest_seen(&conf.net[FAM6].guest);
}

void dhcpv6_from_guest(const struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		answer(&p[i]);
}
