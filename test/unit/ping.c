/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: ping icmp fragment flow fwd neigh link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* wrap: sendmsg recvmsg setsockopt epoll_ctl */
/* ping.c - requests and replies, with a kernel made of arrays */
#include "icmp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "conf.h"
#include "fwd.h"
#include "log.h"
#include "sock.h"
#include "test/unit/served.h"
#include "timer.h"
#include "util.h"

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)
#define GATEWAY(f)	((f) == FAM4 ? "192.0.2.1" : "2001:db8::1")
#define ROUTER(f)	((f) == FAM4 ? "203.0.113.9" : "2001:db8:2::9")

/* --- the kernel --- */

static struct {
	int open_err;		/* of the next sockets */
	unsigned opened;
	int fd;			/* the last one */

	int send_err[2];	/* of the next two sends */
	unsigned sends;
	uint8_t sent[66000];
	size_t sent_len;
	struct addr sent_to;

	struct {
		uint8_t b[66000];
		size_t len;
		struct addr from;
	} in[40];
	unsigned in_cnt, in_next;

	struct sock_extended_err ee;	/* one entry, when origin is set */
	struct addr offender;
	uint8_t quoted[64];
	size_t quoted_len;

	int ttl, ttl_level;
	unsigned ttl_sets;
	struct addr bound;
	int bind_err;
	unsigned rearmed;
} k;

int __real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	k.rearmed += op == EPOLL_CTL_MOD;
	return __real_epoll_ctl(epfd, op, fd, ev);
}

int sock_open(uint8_t pif, const struct sock_req *req)
{
	EQ(pif, PIF_HOST);
	EQ(req->kind, SOCK_KIND_PING);
	if (k.open_err)
		return -k.open_err;
	k.opened++;
	return k.fd = eventfd(0, EFD_NONBLOCK);
}

int __wrap_setsockopt(int fd, int level, int name, const void *v, socklen_t n);
int __wrap_setsockopt(int fd, int level, int name, const void *v, socklen_t n)
{
	EQ(fd, k.fd);
	EQ(name, level == IPPROTO_IP ? IP_TTL : IPV6_UNICAST_HOPS);
	memcpy(&k.ttl, v, n);
	k.ttl_level = level;
	k.ttl_sets++;
	return 0;
}

int sock_bind_outbound(int fd, const struct addr *ours,
		       const struct addr *theirs)
{
	EQ(fd, k.fd);
	k.bound = *ours;
	OK(!addr_is_unspec(theirs));
	return -k.bind_err;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	unsigned n = k.sends++;
	uint16_t port = 1;

	(void)fd;
	OK(flags & MSG_NOSIGNAL);
	if (n < 2 && k.send_err[n]) {
		errno = k.send_err[n];
		return -1;
	}
	OK(addr_from_sockaddr(&k.sent_to, &port, msg->msg_name));
	EQ(port, 0);
	k.sent_len = 0;
	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		memcpy(k.sent + k.sent_len, msg->msg_iov[i].iov_base,
		       msg->msg_iov[i].iov_len);
		k.sent_len += msg->msg_iov[i].iov_len;
	}
	return (ssize_t)k.sent_len;
}

static ssize_t read_error(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	union sockaddr_any sa;
	bool v4 = k.ee.ee_origin == SO_EE_ORIGIN_ICMP;
	socklen_t len = addr_to_sockaddr(&sa, &k.offender, 0, 0);

	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_RECVERR : IPV6_RECVERR;
	c->cmsg_len = CMSG_LEN(sizeof(k.ee) + len);
	memcpy(CMSG_DATA(c), &k.ee, sizeof(k.ee));
	memcpy(CMSG_DATA(c) + sizeof(k.ee), &sa, len);
	msg->msg_controllen = c->cmsg_len;
	addr_to_sockaddr(msg->msg_name, &k.sent_to, 0, 0);
	memcpy(msg->msg_iov[0].iov_base, k.quoted, k.quoted_len);
	k.ee.ee_origin = SO_EE_ORIGIN_NONE;
	return (ssize_t)k.quoted_len;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	bool empty = flags & MSG_ERRQUEUE ? !k.ee.ee_origin :
					    k.in_next == k.in_cnt;
	size_t n;

	EQ(fd, k.fd);
	if (empty) {
		errno = EAGAIN;
		return -1;
	}
	if (flags & MSG_ERRQUEUE)
		return read_error(msg);
	n = k.in[k.in_next].len;
	memcpy(msg->msg_iov[0].iov_base, k.in[k.in_next].b, n);
	addr_to_sockaddr(msg->msg_name, &k.in[k.in_next].from, 0, 0);
	k.in_next++;
	return (ssize_t)n;
}

