/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datagram.c - both ends of UDP, and the guest's of echo
 *
 * The guest asks from one port, a socket on the host's loopback interface
 * answers. Each datagram is compared as a whole, so that none is cut, merged or
 * overtaken. What comes to the guest is kept in order, whatever it is, until
 * the diary asks for it; headers and checksums have been judged by then, here
 * and in segment.c. What is not right is a failure at once.
 *
 * Or a program on the host calls the guest's service, by the forwarded port. It
 * is connected, so that answers from anywhere else do not reach it.
 *
 * Ping sockets of the daemon are what makes echo work. Where the kernel refuses
 * them, that is no failure of the daemon: the diary is skipped.
 *
 * Routers are made up: a raw socket says what one would say about a packet of
 * the daemon's socket, and the kernel cannot tell.
 *
 * RFC 768, 792, 4443 3, 4.
 */
#include "guest.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/csum.h"
#include "wire/frame.h"

#define HLEN		8	/* of UDP, of echo */
#define DATA_MAX	9000
#define KEPT_MAX	16

struct datagram {
	uint8_t proto;
	uint16_t id, seq;	/* of echo */
	size_t len;
	uint8_t data[DATA_MAX];
};

static struct datagram kept[KEPT_MAX];	/* what came to the guest */
static unsigned kept_first, kept_end;

static int host_fd = -1;
static uint16_t host_port;
static uint16_t guest_port = GUEST_PORT;
static bool called;			/* by somebody not heard of yet */
static union sockaddr_any asker;	/* whom the host answers */
static socklen_t asker_len;
static uint8_t got[DATA_MAX + 1];
static ssize_t got_len;

unsigned datagram_fds(void)
{
	return host_fd >= 0;
}

/* --- what the diary says of one --- */

static void fill(struct datagram *d, long len, uint8_t (*pattern)(size_t))
{
	if (len < 0 || len > DATA_MAX)
		fail("a datagram has 0 to %u bytes", DATA_MAX);
	d->len = (size_t)len;
	for (size_t i = 0; i < d->len; i++)
		d->data[i] = pattern(d->len + i);
}

static void parse(struct datagram *d, char ***tok, uint8_t (*pattern)(size_t))
{
	const char *word = tok_next(tok);

	d->proto = IPPROTO_UDP;
	if (*word == '"')
		d->len = unquote(word, d->data, sizeof(d->data));
	else
		fill(d, number(word), pattern);
}

