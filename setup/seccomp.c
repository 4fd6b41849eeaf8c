/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp.c - which system calls there are, from now on
 *
 * Which ones the running program makes stands beside the code that makes them,
 * in SYSCALLS() markers; tools/mkseccomp has collected them into rows. For some
 * the number says too little: below is what their arguments may be. Socket
 * options are the ones our modules set, and each of them would be harmless
 * alone; the point is what is missing, such as raw sockets, attaching programs
 * to sockets, or taking over others' ports.
 *
 * From both a filter of the kernel's packet machine is made, bpf(4), seccomp(2):
 *
 *	another architecture's numbers?			end
 *	for each call, most frequent first:
 *		this one, any arguments			allow
 *		this one, with arguments to look at:
 *			for each row that is about it:
 *				all of them in its sets	allow
 *			none				end
 *	no such call on the list			end
 *
 * Where the kernel can, it knows beforehand which calls are allowed whatever
 * the arguments, and runs nothing for them.
 *
 * The process ends at once, and all its threads: no handler, no second try.
 * For finding out which call it was: seccomp_debug.c.
 */
#include "setup/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addr.h"
#include "util.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND	78
#endif

/* The kernel's names for what the compiler calls it; <linux/audit.h> */
#if defined __x86_64__
#define ARCH	AUDIT_ARCH_X86_64
#elif defined __i386__
#define ARCH	AUDIT_ARCH_I386
#elif defined __aarch64__
#define ARCH	AUDIT_ARCH_AARCH64
#elif defined __arm__
#define ARCH	AUDIT_ARCH_ARM
#elif defined __riscv && __riscv_xlen == 64
#define ARCH	AUDIT_ARCH_RISCV64
#elif defined __powerpc64__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH	AUDIT_ARCH_PPC64LE
#elif defined __powerpc64__
#define ARCH	AUDIT_ARCH_PPC64
#elif defined __s390x__
#define ARCH	AUDIT_ARCH_S390X
#elif defined __loongarch64
#define ARCH	AUDIT_ARCH_LOONGARCH64
#elif defined __mips__ && _MIPS_SIM == _ABI64 && defined __MIPSEL__
#define ARCH	AUDIT_ARCH_MIPSEL64
#elif defined __mips__ && _MIPS_SIM == _ABIO32 && defined __MIPSEL__
#define ARCH	AUDIT_ARCH_MIPSEL
#else
#error "which architecture is this? See <linux/audit.h>"
#endif

struct call {
	const char *name;
	int nr;
	unsigned who;
};

#define CALL(name, who)	{ #name, __NR_##name, who },
static const struct call calls[] = {
#include "seccomp_calls.h"
};
#undef CALL

/* --- what arguments may be --- */

#define VALUES_MAX	15
#define SETS_MAX	3

/* One argument, one of these; only the lower half of it counts, as it is an
 * int for all of them. */
struct set {
	unsigned cnt;		/* 0: no such set */
	unsigned arg;
	uint32_t value[VALUES_MAX];
};

#define READ_FLAGS	(O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* Several rows about the same call: any of them. */
static const struct row {
	int nr;
	struct set set[SETS_MAX];
} rows[] = {
#ifdef __NR_socket
	{ __NR_socket, {
		{ 2, 0, { AF_INET, AF_INET6 } },
		{ 1, 1, { SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC } },
		{ 1, 2, { IPPROTO_TCP } } } },
	{ __NR_socket, {
		{ 2, 0, { AF_INET, AF_INET6 } },
		{ 1, 1, { SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC } },
		{ 3, 2, { IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 } } } },
#endif
#ifdef __NR_setsockopt
	{ __NR_setsockopt, {
		{ 1, 1, { SOL_SOCKET } },
		{ 9, 2, { SO_PEEK_OFF, SO_LINGER, SO_KEEPALIVE, SO_OOBINLINE,
			  SO_REUSEADDR, SO_RCVBUF, SO_SNDBUF, SO_BROADCAST,
			  SO_BINDTODEVICE } } } },
	{ __NR_setsockopt, {
		{ 1, 1, { IPPROTO_TCP } },
		{ 2, 2, { TCP_NODELAY, TCP_CONGESTION } } } },
	{ __NR_setsockopt, {
		{ 1, 1, { IPPROTO_IP } },
		{ 8, 2, { IP_TTL, IP_MTU_DISCOVER, IP_BIND_ADDRESS_NO_PORT,
			  IP_RECVERR, IP_PKTINFO, IP_RECVTOS, IP_FREEBIND,
			  IP_MULTICAST_ALL } } } },
	{ __NR_setsockopt, {
		{ 1, 1, { IPPROTO_IPV6 } },
		{ 7, 2, { IPV6_UNICAST_HOPS, IPV6_MTU_DISCOVER, IPV6_V6ONLY,
			  IPV6_RECVERR, IPV6_RECVPKTINFO, IPV6_RECVTCLASS,
			  IPV6_FREEBIND } } } },
	{ __NR_setsockopt, {
		{ 1, 1, { IPPROTO_UDP } },
		{ 1, 2, { UDP_GRO } } } },
#endif
#ifdef __NR_getsockopt
	{ __NR_getsockopt, {
		{ 1, 1, { SOL_SOCKET } },
		{ 3, 2, { SO_ERROR, SO_MEMINFO, SO_PEERCRED } } } },
#endif
#ifdef __NR_socketcall	/* arguments out of sight: which one at least */
	{ __NR_socketcall, {
		{ 15, 0, { SYS_SOCKET, SYS_BIND, SYS_CONNECT, SYS_LISTEN,
			   SYS_GETSOCKNAME, SYS_SEND, SYS_RECV, SYS_SENDTO,
			   SYS_RECVFROM, SYS_SHUTDOWN, SYS_SETSOCKOPT,
			   SYS_GETSOCKOPT, SYS_SENDMSG, SYS_RECVMSG,
			   SYS_ACCEPT4 } } } },
	{ __NR_socketcall, {
		{ 2, 0, { SYS_RECVMMSG, SYS_SENDMMSG } } } },
#endif
#ifdef __NR_fcntl
	{ __NR_fcntl, {
		{ 5, 1, { F_SETPIPE_SZ, F_GETPIPE_SZ, F_GETFL, F_SETFL,
			  F_DUPFD_CLOEXEC } } } },
#endif
#ifdef __NR_fcntl64
	{ __NR_fcntl64, {
		{ 5, 1, { F_SETPIPE_SZ, F_GETPIPE_SZ, F_GETFL, F_SETFL,
			  F_DUPFD_CLOEXEC } } } },
#endif
	{ __NR_ioctl, { { 2, 1, { TIOCGPGRP, TIOCSPGRP } } } },
	{ __NR_madvise, { { 1, 2, { MADV_DONTNEED } } } },
	{ __NR_fallocate, { { 1, 1, { FALLOC_FL_COLLAPSE_RANGE } } } },
	{ __NR_openat, {
		{ 2, 2, { READ_FLAGS, READ_FLAGS | O_LARGEFILE } } } },
};

