/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp.c - DHCP and BOOTP server for one client: the guest
 *
 * There is one address, it is the guest's, and for ever. So nothing is kept
 * here between messages: who asks is answered from conf, and who claims to have
 * another address is told no.
 *
 *	DISCOVER	OFFER; with option 80, at once ACK (RFC 4039)
 *	REQUEST		ACK; NAK if it is about an address which is not the
 *			guest's; silence if it goes to another server
 *	INFORM		ACK without address and lease
 *	no type		BOOTP (RFC 1534): as ACK
 *	DECLINE,	heard, and said in the log
 *	RELEASE
 *
 * Options are rows of a table: a code, the replies it is for, and a function
 * that writes the value. Their order is the client's, as told by its option 55,
 * then ascending; the type leads unless it is listed, as old clients look there
 * only. A reply is as large as each client must take, 576 bytes with IP header,
 * or as large as this one says it can; what does not fit is left out, but never
 * what makes a lease usable. Values above 255 bytes go on in another option of
 * the same code (RFC 3396). Not told is whether there is a captive portal (114,
 * RFC 8910): the host may be behind one, and only who uses it finds out.
 *
 * RFC 951, RFC 1534, RFC 2131, RFC 2132, RFC 3396, RFC 3397, RFC 3442, RFC
 * 4039, RFC 4702, RFC 6842.
 */
#include "services/services.h"

#include <string.h>

#include "conf.h"
#include "fwd.h"
#include "link/link.h"
#include "log.h"
#include "util.h"

#define PORT_SERVER	67
#define PORT_CLIENT	68
#define BOOTREQUEST	1
#define BOOTREPLY	2
#define BROADCAST	0x8000u		/* flag: it cannot be told otherwise */
#define MAGIC		0x63825363u
#define CHADDR_LEN	16
#define SNAME_FILE_LEN	(64 + 128)
#define FIXED_LEN	236
#define OPTIONS_MIN	60		/* BOOTP: 64 with the cookie */
#define IP_UDP_LEN	(20 + 8)
#define SIZE_MIN	576u		/* of datagrams, with IP header */
#define SIZE_LIMIT	1500u
#define INFINITE	UINT32_MAX
#define VALUE_MAX	1600		/* the search list */

enum option {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOSTNAME = 12,
	OPT_MTU = 26,
	OPT_REQUESTED = 50,
	OPT_LEASE = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_WANTED = 55,
	OPT_MAX_SIZE = 57,
	OPT_T1 = 58,
	OPT_T2 = 59,
	OPT_CLIENT_ID = 61,
	OPT_RAPID = 80,
	OPT_FQDN = 81,
	OPT_SEARCH = 119,
	OPT_ROUTES = 121,
	OPT_END = 255,
};

enum {				/* flags of option 81 */
	FQDN_UPDATE = 1,	/* S: the server shall update DNS */
	FQDN_OVERRIDES = 2,	/* O: it will not do as it was told */
	FQDN_DNS = 4,		/* E: the name is encoded as in DNS */
};

enum type {
	BOOTP = 0,		/* no option says which */
	DISCOVER = 1,
	OFFER,
	REQUEST,
	DECLINE,
	ACK,
	NAK,
	RELEASE,
	INFORM,
	TYPE_CNT
};

static const char *const type_name[TYPE_CNT] = {
	"BOOTREQUEST", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK",
	"RELEASE", "INFORM",
};

struct request {
	uint8_t htype, hlen;
	uint32_t xid;
	uint16_t flags;
	struct addr ciaddr;
	uint8_t giaddr[4];
	uint8_t chaddr[CHADDR_LEN];

	enum type type;
	struct addr requested;	/* unspecified: not said */
	struct addr server;	/* the same */
	struct rd wanted;	/* option 55; empty: none */
	struct rd client_id;
	uint16_t max_size;	/* 0: not said */
	bool rapid;
	bool fqdn_wants_update;
};

struct reply {
	const struct request *to;
	enum type type;
	bool lease;		/* gives an address, for a time */
	struct addr dst;
};

