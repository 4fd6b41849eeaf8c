/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: sock addr conf util */
/* sock.c - every kind of socket has the options it should, in both families;
 * what cannot be opened leaves nothing behind
 */
#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "agent.h"
#include "test/unit/test.h"
#include "util.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND	78
#endif

/* --- a namespace that only takes notes --- */

static struct sock_req asked;
static enum sock_kind pool_kind;
static enum fam pool_fam;

int agent_open(const struct sock_req *req)
{
	asked = *req;
	return -EPIPE;
}

int agent_pool_get(enum sock_kind kind, enum fam fam)
{
	pool_kind = kind;
	pool_fam = fam;
	return -EPIPE;
}

/* --- helpers --- */

static int opt(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? -errno : value;
}

static struct sock_req bound(enum sock_kind kind, enum fam fam)
{
	return (struct sock_req) {
		.kind = (uint8_t)kind, .fam = (uint8_t)fam, .bind = true,
		.addr = addr_loopback(fam),
	};
}

static struct sock_req dual(enum sock_kind kind)
{
	return (struct sock_req) {
		.kind = (uint8_t)kind, .fam = FAM6, .bind = true, .dual = true,
	};
}

static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* Opens @req, closes it again; 0 or -errno. */
static int attempt(const struct sock_req *req)
{
	int fd = sock_open_here(req);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static uint16_t port_of(int fd)
{
	struct addr a;
	uint16_t port = 0;

	OK(sock_local(fd, &a, &port));
	OK(port);
	return port;
}

static int wait_for(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	return poll(&p, 1, 2000) == 1 ? p.revents : 0;
}

/* A connected pair by way of @listener; *out is the accepted one. */
static int connected(enum fam fam, int listener, int *out)
{
	struct addr to = addr_loopback(fam);
	int fd = sock_tcp(PIF_HOST, SOCK_KIND_TCP_CONNECT, fam), rc;

	rc = sock_connect(fd, &to, port_of(listener), 0);
	OK(!rc || rc == -EINPROGRESS);
	OK(wait_for(fd, POLLOUT) == POLLOUT);
	EQ(sock_error(fd), 0);
	OK(wait_for(listener, POLLIN));
	*out = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	OK(*out >= 0);
	return fd;
}

#define EACH_FAM	for (unsigned fam = 0; fam < FAM_COUNT; fam++)

static const int recverr[] = { IP_RECVERR, IPV6_RECVERR };
static const int ttl[] = { IP_TTL, IPV6_UNICAST_HOPS };

static int ip(unsigned fam)
{
	return fam == FAM4 ? IPPROTO_IP : IPPROTO_IPV6;
}

/* --- options --- */

TEST(tcp_sockets_send_at_once_and_keep_urgent_bytes_in_line)
{
	static const enum sock_kind kinds[] = {
		SOCK_KIND_TCP_CONNECT, SOCK_KIND_TCP_SPLICE,
		SOCK_KIND_TCP_LISTEN,
	};

	EACH_FAM for (unsigned k = 0; k < 3; k++) {
		struct sock_req req = bound(kinds[k], fam);
		int fd = sock_open_here(&req);

		OK(fd >= 0);
		EQ(opt(fd, IPPROTO_TCP, TCP_NODELAY), 1);
		EQ(opt(fd, SOL_SOCKET, SO_OOBINLINE), 1);
		EQ(opt(fd, SOL_SOCKET, SO_ACCEPTCONN),
		   kinds[k] == SOCK_KIND_TCP_LISTEN);
		EQ(opt(fd, SOL_SOCKET, SO_REUSEADDR),
		   kinds[k] == SOCK_KIND_TCP_LISTEN);
		OK(fcntl(fd, F_GETFL) & O_NONBLOCK);
		OK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
}

TEST(datagram_listeners_share_ports_if_told_and_report_errors_and_addresses)
{
	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_UDP_LISTEN, fam);
		int fd, twin;

		req.share = true;
		fd = sock_open_here(&req);
		OK(fd >= 0);
		EQ(opt(fd, ip(fam), recverr[fam]), 1);
		EQ(opt(fd, ip(fam),
		       fam == FAM4 ? IP_PKTINFO : IPV6_RECVPKTINFO), 1);
		if (fam == FAM6)
			EQ(opt(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
		req.port = port_of(fd);
		twin = sock_open_here(&req);
		OK(twin >= 0);
		close(twin);
		req.share = false;
		EQ(sock_open_here(&req), -EADDRINUSE);
		close(fd);
	}
}

TEST(sockets_of_datagram_flows_report_errors_and_share_nothing)
{
	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_UDP_FLOW, fam);
		struct sock_req other = bound(SOCK_KIND_UDP_LISTEN, fam);
		int fd = sock_open_here(&req);

		OK(fd >= 0);
		EQ(opt(fd, ip(fam), recverr[fam]), 1);
		if (fam == FAM6)
			EQ(opt(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
		EQ(opt(fd, ip(fam), ttl[fam]), SOCK_UDP_TTL);
		other.port = req.port = port_of(fd);
		EQ(sock_open_here(&req), -EADDRINUSE);
		EQ(sock_open_here(&other), -EADDRINUSE);
		close(fd);
	}
}

TEST(a_dual_listener_takes_both_families)
{
	struct sock_req req = dual(SOCK_KIND_TCP_LISTEN);
	int fd = sock_open_here(&req);

	EQ(opt(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	EACH_FAM {
		struct addr lo = addr_loopback(fam), a;
		uint16_t port;
		int accepted, c = connected(fam, fd, &accepted);

		OK(sock_local(accepted, &a, &port));
		OK(addr_eq(&a, &lo));	/* IPv4 as IPv4, not in disguise */
		close(c);
		close(accepted);
	}
	close(fd);
}

TEST(a_dual_datagram_listener_reports_for_both_families)
{
	struct sock_req req = dual(SOCK_KIND_UDP_LISTEN);
	int fd = sock_open_here(&req);

	EQ(opt(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	EQ(opt(fd, IPPROTO_IP, IP_RECVERR), 1);
	EQ(opt(fd, IPPROTO_IPV6, IPV6_RECVERR), 1);
	EQ(opt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
	EQ(opt(fd, IPPROTO_IP, IP_PKTINFO), 1);
	close(fd);
}

TEST(wildcards_of_the_two_families_do_not_get_in_each_others_way)
{
	struct sock_req req = bound(SOCK_KIND_TCP_LISTEN, FAM6);
	int six, four;

	req.addr = addr_any(FAM6);
	six = sock_open_here(&req);
	req.fam = FAM4;
	req.addr = addr_any(FAM4);
	req.port = port_of(six);
	four = sock_open_here(&req);
	OK(four >= 0);
	close(four);
	close(six);
}

TEST(what_is_accepted_needs_nothing_more)
{
	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_TCP_LISTEN, fam);
		int fd = sock_open_here(&req), accepted;
		int c = connected(fam, fd, &accepted);

		EQ(opt(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
		EQ(opt(accepted, SOL_SOCKET, SO_OOBINLINE), 1);
		close(c);
		close(accepted);
		close(fd);
	}
}

TEST(freebind_is_what_makes_an_absent_address_possible)
{
	static const char *const absent[] = { "192.0.2.77", "2001:db8::77" };

	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_TCP_LISTEN, fam);
		int fd;

		OK(addr_parse(&req.addr, absent[fam]));
		EQ(attempt(&req), -EADDRNOTAVAIL);
		req.freebind = true;
		fd = sock_open_here(&req);
		OK(fd >= 0);
		EQ(opt(fd, ip(fam), fam == FAM4 ? IP_FREEBIND : IPV6_FREEBIND),
		   1);
		close(fd);
	}
}

TEST(a_named_interface_is_bound_to_or_the_socket_is_not_opened)
{
	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_UDP_LISTEN, fam);
		char name[IFNAMSIZ] = "";
		socklen_t len = sizeof(name);
		int fd;

		strcpy(req.ifname, "lo");
		fd = sock_open_here(&req);
		OK(fd >= 0);
		OK(!getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
		STREQ(name, "lo");
		close(fd);
		strcpy(req.ifname, "no-such-if");
		EQ(attempt(&req), -ENODEV);
	}
}

/* --- failures --- */

TEST(what_fails_says_why_and_leaves_no_descriptor)
{
	int before = next_fd();

	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_TCP_LISTEN, fam);
		int fd = sock_open_here(&req);

		req.port = port_of(fd);
		EQ(attempt(&req), -EADDRINUSE);
		close(fd);
		req.addr = addr_any(!fam);	/* the other family's */
		if (fam == FAM4)
			OK(attempt(&req) < 0);
	}
	EQ(next_fd(), before);
}

TEST(requests_that_make_no_sense_are_refused)
{
	struct sock_req req = bound(SOCK_KIND_TCP_LISTEN, FAM4);

	req.kind = SOCK_KIND_COUNT;
	EQ(attempt(&req), -EINVAL);
	req.kind = 255;
	EQ(attempt(&req), -EINVAL);
	req = bound(SOCK_KIND_TCP_LISTEN, FAM4);
	req.fam = FAM_COUNT;
	EQ(attempt(&req), -EINVAL);
	req.fam = 255;
	EQ(attempt(&req), -EINVAL);
	req.fam = FAM4;
	req.dual = true;
	EQ(attempt(&req), -EINVAL);
	/* a name without an end is cut, not run past */
	req = bound(SOCK_KIND_TCP_LISTEN, FAM4);
	memset(req.ifname, 'x', sizeof(req.ifname));
	EQ(attempt(&req), -ENODEV);
}

TEST(sockets_of_the_namespace_come_from_the_agent)
{
	struct sock_req req = bound(SOCK_KIND_UDP_LISTEN, FAM6);

	req.port = 4242;
	EQ(sock_open(PIF_SPLICE, &req), -EPIPE);
	MEMEQ(&asked, &req, sizeof(req));
	EQ(sock_tcp(PIF_SPLICE, SOCK_KIND_TCP_SPLICE, FAM6), -EPIPE);
	EQ(pool_kind, SOCK_KIND_TCP_SPLICE);
	EQ(pool_fam, FAM6);
}

/* --- connecting and ending --- */

TEST(a_refused_connection_is_an_error_of_the_socket)
{
	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_TCP_LISTEN, fam);
		struct addr to = addr_loopback(fam);
		int fd = sock_open_here(&req), c, rc;
		uint16_t port = port_of(fd);

		close(fd);
		c = sock_tcp(PIF_HOST, SOCK_KIND_TCP_SPLICE, fam);
		rc = sock_connect(c, &to, port, 0);
		if (rc == -EINPROGRESS) {
			OK(wait_for(c, POLLOUT));
			rc = -sock_error(c);
		}
		EQ(rc, -ECONNREFUSED);
		EQ(sock_error(c), 0);	/* once told, forgotten */
		close(c);
	}
	EQ(sock_error(-1), -EBADF);
}