static uint8_t echo_proto(void)
{
	return world.fam == FAM4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static void parse_echo(struct datagram *d, char ***tok)
{
	d->proto = echo_proto();
	d->id = (uint16_t)number(tok_next(tok));
	d->seq = (uint16_t)number(tok_next(tok));
	fill(d, number(tok_next(tok)), pattern_guest);
	tok_end(*tok);
}

static void compare(const struct datagram *want, const uint8_t *data,
		    size_t len)
{
	if (len != want->len)
		fail("got %zu bytes, not %zu", len, want->len);
	for (size_t i = 0; i < len; i++)
		if (data[i] != want->data[i])
			fail("wrong byte at offset %zu: %02x, not %02x", i,
			     data[i], want->data[i]);
}

/* --- the guest --- */

static void queue(const struct datagram *d)
{
	static uint8_t l4[HLEN + DATA_MAX];
	bool udp = d->proto == IPPROTO_UDP;

	memset(l4, 0, HLEN);
	if (udp) {
		put_be16(l4, guest_port);
		put_be16(l4 + 2, host_port);
		put_be16(l4 + 4, (uint16_t)(HLEN + d->len));
	} else {
		l4[0] = world.fam == FAM4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
		put_be16(l4 + 4, d->id);
		put_be16(l4 + 6, d->seq);
	}
	memcpy(l4 + HLEN, d->data, d->len);
	wire_queue_packet(conn_cur(), d->proto, l4, HLEN + d->len,
			  udp ? 6 : 2);
}

static void udp_fields(const uint8_t *l4, size_t len)
{
	uint16_t from = get_be16(l4), to = get_be16(l4 + 2);

	if (from != host_port || to != guest_port)
		fail("datagram from port %u to %u", from, to);
	if (get_be16(l4 + 4) != len)
		fail("length of UDP");
	if (!get_be16(l4 + 6))
		fail("datagram without a checksum");
}

void datagram_in(uint8_t proto, const struct addr *src, const struct addr *dst,
		 struct rd l4)
{
	struct datagram *d = &kept[kept_end % KEPT_MAX];
	struct conn *c = conn_cur();

	if (kept_end++ - kept_first == KEPT_MAX)
		fail("more datagrams than the diary wanted");
	if (proto == IPPROTO_UDP && called) {	/* by whom, and as whom */
		c->here = *dst;
		c->there = *src;
		called = false;
	}
	if (!addr_eq(src, &c->there) || !addr_eq(dst, &c->here))
		fail("datagram from or to a stranger's address");
	if (l4.len < HLEN || l4.len > HLEN + DATA_MAX)
		fail("datagram of %zu bytes, with its header", l4.len);
	if (proto == IPPROTO_UDP)
		udp_fields(l4.p, l4.len);
	else if (l4.p[1])
		fail("echo reply of code %u", l4.p[1]);
	d->proto = proto;
	d->id = get_be16(l4.p + 4);
	d->seq = get_be16(l4.p + 6);
	d->len = l4.len - HLEN;
	memcpy(d->data, l4.p + HLEN, d->len);
	note("< datagram of protocol %u, %zu bytes", proto, d->len);
}

static bool have_kept(void)
{
	return kept_first != kept_end;
}

static const struct datagram *take(uint8_t proto)
{
	const struct datagram *d;

	if (!have_kept() && !wait_real(have_kept))
		return NULL;
	d = &kept[kept_first++ % KEPT_MAX];
	if (d->proto != proto)
		fail("got protocol %u", d->proto);
	return d;
}

static void expect_nothing(char **tok)
{
	tok_end(tok);
	settle();
	if (have_kept())
		fail("got %zu bytes", kept[kept_first % KEPT_MAX].len);
}

static void guest_sends(char **tok)
{
	struct datagram d;

	if (!host_port)
		fail("\"udp host listen\" before");
	do {
		parse(&d, &tok, pattern_guest);
		queue(&d);
	} while (*tok);
	wire_write();
	settle();
}

static void guest_gets(char **tok)
{
	struct datagram want;

	do {
		const struct datagram *d;

		parse(&want, &tok, pattern_host);
		d = take(IPPROTO_UDP);
		if (!d)
			fail("nothing came");
		compare(&want, d->data, d->len);
	} while (*tok);
}

/* --- the host --- */

static void host_open(void)
{
	struct addr a = addr_loopback(world.fam);
	union sockaddr_any sa;
	socklen_t len = addr_to_sockaddr(&sa, &a, 0, 0);

	close_keep_errno(&host_fd);
	host_fd = socket(addr_af(world.fam), SOCK_DGRAM | SOCK_CLOEXEC |
			 SOCK_NONBLOCK, 0);
	if (host_fd < 0 || bind(host_fd, &sa.sa, len) ||
	    getsockname(host_fd, &sa.sa, &len) ||
	    !addr_from_sockaddr(&a, &host_port, &sa))
		fail("host: no socket: %s", strerror(errno));
}

static void host_listen(char **tok)
{
	tok_end(tok);
	host_open();
	guest_port = GUEST_PORT;
}

static void host_call(char **tok)
{
	struct addr a = addr_loopback(world.fam);

	tok_end(tok);
	host_open();
	asker_len = addr_to_sockaddr(&asker, &a, world.forward_port, 0);
	if (connect(host_fd, &asker.sa, asker_len))
		fail("host: connect: %s", strerror(errno));
	guest_port = SERVICE_PORT;
	called = true;
}

static void host_close(char **tok)
{
	tok_end(tok);
	close_keep_errno(&host_fd);
	settle();
}

static bool host_got(void)
{
	asker_len = sizeof(asker);
	got_len = recvfrom(host_fd, got, sizeof(got), MSG_DONTWAIT, &asker.sa,
			   &asker_len);
	if (got_len < 0 && errno != EAGAIN)
		fail("host: recvfrom: %s", strerror(errno));
	return got_len >= 0;
}

static void host_recv(char **tok)
{
	struct datagram want;

	if (tok_take(&tok, "nothing")) {
		tok_end(tok);
		settle();
		if (host_got())
			fail("host: got %zd bytes", got_len);
		return;
	}
	do {
		parse(&want, &tok, pattern_guest);
		if (!wait_real(host_got))
			fail("host: nothing came");
		compare(&want, got, (size_t)got_len);
	} while (*tok);
}

static void host_send(char **tok)
{
	struct datagram d;

	do {
		parse(&d, &tok, pattern_host);
		if (sendto(host_fd, d.data, d.len, 0, &asker.sa,
			   asker_len) < 0)
			fail("host: sendto: %s", strerror(errno));
	} while (*tok);
	settle();
}

/* --- routers --- */

/* About a packet from loopback to loopback that began with @l4. */
static void router_says(char **tok, uint8_t proto, const uint8_t *l4,
			size_t len)
{
	bool v4 = world.fam == FAM4;
	struct addr lo = addr_loopback(world.fam);
	int fd = socket(addr_af(world.fam), SOCK_RAW | SOCK_CLOEXEC,
			echo_proto());
	struct frame_tmpl t;
	uint8_t msg[HLEN + 64] = { 0 };
	union sockaddr_any sa;
	socklen_t sa_len = addr_to_sockaddr(&sa, &lo, 0, 0);
	size_t ip_len;

	if (fd < 0)
		fail("router: %s (\"config netns\" first)", strerror(errno));
	for (unsigned i = 0; i < 4; i++) {
		uint8_t n = (uint8_t)number(tok_next(&tok));

		if (i / 2 == !v4)
			msg[i % 2] = n;
	}
	tok_end(tok);
	frame_tmpl_init(&t, proto, &lo, 0, &lo, 0, &MAC_ZERO, &MAC_ZERO, 0);
	ip_len = (size_t)t.l4_off - ETH_HLEN_;
	put_be16(t.hdr + t.iplen_off, (uint16_t)(t.iplen_bias + len));
	memcpy(msg + HLEN, t.hdr + ETH_HLEN_, ip_len);
	memcpy(msg + HLEN + ip_len, l4, len);
	len += HLEN + ip_len;
	if (v4)		/* that of ICMPv6 is the kernel's work */
		put_be16(msg + 2, csum_fold(csum_add(0, msg, len)));
	if (sendto(fd, msg, len, 0, &sa.sa, sa_len) < 0)
		fail("router: %s", strerror(errno));
	close(fd);
	settle();
}

/* About the last datagram that the host has received. */
static void router_of_udp(char **tok)
{
	uint8_t l4[HLEN] = { 0 };
	struct addr a;
	uint16_t from = 0;

	if (!addr_from_sockaddr(&a, &from, &asker))
		fail("\"udp host recv\" before");
	put_be16(l4, from);
	put_be16(l4 + 2, host_port);
	put_be16(l4 + 4, HLEN);
	router_says(tok, IPPROTO_UDP, l4, sizeof(l4));
}

/* The identifier is the kernel's choice; the last socket of its list. */
static uint16_t ping_id(void)
{
	FILE *f = fopen(world.fam == FAM4 ? "/proc/self/net/icmp" :
					    "/proc/self/net/icmp6", "r");
	char line[512];
	unsigned id = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "%*u: %*[0-9A-F]:%x", &id);
	if (f)
		fclose(f);
	if (!id)
		fail("no socket for ping");
	return (uint16_t)id;
}