/* --- what the client says --- */

static struct addr read_addr(struct rd *r)
{
	uint8_t raw[4];

	rd_bytes(r, raw, sizeof(raw));
	return addr_get(FAM4, raw);
}

static void take_option(struct request *req, uint8_t code, struct rd *val)
{
	switch (code) {
	case OPT_TYPE:
		req->type = rd_u8(val);
		if (req->type == BOOTP)
			req->type = TYPE_CNT;
		break;
	case OPT_REQUESTED:
		req->requested = read_addr(val);
		break;
	case OPT_SERVER:
		req->server = read_addr(val);
		break;
	case OPT_MAX_SIZE:
		req->max_size = rd_be16(val);
		break;
	case OPT_WANTED:
		req->wanted = *val;
		break;
	case OPT_CLIENT_ID:
		req->client_id = *val;
		break;
	case OPT_RAPID:
		req->rapid = true;
		break;
	case OPT_FQDN:
		req->fqdn_wants_update =
			val->len && rd_u8(val) & FQDN_UPDATE;
		break;
	}
}

static bool options_parse(struct request *req, struct rd *r)
{
	while (rd_more(r)) {
		uint8_t code = rd_u8(r);

		if (code == OPT_END)
			break;
		if (code == OPT_PAD)
			continue;

		struct rd val = rd_sub(r, rd_u8(r));

		take_option(req, code, &val);
		if (!rd_ok(&val))
			return false;
	}
	return rd_ok(r);
}

/* Without the cookie (RFC 951), what follows the fixed part is for vendors. */
static bool request_parse(struct request *req, struct rd r)
{
	uint8_t op = rd_u8(&r);

	*req = (struct request) { .htype = rd_u8(&r), .hlen = rd_u8(&r) };
	rd_skip(&r, 1);			/* hops */
	req->xid = rd_be32(&r);
	rd_skip(&r, 2);			/* seconds */
	req->flags = rd_be16(&r);
	req->ciaddr = read_addr(&r);
	rd_skip(&r, 4 + 4);		/* yiaddr, siaddr */
	rd_bytes(&r, req->giaddr, sizeof(req->giaddr));
	rd_bytes(&r, req->chaddr, sizeof(req->chaddr));
	rd_skip(&r, SNAME_FILE_LEN);
	if (!rd_ok(&r) || op != BOOTREQUEST || req->hlen > CHADDR_LEN)
		return false;
	if (r.len < 4 || rd_be32(&r) != MAGIC)
		return true;
	return options_parse(req, &r);
}

/* --- what we say --- */

static const struct conf_net *net(void)
{
	return &conf.net[FAM4];
}

static void put_addr(struct wr *w, const struct addr *a)
{
	uint8_t *p = wr_reserve(w, 4);

	if (p)
		addr_put(a, p);
}

static bool fill_mask(struct wr *w, const struct reply *rep)
{
	const struct addr ones = addr4(UINT32_MAX);
	const struct addr mask = addr_mask(&ones, net()->prefix_len);

	(void)rep;
	put_addr(w, &mask);
	return true;
}

static bool fill_router(struct wr *w, const struct reply *rep)
{
	(void)rep;
	put_addr(w, &net()->gw);
	return true;
}

static bool fill_dns(struct wr *w, const struct reply *rep)
{
	(void)rep;
	for (unsigned i = 0; conf.advertise_dns && i < net()->dns_cnt; i++)
		put_addr(w, &net()->dns[i]);
	return conf.advertise_dns && net()->dns_cnt;
}

static bool fill_hostname(struct wr *w, const struct reply *rep)
{
	(void)rep;
	wr_bytes(w, conf.hostname, strlen(conf.hostname));
	return *conf.hostname;
}

static bool fill_mtu(struct wr *w, const struct reply *rep)
{
	(void)rep;
	wr_be16(w, (uint16_t)conf.mtu);
	return conf.mtu;
}