TEST(a_reset_is_seen_as_one_and_the_descriptor_is_gone)
{
	EACH_FAM {
		struct sock_req req = bound(SOCK_KIND_TCP_LISTEN, fam);
		int fd = sock_open_here(&req), accepted;
		int c = connected(fam, fd, &accepted), was = accepted;
		char byte;

		sock_reset(&accepted);
		EQ(accepted, -1);
		EQ(fcntl(was, F_GETFD), -1);
		OK(wait_for(c, POLLIN));
		EQ(recv(c, &byte, 1, 0), -1);
		EQ(errno, ECONNRESET);
		close(c);
		close(fd);
	}
}

TEST(an_address_of_no_family_we_know_is_no_local_address)
{
	struct addr a;
	uint16_t port;
	int fds[2];

	OK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	OK(!sock_local(fds[0], &a, &port));
	OK(!sock_local(-1, &a, &port));
	close(fds[0]);
	close(fds[1]);
}

TEST(probes_agree_with_what_the_kernel_does)
{
	int zero = 0, before = next_fd();

	EACH_FAM {
		int fd = socket(addr_af(fam), SOCK_STREAM, 0);

		EQ(!sock_probe_family(fam), fd >= 0);
		EQ(sock_probe_peek_off(fam),
		   !setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero,
			       sizeof(zero)));
		close(fd);
	}
	OK(sock_probe_bind_device() || geteuid());
	EQ(next_fd(), before);
}