/* --- the rest of the world --- */

static uint64_t now_ms = 100000;
static struct flow *last;	/* of the flows that had an event */

static void later(uint64_t ms)
{
	now_ms += ms;
	clock_set(now_ms * 1000000);
	timer_run(flow_expire);
	flow_run_ready();
}

static unsigned flows(void)
{
	return flow_count(FLOW_PING4) + flow_count(FLOW_PING6);
}

static void start(void)
{
	static const struct flow_ops ops[FLOW_TYPE_COUNT] = {
		[FLOW_PING4] = { NULL, ping_expire, ping_event },
		[FLOW_PING6] = { NULL, ping_expire, ping_event },
	};
	static bool once;

	if (!once) {
		loop_init();
		flow_init(ops);
		once = true;
	}
	later(100000);		/* the flows of earlier tests are over */
	EQ(flows(), 0);
	memset(&k, 0, sizeof(k));
	mem_start(NULL, NULL);
	link_set_guest_mac(&raw_smac);
	conf_writable = (struct conf) {
		.mtu = 65520, .our_mac = MAC_OURS_DEFAULT,
		.our_ll = raw_addr("fe80::1"),
	};
	EACH_FAM(fam) {
		struct addr gw = raw_addr(GATEWAY(fam));

		conf_writable.net[fam] = (struct conf_net) {
			.enabled = true, .guest = raw_addr(raw_src(fam)),
			.our_tap = gw, .map_loopback = gw,
		};
	}
	fwd_init();
}

static void echo_body(uint8_t *body, uint16_t id, uint16_t seq, size_t len)
{
	put_be16(body, id);
	put_be16(body + 2, seq);
	for (size_t i = 0; i < len; i++)
		body[4 + i] = (uint8_t)(i + 1);
}

static void request_ttl(enum fam fam, const char *dst, uint16_t id,
			uint16_t seq, size_t len, uint8_t ttl)
{
	static uint8_t body[66000];

	echo_body(body, id, seq, len);
	raw_icmp(&r, fam, raw_src(fam), dst, fam == FAM4 ? 8 : 128, body,
		 4 + len);
	r.b[fam == FAM4 ? 22 : 21] = ttl;
	ask(ping_from_guest);
}

static void request(enum fam fam, uint16_t id, uint16_t seq, size_t len)
{
	request_ttl(fam, raw_dst(fam), id, seq, len, 64);
}

/* The reply of @from to the last request, as the kernel would hand it over. */
static void answer_as(const char *from, uint8_t type)
{
	unsigned i = k.in_cnt++;

	memcpy(k.in[i].b, k.sent, k.sent_len);
	k.in[i].len = k.sent_len;
	k.in[i].b[0] = type;
	put_be16(k.in[i].b + 2, 0xbad);
	put_be16(k.in[i].b + 4, 0x4321);	/* ours, not the guest's */
	k.in[i].from = raw_addr(from);
}

static void find_flow(struct flow *f)
{
	last = f;
}

static void event(uint32_t events)
{
	last = NULL;
	flow_each(FLOW_PING4, find_flow);
	if (!last)
		flow_each(FLOW_PING6, find_flow);
	if (OK(last != NULL))
		flow_handle(flow_ev(last, EV_PING, SIDE_TGT), events);
}

static void answer(enum fam fam)
{
	answer_as(raw_dst(fam), fam == FAM4 ? 0 : 129);
	event(EPOLLIN);
}

/* The one frame sent is the guest's echo reply. */
static void check_reply(enum fam fam, const char *from, uint16_t id,
			uint16_t seq, size_t len)
{
	const uint8_t *ip = mem.sent[0].b + 14;
	const uint8_t *msg = mem.sent[0].b + raw_l4_off(fam);
	struct addr src = addr_get(fam, ip + (fam == FAM4 ? 12 : 8));
	struct addr dst = addr_get(fam, ip + (fam == FAM4 ? 16 : 24));
	struct addr want_src = raw_addr(from);
	struct addr want_dst = raw_addr(raw_src(fam));

	if (!EQ(mem.cnt, 1))
		return;
	EQ(raw_l4_sum(mem.sent[0].b), 0);
	OK(addr_eq(&src, &want_src) && addr_eq(&dst, &want_dst));
	EQ(ip[fam == FAM4 ? 8 : 7], 255);
	EQ(msg[0], fam == FAM4 ? 0 : 129);
	EQ(msg[1], 0);
	EQ(get_be16(msg + 4), id);
	EQ(get_be16(msg + 6), seq);
	EQ(get_be16(ip + (fam == FAM4 ? 2 : 4)),
	   len + 8 + (fam == FAM4 ? 20 : 0));
	MEMEQ(msg + 8, r.b + raw_l4_off(fam) + 8, len);
}