static bool fill_time(struct wr *w, const struct reply *rep)
{
	wr_be32(w, INFINITE);
	return rep->lease;
}

static bool fill_type(struct wr *w, const struct reply *rep)
{
	wr_u8(w, (uint8_t)rep->type);
	return true;
}

static bool fill_server(struct wr *w, const struct reply *rep)
{
	(void)rep;
	put_addr(w, &net()->our_tap);
	return true;
}

/* RFC 6842: as it came. */
static bool fill_client_id(struct wr *w, const struct reply *rep)
{
	const struct rd *id = &rep->to->client_id;

	wr_bytes(w, id->p, id->len);
	return id->len;
}

static bool fill_rapid(struct wr *w, const struct reply *rep)
{
	(void)w;
	return rep->to->rapid && rep->to->type == DISCOVER &&
	       rep->type == ACK;
}

/* RFC 4702 2, 4: nobody updates a DNS, whatever the client would like. */
static bool fill_fqdn(struct wr *w, const struct reply *rep)
{
	wr_u8(w, rep->to->fqdn_wants_update ? FQDN_DNS | FQDN_OVERRIDES :
					      FQDN_DNS);
	wr_be16(w, 0xffff);		/* result codes, not used any more */
	return *conf.fqdn && name_put(w, conf.fqdn);
}

static bool fill_search(struct wr *w, const struct reply *rep)
{
	const uint8_t *base = w->p;

	(void)rep;
	for (unsigned i = 0; conf.advertise_search && i < conf.search_cnt; i++)
		name_put_compressed(w, base, conf.search[i]);
	return w->p != base;
}

/* RFC 3442: only where the router is not a neighbour; then it has to be made
 * one first. */
static bool fill_routes(struct wr *w, const struct reply *rep)
{
	const struct addr on_link = addr_any(FAM4);

	(void)rep;
	wr_u8(w, 32);
	put_addr(w, &net()->gw);
	put_addr(w, &on_link);
	wr_u8(w, 0);
	put_addr(w, &net()->gw);
	return !addr_in_prefix(&net()->gw, &net()->guest, net()->prefix_len);
}

#define VITAL		1	/* there is room, whatever else there is */
#define IF_ASKED	2	/* only if the client lists it */
#define IN_NAK		4	/* there, too */

static const struct option_row {
	uint8_t code;
	uint8_t flags;
	bool (*fill)(struct wr *w, const struct reply *rep);
} options[] = {
	{ OPT_MASK,	 VITAL,		 fill_mask },
	{ OPT_ROUTER,	 VITAL,		 fill_router },
	{ OPT_DNS,	 0,		 fill_dns },
	{ OPT_HOSTNAME,	 0,		 fill_hostname },
	{ OPT_MTU,	 0,		 fill_mtu },
	{ OPT_LEASE,	 VITAL,		 fill_time },
	{ OPT_TYPE,	 VITAL | IN_NAK, fill_type },
	{ OPT_SERVER,	 VITAL | IN_NAK, fill_server },
	{ OPT_T1,	 IF_ASKED,	 fill_time },
	{ OPT_T2,	 IF_ASKED,	 fill_time },
	{ OPT_CLIENT_ID, IN_NAK,	 fill_client_id },
	{ OPT_RAPID,	 VITAL,		 fill_rapid },
	{ OPT_FQDN,	 0,		 fill_fqdn },
	{ OPT_SEARCH,	 0,		 fill_search },
	{ OPT_ROUTES,	 VITAL,		 fill_routes },
};

#define OPTION_CNT	ARRAY_SIZE(options)

/* Bytes on the wire of a value of @len: a header for each 255 of them. */
static size_t option_size(size_t len)
{
	return len + 2 * (len ? (len + UINT8_MAX - 1) / UINT8_MAX : 1);
}

struct writer {
	struct wr w;
	const struct reply *rep;
	bool done[OPTION_CNT];
	size_t owed;		/* room the vital ones still to come need */
};