TEST(sockets_leave_by_the_way_configured_but_for_loopback)
{
	EACH_FAM {
		struct addr lo = addr_loopback(fam), out, local;
		struct conf_net *net = &conf_writable.net[fam];
		char device[IFNAMSIZ] = "";
		socklen_t len = sizeof(device);
		int fd = sock_tcp(PIF_HOST, SOCK_KIND_TCP_CONNECT, fam);
		uint16_t port;

		OK(addr_parse(&out, fam == FAM4 ? "192.0.2.1" : "2001:db8::1"));
		memcpy(net->outbound_if, "lo", 3);
		EQ(sock_bind_outbound(fd, &lo, &lo), 0);
		OK(sock_local(fd, &local, &port));
		OK(addr_eq(&local, &lo));
		EQ(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len),
		   0);
		EQ(len, 0);
		close(fd);

		fd = sock_tcp(PIF_HOST, SOCK_KIND_TCP_CONNECT, fam);
		len = sizeof(device);
		EQ(sock_bind_outbound(fd, &(struct addr) { 0 }, &out), 0);
		EQ(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len),
		   0);
		STREQ(device, "lo");
		/* Not an address of ours */
		EQ(sock_bind_outbound(fd, &out, &out), -EADDRNOTAVAIL);
		close(fd);
		memset(net->outbound_if, 0, IFNAMSIZ);
	}
}

TEST(the_hosts_own_addresses_are_known_from_others)
{
	static const char *const strangers[] = {
		"192.0.2.1", "2001:db8::1", "198.51.100.255",
	};

	EACH_FAM {
		struct addr lo = addr_loopback((enum fam)fam);

		OK(sock_host_has(&lo, 0));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(strangers); i++) {
		struct addr a;

		OK(addr_parse(&a, strangers[i]));
		OK(!sock_host_has(&a, 0));
	}
}

/* Last: it leaves the namespace, for one where the group may be chosen. */
TEST(a_ping_socket_reports_errors)
{
	struct sock_req req = { .kind = SOCK_KIND_PING };

	if (unshare(CLONE_NEWNET) ||
	    write_file("/proc/sys/net/ipv4/ping_group_range", "0 0"))
		SKIP("may not make a network namespace");
	EACH_FAM {
		int fd;

		req.fam = (uint8_t)fam;
		fd = sock_open_here(&req);
		OK(fd >= 0);
		EQ(opt(fd, ip(fam), recverr[fam]), 1);
		close(fd);
	}
}