/* --- the tests --- */

TEST(a_request_goes_out_and_the_reply_comes_back_as_the_guests)
{
	static const size_t lens[] = { 0, 1, 56, 1472, 9000, 65400 };

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		EACH_FAM(fam) {
			struct addr dst = raw_addr(raw_dst(fam));

			start();
			request(fam, 0x1234, 0, lens[i]);
			EQ(k.sends, 1);
			OK(addr_eq(&k.sent_to, &dst));
			EQ(k.sent_len, 8 + lens[i]);
			EQ(k.sent[0], fam == FAM4 ? 8 : 128);
			EQ(get_be16(k.sent + 6), 0);
			MEMEQ(k.sent + 8, r.b + raw_l4_off(fam) + 8, lens[i]);
			answer(fam);
			check_reply(fam, raw_dst(fam), 0x1234, 0, lens[i]);
		}
	}
}

TEST(one_socket_for_each_identifier_and_address)
{
	EACH_FAM(fam) {
		start();
		request(fam, 1, 1, 8);
		request(fam, 1, 2, 8);
		request(fam, 1, 2, 8);		/* equal numbers too */
		EQ(k.opened, 1);
		request(fam, 2, 1, 8);
		request_ttl(fam, ROUTER(fam), 1, 1, 8, 64);
		EQ(k.opened, 3);
		EQ(flows(), 3);
		EQ(k.sends, 5);
	}
}

TEST(pinging_the_gateway_is_pinging_the_host_where_it_is_mapped)
{
	EACH_FAM(fam) {
		struct addr lo = addr_loopback(fam), gw;

		start();
		request_ttl(fam, GATEWAY(fam), 7, 1, 8, 64);
		OK(addr_eq(&k.sent_to, &lo));
		answer_as(fam == FAM4 ? "127.0.0.1" : "::1",
			  fam == FAM4 ? 0 : 129);
		event(EPOLLIN);
		check_reply(fam, GATEWAY(fam), 7, 1, 8);

		start();
		conf_writable.net[fam].map_loopback = (struct addr) { 0 };
		request_ttl(fam, GATEWAY(fam), 7, 1, 8, 64);
		gw = raw_addr(GATEWAY(fam));
		OK(addr_eq(&k.sent_to, &gw));
	}
}

TEST(the_ttl_is_the_guests_and_set_only_when_it_changes)
{
	EACH_FAM(fam) {
		static const uint8_t ttls[] = { 1, 1, 2, 255, 255 };

		start();
		for (size_t i = 0; i < ARRAY_SIZE(ttls); i++) {
			request_ttl(fam, raw_dst(fam), 1, 1, 8, ttls[i]);
			EQ(k.ttl, ttls[i]);
		}
		EQ(k.ttl_level, fam == FAM4 ? IPPROTO_IP : IPPROTO_IPV6);
		EQ(k.ttl_sets, 3);
		request_ttl(fam, raw_dst(fam), 1, 1, 8, 0);
		EQ(k.sends, 5);
	}
}

TEST(what_is_not_the_reply_of_who_was_asked_stays_outside)
{
	EACH_FAM(fam) {
		uint8_t reply = fam == FAM4 ? 0 : 129;

		start();
		request(fam, 1, 1, 8);
		answer_as(ROUTER(fam), reply);
		answer_as(raw_dst(!fam), reply);
		answer_as(raw_dst(fam), fam == FAM4 ? 8 : 128);
		answer_as(raw_dst(fam), reply);
		k.in[3].b[1] = 1;			/* code */
		answer_as(raw_dst(fam), reply);
		k.in[4].len = 7;
		event(EPOLLIN);
		EQ(k.in_next, 5);
		EQ(mem.cnt, 0);
		answer(fam);
		EQ(mem.cnt, 1);
	}
}