/* False: not in this reply. */
static bool option_value(const struct writer *out, size_t row, uint8_t *value,
			 size_t *len)
{
	const struct option_row *o = &options[row];
	struct wr w = wr_init(value, VALUE_MAX);

	if (out->rep->type == NAK && !(o->flags & IN_NAK))
		return false;
	if (!o->fill(&w, out->rep) || !wr_ok(&w))
		return false;
	*len = VALUE_MAX - w.left;
	return true;
}

static void option_write(struct wr *w, uint8_t code, const uint8_t *value,
			 size_t len)
{
	do {
		size_t n = MIN(len, (size_t)UINT8_MAX);

		wr_u8(w, code);
		wr_u8(w, (uint8_t)n);
		wr_bytes(w, value, n);
		value += n;
		len -= n;
	} while (len);
}

static void option_put(struct writer *out, size_t row)
{
	const struct option_row *o = &options[row];
	uint8_t value[VALUE_MAX];
	size_t len, size;

	if (out->done[row])
		return;
	out->done[row] = true;
	if (!option_value(out, row, value, &len))
		return;
	size = option_size(len);
	if (o->flags & VITAL)
		out->owed -= size;
	if (size + out->owed > out->w.left) {
		debug_limit("DHCP: no room for option %u of %zu bytes",
			    o->code, len);
		return;
	}
	option_write(&out->w, o->code, value, len);
}

static void options_owed(struct writer *out)
{
	uint8_t value[VALUE_MAX];
	size_t len;

	for (size_t i = 0; i < OPTION_CNT; i++)
		if (options[i].flags & VITAL &&
		    option_value(out, i, value, &len))
			out->owed += option_size(len);
}

static void option_put_code(struct writer *out, uint8_t code)
{
	for (size_t i = 0; i < OPTION_CNT; i++)
		if (options[i].code == code)
			option_put(out, i);
}

static bool lists_type(struct rd wanted)
{
	return wanted.len && memchr(wanted.p, OPT_TYPE, wanted.len);
}

static void options_put(struct writer *out)
{
	struct rd wanted = out->rep->to->wanted;

	options_owed(out);
	if (wanted.len && !lists_type(wanted))
		option_put_code(out, OPT_TYPE);
	while (rd_more(&wanted))
		option_put_code(out, rd_u8(&wanted));
	for (size_t i = 0; i < OPTION_CNT; i++)
		if (!(options[i].flags & IF_ASKED))
			option_put(out, i);
}

/* RFC 2131 4.3.1 table 3 */
static void fixed_put(struct wr *w, const struct reply *rep)
{
	const struct request *req = rep->to;
	const struct addr none = addr_any(FAM4);

	wr_u8(w, BOOTREPLY);
	wr_u8(w, req->htype);
	wr_u8(w, req->hlen);
	wr_u8(w, 0);			/* hops */
	wr_be32(w, req->xid);
	wr_be16(w, 0);			/* seconds */
	wr_be16(w, req->flags);
	put_addr(w, rep->type == NAK ? &none : &req->ciaddr);
	put_addr(w, rep->lease ? &net()->guest : &none);
	wr_zero(w, 4);			/* siaddr */
	wr_bytes(w, req->giaddr, sizeof(req->giaddr));
	wr_bytes(w, req->chaddr, sizeof(req->chaddr));
	wr_zero(w, SNAME_FILE_LEN);
	wr_be32(w, MAGIC);
}

/* Of the message. No larger than what the guest's link takes, either. */
static size_t size_limit(const struct request *req)
{
	unsigned link = conf.mtu ? MIN(conf.mtu, SIZE_LIMIT) : SIZE_LIMIT;
	unsigned most = MIN((unsigned)req->max_size, link);

	return MAX(most, SIZE_MIN) - IP_UDP_LEN;
}