static void router_of_echo(char **tok)
{
	uint8_t l4[HLEN] = {
		world.fam == FAM4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
	};

	put_be16(l4 + 4, ping_id());
	router_says(tok, echo_proto(), l4, sizeof(l4));
}

/* --- statements --- */

static void host_does(char **tok)
{
	if (tok_take(&tok, "listen"))
		host_listen(tok);
	else if (tok_take(&tok, "call"))
		host_call(tok);
	else if (tok_take(&tok, "close"))
		host_close(tok);
	else if (host_fd < 0)
		fail("\"udp host listen\" before");
	else if (tok_take(&tok, "recv"))
		host_recv(tok);
	else if (tok_take(&tok, "send"))
		host_send(tok);
	else
		fail("udp host listen | call | close | recv | send");
}

void udp_command(char **tok)
{
	if (tok_take(&tok, ">"))
		guest_sends(tok);
	else if (tok_take(&tok, "host"))
		host_does(tok);
	else if (tok_take(&tok, "router"))
		router_of_udp(tok);
	else if (!tok_take(&tok, "<"))
		fail("udp > | < | host | router");
	else if (tok_take(&tok, "none"))
		expect_nothing(tok);
	else
		guest_gets(tok);
}

static bool may_ping(void)
{
	int fd = socket(addr_af(world.fam), SOCK_DGRAM | SOCK_CLOEXEC,
			echo_proto());
	bool yes = fd >= 0;

	close_keep_errno(&fd);
	return yes;
}

static void echo_reply(char **tok)
{
	const struct datagram *d;
	struct datagram want;

	parse_echo(&want, &tok);
	d = take(want.proto);
	if (!d && !may_ping())
		skip("sockets for ping are refused");
	if (!d)
		fail("nothing came");
	if (d->id != want.id || d->seq != want.seq)
		fail("got identifier %u, sequence %u", d->id, d->seq);
	compare(&want, d->data, d->len);
}

void echo_command(char **tok)
{
	struct datagram d;

	if (tok_take(&tok, ">")) {
		parse_echo(&d, &tok);
		queue(&d);
		wire_write();
		settle();
		return;
	}
	if (tok_take(&tok, "router")) {
		router_of_echo(tok);
		return;
	}
	if (!tok_take(&tok, "<"))
		fail("echo > | < | router");
	if (tok_take(&tok, "none"))
		expect_nothing(tok);
	else
		echo_reply(tok);
}