TEST(requests_that_cannot_be_meant_are_dropped)
{
	EACH_FAM(fam) {
		uint64_t before = drop_count(DROP_ADDRESS);

		start();
		request_ttl(fam, fam == FAM4 ? "224.0.0.1" : "ff02::1", 1, 1,
			    8, 64);
		EQ(drop_count(DROP_ADDRESS), before + 1);
		raw_icmp(&r, fam, raw_src(fam), raw_dst(fam),
			 fam == FAM4 ? 8 : 128, "12345678", 8);
		r.b[raw_l4_off(fam) + 1] = 1;
		OK(ask_in_vain(ping_from_guest, DROP_ICMP));
		EQ(k.opened, 0);
	}
}

TEST(a_minute_without_packets_ends_a_flow_and_closes_its_socket)
{
	EACH_FAM(fam) {
		char buf[8];

		start();
		request(fam, 1, 1, 8);
		later(59999);
		EQ(flows(), 1);
		request(fam, 1, 2, 8);
		later(59999);
		answer(fam);			/* counts as well */
		later(59999);
		EQ(flows(), 1);
		EQ(read(k.fd, buf, sizeof(buf)), -1);
		EQ(errno, EAGAIN);
		later(1);
		EQ(flows(), 0);
		EQ(read(k.fd, buf, sizeof(buf)), -1);
		EQ(errno, EBADF);
	}
}

/* The one frame sent says @type, @code about the last request. */
static void check_error(enum fam fam, const char *from, uint8_t type,
			uint8_t code)
{
	const uint8_t *ip = mem.sent[0].b + 14;
	const uint8_t *msg = mem.sent[0].b + raw_l4_off(fam), *quote = msg + 8;
	size_t addrs = fam == FAM4 ? 12 : 8, hlen = raw_l4_off(fam) - 14;
	struct addr src = addr_get(fam, ip + addrs), want = raw_addr(from);

	if (!EQ(mem.cnt, 1))
		return;
	EQ(raw_l4_sum(mem.sent[0].b), 0);
	OK(addr_eq(&src, &want));
	EQ(msg[0], type);
	EQ(msg[1], code);
	MEMEQ(quote + addrs, r.b + 14 + addrs, fam == FAM4 ? 8 : 32);
	EQ(quote[hlen], fam == FAM4 ? 8 : 128);
	MEMEQ(quote + hlen + 4, r.b + raw_l4_off(fam) + 4, 4);
}

TEST(pings_leave_flows_and_descriptors_to_others)
{
	EACH_FAM(fam) {
		uint64_t full = drop_count(DROP_TABLE_FULL);
		struct flow *others[8192];

		start();
		for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
			others[i] = flow_alloc(i % 2 ? FLOW_PING4 : FLOW_PING6);
		request(fam, 0x1234, 3, 56);
		EQ(k.opened, 0);
		EQ(drop_count(DROP_TABLE_FULL), full + 1);
		for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
			flow_free(others[i]);
		request(fam, 0x1234, 3, 56);
		EQ(k.opened, 1);
	}
}

TEST(where_we_may_not_ping_the_guest_is_told_so)
{
	EACH_FAM(fam) {
		static const int errs[] = { EACCES, EPERM };

		for (size_t i = 0; i < ARRAY_SIZE(errs); i++) {
			uint64_t before = drop_count(DROP_SOCKET);

			start();
			k.open_err = errs[i];
			request(fam, 0x1234, 3, 56);
			check_error(fam, GATEWAY(fam), fam == FAM4 ? 3 : 1,
				    fam == FAM4 ? 13 : 1);
			EQ(drop_count(DROP_SOCKET), before + 1);
			EQ(flows(), 0);
		}
		start();
		k.open_err = EMFILE;
		request(fam, 0x1234, 3, 56);
		EQ(mem.cnt, 0);
	}
}

TEST(what_a_router_says_is_passed_on_with_the_guests_identifier)
{
	EACH_FAM(fam) {
		uint8_t type = fam == FAM4 ? 11 : 3;
		const uint8_t *quoted;

		start();
		request(fam, 0x1234, 3, 16);
		/* As sent by the kernel: its identifier, its checksum */
		memcpy(k.quoted, k.sent, k.sent_len);
		k.quoted_len = k.sent_len;
		put_be16(k.quoted + 4, 0x4321);
		put_be16(k.quoted + 2, 0);
		put_be16(k.quoted + 2, raw_sum(0, k.quoted, k.quoted_len));
		k.offender = raw_addr(ROUTER(fam));
		k.ee = (struct sock_extended_err) {
			.ee_errno = EHOSTUNREACH, .ee_type = type,
			.ee_origin = fam == FAM4 ? SO_EE_ORIGIN_ICMP :
						   SO_EE_ORIGIN_ICMP6,
		};
		event(EPOLLERR);
		check_error(fam, ROUTER(fam), type, 0);
		/* That fits the guest's identifier again, 8 + 16 bytes */
		quoted = mem.sent[0].b + 2 * raw_l4_off(fam) + 8 - 14;
		EQ(raw_sum(0, quoted, 24), 0);
		EQ(flows(), 1);
	}
}