/* --- the lists --- */

unsigned seccomp_names(unsigned who, const char *name[CALLS_MAX])
{
	unsigned cnt = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].who & who)
			name[cnt++] = calls[i].name;
	return cnt;
}
_Static_assert(ARRAY_SIZE(calls) <= CALLS_MAX, "room for all of them");

/* --- the program --- */

struct program {
	struct sock_filter *insn;
	unsigned len;
};

/* Conditional jumps: how many instructions to skip. */
static void put(struct program *p, uint16_t code, uint32_t k, unsigned if_true,
		unsigned if_false)
{
	p->insn[p->len++] = (struct sock_filter) {
		.code = code, .k = k,
		.jt = (uint8_t)if_true, .jf = (uint8_t)if_false,
	};
}

static void put_load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_end(struct program *p, uint32_t verdict)
{
	put(p, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Whether it equals: the next instruction is skipped, or not. */
static void put_skip_if(struct program *p, uint32_t value)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
}

/* A jump whose aim is not known yet: which instruction it is. */
static unsigned put_jump(struct program *p)
{
	put(p, BPF_JMP | BPF_JA, 0, 0, 0);
	return p->len - 1;
}

static void jump_to_here(struct program *p, unsigned jump)
{
	p->insn[jump].k = p->len - jump - 1;
}

static size_t offset_of_arg(unsigned arg)
{
	const size_t lower = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ?
			     sizeof(uint32_t) : 0;

	return offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) +
	       lower;
}

/* Goes on behind it if the argument is in the set. The jump taken if not. */
static unsigned put_set(struct program *p, const struct set *s)
{
	put_load(p, offset_of_arg(s->arg));
	for (unsigned i = 0; i < s->cnt; i++)
		put(p, BPF_JMP | BPF_JEQ | BPF_K, s->value[i], s->cnt - i, 0);
	return put_jump(p);
}

static void put_row(struct program *p, const struct row *r)
{
	unsigned no[SETS_MAX], cnt = 0;

	while (cnt < SETS_MAX && r->set[cnt].cnt) {
		no[cnt] = put_set(p, &r->set[cnt]);
		cnt++;
	}
	put_end(p, SECCOMP_RET_ALLOW);
	for (unsigned i = 0; i < cnt; i++)
		jump_to_here(p, no[i]);
}

static bool has_rows(int nr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].nr == nr)
			return true;
	return false;
}

static void put_call(struct program *p, const struct call *c)
{
	unsigned other;

	if (c->who & TOOL || !has_rows(c->nr)) {
		put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, 1);
		put_end(p, SECCOMP_RET_ALLOW);
		return;
	}
	put_skip_if(p, (uint32_t)c->nr);
	other = put_jump(p);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].nr == c->nr)
			put_row(p, &rows[i]);
	put_end(p, seccomp_verdict());
	jump_to_here(p, other);
}

unsigned seccomp_program(unsigned who, struct sock_filter insn[FILTER_MAX])
{
	struct program p = { insn, 0 };

	put_load(&p, offsetof(struct seccomp_data, arch));
	put_skip_if(&p, ARCH);
	put_end(&p, SECCOMP_RET_KILL_PROCESS);
	put_load(&p, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].who & who)
			put_call(&p, &calls[i]);
	put_end(&p, seccomp_verdict());
	return p.len;
}

/* --- in force --- */

static struct sock_fprog build(unsigned who)
{
	static struct sock_filter insn[FILTER_MAX];

	return (struct sock_fprog) {
		.len = (unsigned short)seccomp_program(who, insn),
		.filter = insn,
	};
}

/* Code of others that could look for secrets by way of speculation does not
 * run here: older kernels need not slow us down for that. */
static int filter_set(struct sock_fprog *prog)
{
	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     SECCOMP_FILTER_FLAG_SPEC_ALLOW, prog))
		return 0;
	if (errno != EINVAL ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog))
		return -errno;
	return 0;
}

int seccomp_close(unsigned who)
{
	struct sock_fprog prog = build(who);

	seccomp_prepare();
	return filter_set(&prog);
}

int seccomp_probe(void)
{
	const uint32_t kill = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) ?
	       -errno : 0;
}