/* Returns the length of the message. */
static size_t reply_fill(uint8_t *msg, const struct reply *rep)
{
	size_t size = size_limit(rep->to);
	struct writer out = { .w = wr_init(msg, size - 1), .rep = rep };
	size_t len;

	fixed_put(&out.w, rep);
	options_put(&out);
	out.w.left++;			/* kept for the end */
	wr_u8(&out.w, OPT_END);
	len = size - out.w.left;
	if (len < FIXED_LEN + 4 + OPTIONS_MIN)
		wr_zero(&out.w, FIXED_LEN + 4 + OPTIONS_MIN - len);
	return size - out.w.left;
}

static void reply_send(const struct reply *rep)
{
	const struct mac guest = link_guest_mac();
	struct frame_tmpl t;
	struct frame f;

	frame_tmpl_init(&t, IPPROTO_UDP, &net()->our_tap, PORT_SERVER,
			&rep->dst, PORT_CLIENT, &conf.our_mac, &guest, 0);
	if (!link_reserve_one(&f, t.hdr_len, SIZE_LIMIT - IP_UDP_LEN))
		return;
	f.pay_len = reply_fill(f.pay[0].iov_base, rep);
	frame_put_udp(&f, &t, 0, 0, 0);
	link_commit(&f, 1);
}

/* --- which is the answer --- */

static bool is_set(const struct addr *a)
{
	return !addr_is_unspec(a);
}

/* RFC 2131 4.3.2: in each of the client's states another field says which
 * address it means. */
static bool wants_other_address(const struct request *req)
{
	const struct addr *means = is_set(&req->requested) ? &req->requested :
							     &req->ciaddr;

	return is_set(means) && !addr_eq(means, &net()->guest);
}

/* TYPE_CNT: no answer. */
static enum type answer_type(const struct request *req)
{
	bool for_others = is_set(&req->server) &&
			  !addr_eq(&req->server, &net()->our_tap);

	switch (req->type) {
	case BOOTP:
		return ACK;
	case DISCOVER:
		return req->rapid ? ACK : OFFER;
	case REQUEST:
		if (for_others)
			return TYPE_CNT;
		return wants_other_address(req) ? NAK : ACK;
	case INFORM:
		return addr_is_unicast(&req->ciaddr) ? ACK : TYPE_CNT;
	case DECLINE:
	case RELEASE:
	case OFFER:
	case ACK:
	case NAK:
	case TYPE_CNT:
		break;
	}
	return TYPE_CNT;
}

/* RFC 2131 4.1. A refused client has no address to be reached at. */
static struct addr answer_dst(const struct reply *rep)
{
	const struct addr everyone = addr4(UINT32_MAX);

	if (rep->to->type == INFORM)
		return rep->to->ciaddr;
	if (rep->type == NAK || rep->to->flags & BROADCAST)
		return everyone;
	return net()->guest;
}

static void say(const struct request *req, const char *answer)
{
	struct mac mac;
	char text[MAC_STRLEN];

	memcpy(mac.b, req->chaddr, sizeof(mac.b));
	LOG_LIMIT(LOG_LVL_INFO, "DHCP: %s from %s, %s", type_name[req->type],
		  mac_str(&mac, text), answer);
}

static void answer(const struct packet *p)
{
	uint8_t scratch[SIZE_LIMIT];
	struct request req;
	struct reply rep;

	if (!request_parse(&req, view_linear(&p->payload, scratch,
					     sizeof(scratch))) ||
	    req.type >= TYPE_CNT) {
		drop(DROP_SERVICE);
		return;
	}
	rep = (struct reply) { .to = &req, .type = answer_type(&req) };
	if (req.type == DECLINE || req.type == RELEASE) {
		say(&req, "noted");
		return;
	}
	if (rep.type == TYPE_CNT) {
		drop(DROP_SERVICE);
		return;
	}
	rep.lease = rep.type != NAK && req.type != INFORM;
	rep.dst = answer_dst(&rep);
	reply_send(&rep);
	say(&req, type_name[rep.type]);
	/* That is where it can be reached from now on. */
	if (rep.lease && rep.type == ACK)
		fwd_guest_seen(&net()->guest);
}

void dhcp_from_guest(const struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		answer(&p[i]);
}