TEST(an_error_about_a_ping_to_somebody_else_is_not_passed_on)
{
	EACH_FAM(fam) {
		uint64_t before = drop_count(DROP_NO_FLOW);

		start();
		request(fam, 0x1234, 3, 16);
		memcpy(k.quoted, k.sent, k.sent_len);
		k.quoted_len = k.sent_len;
		/* Made up by whom it came from: it names what was never sent */
		k.sent_to = k.offender = raw_addr(ROUTER(fam));
		k.ee = (struct sock_extended_err) {
			.ee_errno = EHOSTUNREACH,
			.ee_type = fam == FAM4 ? 3 : 1,
			.ee_origin = fam == FAM4 ? SO_EE_ORIGIN_ICMP :
						   SO_EE_ORIGIN_ICMP6,
		};
		event(EPOLLERR);
		EQ(mem.cnt, 0);
		EQ(drop_count(DROP_NO_FLOW), before + 1);
	}
}

TEST(other_entries_of_the_queue_are_not_passed_on)
{
	static const struct { uint8_t origin, type; size_t len; } t[] = {
		{ SO_EE_ORIGIN_ICMP, 4, 24 },		/* source quench */
		{ SO_EE_ORIGIN_ICMP, 5, 24 },
		{ SO_EE_ORIGIN_ICMP6, 137, 24 },
		{ SO_EE_ORIGIN_TIMESTAMPING, 0, 24 },
		{ SO_EE_ORIGIN_ICMP, 11, 7 },
		{ SO_EE_ORIGIN_LOCAL, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		enum fam fam = t[i].origin == SO_EE_ORIGIN_ICMP ? FAM4 : FAM6;

		start();
		request(fam, 1, 1, 16);
		k.offender = raw_addr(ROUTER(fam));
		memcpy(k.quoted, k.sent, k.sent_len);
		k.quoted_len = t[i].len;
		k.ee = (struct sock_extended_err) {
			.ee_errno = EMSGSIZE, .ee_type = t[i].type,
			.ee_origin = t[i].origin,
		};
		event(EPOLLERR);
		EQ(k.ee.ee_origin, 0);
		EQ(mem.cnt, 0);
		EQ(flows(), 1);
	}
}

TEST(an_error_about_an_earlier_request_does_not_cost_the_next_one)
{
	EACH_FAM(fam) {
		start();
		k.send_err[0] = EHOSTUNREACH;
		request(fam, 1, 1, 8);
		EQ(k.sends, 2);
		EQ(k.sent_len, 16);
		EQ(mem.cnt, 0);
	}
}

TEST(a_request_the_kernel_will_not_send_is_answered_with_its_reason)
{
	EACH_FAM(fam) {
		uint64_t before = drop_count(DROP_NOT_SENT);

		start();
		k.send_err[0] = k.send_err[1] = ENETUNREACH;
		request(fam, 0x1234, 1, 8);
		check_error(fam, GATEWAY(fam), fam == FAM4 ? 3 : 1, 0);
		EQ(drop_count(DROP_NOT_SENT), before + 1);
		start();
		k.send_err[0] = k.send_err[1] = EAGAIN;
		request(fam, 0x1234, 1, 8);
		EQ(mem.cnt, 0);
	}
}

TEST(sockets_leave_by_the_way_configured_or_else_by_any)
{
	EACH_FAM(fam) {
		struct addr out = raw_addr(ROUTER(fam));

		start();
		conf_writable.net[fam].outbound = out;
		k.bind_err = EACCES;		/* is no reason not to try */
		request(fam, 1, 1, 8);
		OK(addr_eq(&k.bound, &out));
		EQ(k.sends, 1);
	}
}

TEST(a_burst_is_read_in_portions_and_announced_again)
{
	uint64_t before = drop_count(DROP_NO_FLOW);

	start();
	request(FAM4, 1, 1, 8);
	for (unsigned i = 0; i < 40; i++)
		answer_as(ROUTER(FAM4), 0);
	event(EPOLLIN);
	EQ(k.in_next, 32);
	EQ(k.rearmed, 1);
	event(EPOLLIN);
	EQ(k.in_next, 40);
	EQ(k.rearmed, 1);
	EQ(drop_count(DROP_NO_FLOW), before + 40);
}
