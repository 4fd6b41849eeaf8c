/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: setup/seccomp setup/seccomp_debug setup/die setup/hint log timer util */
/* seccomp.c - the lists of system calls, and the filter made from them
 *
 * The program is run here, instruction by instruction, for all numbers and the
 * arguments in question; what the kernel does with it: sandbox_barred.c.
 */
#include "setup/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "test/unit/test.h"
#include "util.h"

#define CALLS_PROMISED	(30 + OTHER_FORMS)	/* doc/security.md */
#define MORE_FOR_FILES	7	/* to rotate a log */

/* One call may have several numbers, and a library use any of them. */
#if __SIZEOF_POINTER__ == 4
#define OTHER_FORMS	8
#elif defined SYS_socketcall
#define OTHER_FORMS	1
#else
#define OTHER_FORMS	0
#endif

static const struct {
	const char *name;
	unsigned who, most;
} lists[] = {
	{ "passt", PASST, CALLS_PROMISED },
	{ "pasta attached", PASTA | NETNS, CALLS_PROMISED },
	{ "pasta with a command", PASTA | COMMAND, CALLS_PROMISED },
	{ "passt with log file and capture", PASST | LOG_FILE | PCAP,
	  CALLS_PROMISED + MORE_FOR_FILES },
	{ "pasta with log file and capture", PASTA | NETNS | LOG_FILE | PCAP,
	  CALLS_PROMISED + MORE_FOR_FILES },
	{ "agent", AGENT, 8 + OTHER_FORMS },
	{ "reader of resolv.conf", READER, 7 + OTHER_FORMS },
};

/* Extra calls for sanitizers are in every list. */
static bool for_tools(void)
{
	const char *name[CALLS_MAX];

	return seccomp_names(TOOL, name);
}

TEST(no_list_is_longer_than_promised)
{
	const char *name[CALLS_MAX];

	if (for_tools())
		SKIP("this build allows a tool's system calls");
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		unsigned cnt = seccomp_names(lists[i].who, name);

		printf("  %s, %u:", lists[i].name, cnt);
		for (unsigned n = 0; n < cnt; n++)
			printf(" %s", name[n]);
		printf("\n");
		OK(cnt && cnt <= lists[i].most);
		OK(!strcmp(name[0], "epoll_wait") ||
		   !strcmp(name[0], "epoll_pwait") ||
		   lists[i].who & (AGENT | READER));
	}
}

/* --- the machine --- */

static struct sock_filter insn[FILTER_MAX];
static unsigned insn_cnt, executed;

static uint32_t run(const struct seccomp_data *d)
{
	uint32_t a = 0;

	executed = 0;
	for (unsigned pc = 0; pc < insn_cnt; pc++) {
		const struct sock_filter *i = &insn[pc];

		executed++;
		if (i->code == (BPF_LD | BPF_W | BPF_ABS) &&
		    OK(i->k + sizeof(a) <= sizeof(*d)))
			memcpy(&a, (const char *)d + i->k, sizeof(a));
		else if (i->code == (BPF_JMP | BPF_JEQ | BPF_K))
			pc += a == i->k ? i->jt : i->jf;
		else if (i->code == (BPF_JMP | BPF_JA))
			pc += i->k;
		else if (OK(i->code == (BPF_RET | BPF_K)))
			return i->k;
		else
			abort();
	}
	OK(!"fell off the end");
	return SECCOMP_RET_KILL_PROCESS;
}

/* The program begins with the only architecture it knows. */
static bool allowed(int nr, const uint64_t *args)
{
	struct seccomp_data d = { .nr = nr, .arch = insn[1].k };

	memcpy(d.args, args, 3 * sizeof(*args));
	return run(&d) == SECCOMP_RET_ALLOW;
}

static void build(unsigned who)
{
	memset(insn, 0xff, sizeof(insn));
	insn_cnt = seccomp_program(who, insn);
}

TEST(other_numbers_and_architectures_end_the_process)
{
	static const uint64_t none[3];

	if (for_tools())
		SKIP("this build allows a tool's system calls");
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *name[CALLS_MAX];
		unsigned cnt = seccomp_names(lists[i].who, name), found = 0;
		struct seccomp_data foreign = { .nr = SYS_close };

		build(lists[i].who);
		OK(insn_cnt < FILTER_MAX);
		for (int nr = -5; nr < 2000; nr++)
			found += allowed(nr, none);
		/* With these arguments, some of them are not. */
		OK(found <= cnt && found + 12 > cnt);
		OK(!allowed(SYS_close | 0x40000000, none));	/* x32 */
		foreign.arch = insn[1].k ^ 0x1000;
		EQ(run(&foreign), SECCOMP_RET_KILL_PROCESS);
	}
}

TEST(frequent_calls_are_decided_first)
{
	static const struct seccomp_data none;

	build(PASTA);
	for (unsigned i = 0; i < 3; i++) {
		static const int hot[] = { SYS_recvmsg, SYS_sendmsg, SYS_read };
		struct seccomp_data d = none;

		d.nr = hot[i];
		d.arch = insn[1].k;
		EQ(run(&d), SECCOMP_RET_ALLOW);
		OK(executed <= 10);
	}
	printf("  pasta: %u instructions\n", insn_cnt);
}

/* --- arguments --- */

#define FLAGS		(SOCK_NONBLOCK | SOCK_CLOEXEC)
#define NOT_INT		(UINT64_C(0xdeadbeef) << 32)

static const struct {
	int nr;
	uint64_t args[3];
	bool good;
} arguments[] = {
	{ SYS_socket, { AF_INET, SOCK_STREAM | FLAGS, IPPROTO_TCP }, true },
	{ SYS_socket, { AF_INET6, SOCK_STREAM | FLAGS, IPPROTO_TCP }, true },
	{ SYS_socket, { AF_INET, SOCK_DGRAM | FLAGS, IPPROTO_UDP }, true },
	{ SYS_socket, { AF_INET6, SOCK_DGRAM | FLAGS, IPPROTO_ICMPV6 }, true },
	{ SYS_socket, { AF_INET, SOCK_DGRAM | FLAGS, IPPROTO_ICMP }, true },
	/* The kernel takes them for the ints they are. */
	{ SYS_socket, { NOT_INT | AF_INET, NOT_INT | SOCK_STREAM | FLAGS,
			NOT_INT | IPPROTO_TCP }, true },
	{ SYS_socket, { AF_INET, SOCK_STREAM | FLAGS, IPPROTO_UDP }, false },
	{ SYS_socket, { AF_INET, SOCK_STREAM | FLAGS, 262 /* MPTCP */ },
	  false },
	{ SYS_socket, { AF_INET, SOCK_STREAM | FLAGS, IPPROTO_SCTP }, false },
	{ SYS_socket, { AF_INET, SOCK_STREAM, IPPROTO_TCP }, false },
	{ SYS_socket, { AF_INET, SOCK_RAW | FLAGS, IPPROTO_ICMP }, false },
	{ SYS_socket, { AF_UNIX, SOCK_STREAM | FLAGS, 0 }, false },
	{ SYS_socket, { AF_UNIX, SOCK_DGRAM | FLAGS, 0 }, false },
	{ SYS_socket, { AF_NETLINK, SOCK_RAW | FLAGS, 0 }, false },
	{ SYS_socket, { AF_PACKET, SOCK_RAW | FLAGS, 0 }, false },
	{ SYS_socket, { AF_VSOCK, SOCK_STREAM | FLAGS, 0 }, false },
	{ SYS_setsockopt, { 3, SOL_SOCKET, SO_PEEK_OFF }, true },
	{ SYS_setsockopt, { 3, SOL_SOCKET, SO_BINDTODEVICE }, true },
	{ SYS_setsockopt, { 3, IPPROTO_TCP, TCP_NODELAY }, true },
	{ SYS_setsockopt, { 3, IPPROTO_IP, IP_MTU_DISCOVER }, true },
	{ SYS_setsockopt, { 3, IPPROTO_IPV6, IPV6_V6ONLY }, true },
	{ SYS_setsockopt, { 3, SOL_SOCKET, SO_ATTACH_FILTER }, false },
	{ SYS_setsockopt, { 3, SOL_SOCKET, SO_ATTACH_BPF }, false },
	{ SYS_setsockopt, { 3, SOL_SOCKET, SO_MARK }, false },
	{ SYS_setsockopt, { 3, SOL_SOCKET, SO_REUSEPORT }, false },
	{ SYS_setsockopt, { 3, SOL_SOCKET, SO_PRIORITY }, false },
	{ SYS_setsockopt, { 3, IPPROTO_TCP, TCP_REPAIR }, false },
	{ SYS_setsockopt, { 3, IPPROTO_TCP, TCP_ULP }, false },
	{ SYS_setsockopt, { 3, IPPROTO_TCP, TCP_MD5SIG }, false },
	{ SYS_setsockopt, { 3, IPPROTO_IP, IP_TRANSPARENT }, false },
	{ SYS_setsockopt, { 3, IPPROTO_IP, IP_ADD_MEMBERSHIP }, false },
	{ SYS_setsockopt, { 3, IPPROTO_IP, IP_HDRINCL }, false },
	{ SYS_setsockopt, { 3, SOL_NETLINK, 1 }, false },
	/* Right option, wrong level: each is 1. */
	{ SYS_setsockopt, { 3, IPPROTO_ICMPV6, TCP_NODELAY }, false },
	{ SYS_getsockopt, { 3, SOL_SOCKET, SO_ERROR }, true },
	{ SYS_getsockopt, { 3, SOL_SOCKET, SO_ATTACH_FILTER }, false },
	{ SYS_getsockopt, { 3, IPPROTO_IP, SO_ERROR }, false },
	{ SYS_fcntl, { 3, F_SETPIPE_SZ, 0 }, true },
	{ SYS_fcntl, { 3, F_DUPFD, 0 }, false },
	{ SYS_fcntl, { 3, F_SETOWN, 0 }, false },
	{ SYS_fcntl, { 3, F_SETSIG, 0 }, false },
	{ SYS_fcntl, { 3, F_NOTIFY, 0 }, false },
	{ SYS_madvise, { 0, 0, MADV_DONTNEED }, true },
	{ SYS_madvise, { 0, 0, MADV_HWPOISON }, false },
	{ SYS_ioctl, { 3, TIOCGPGRP, 0 }, true },
	{ SYS_ioctl, { 3, TIOCSTI, 0 }, false },
	{ SYS_ioctl, { 3, FIONREAD, 0 }, false },
	{ SYS_kill, { (uint64_t)-5, 0, 0 }, false },
	{ SYS_kill, { 1, 9, 0 }, false },
	{ SYS_mprotect, { 0, 4096, PROT_READ | PROT_EXEC }, false },
	{ SYS_mmap, { 0, 4096, PROT_READ }, false },
};

TEST(arguments_are_looked_at_where_the_number_says_too_little)
{
	if (for_tools())
		SKIP("this build allows a tool's system calls");
	build(PASTA | COMMAND);
	for (unsigned i = 0; i < ARRAY_SIZE(arguments); i++) {
		bool ok = allowed(arguments[i].nr, arguments[i].args);

		if (!EQ(ok, arguments[i].good))
			printf("  row %u: %d (%#llx, %#llx, %#llx)\n", i,
			       arguments[i].nr,
			       (unsigned long long)arguments[i].args[0],
			       (unsigned long long)arguments[i].args[1],
			       (unsigned long long)arguments[i].args[2]);
	}
}

/* Whatever the type and protocol, good ones included. */
TEST(no_socket_is_of_another_family_than_ip)
{
	static const uint64_t types[] = {
		SOCK_STREAM | FLAGS, SOCK_DGRAM | FLAGS, SOCK_RAW | FLAGS,
		SOCK_SEQPACKET | FLAGS,
	}, protos[] = {
		0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6,
	};

	if (for_tools())
		SKIP("this build allows a tool's system calls");
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		unsigned good = 0;

		build(lists[i].who);
		for (uint64_t n = 0; n < 64 * 4 * 5; n++) {
			uint64_t args[3] = { n % 64, types[n / 64 % 4],
					     protos[n / 256] };

			if (!allowed(SYS_socket, args))
				continue;
			good++;
			OK(args[0] == AF_INET || args[0] == AF_INET6);
			OK(n / 64 % 4 < 2 && args[2]);
		}
		/* Two families: TCP, and three in datagrams. */
		EQ(good, lists[i].who == READER ? 0 : 2 * 4);
	}
}

TEST(only_the_reader_opens_files_and_only_for_reading)
{
	static const int access[] = { O_RDONLY, O_WRONLY, O_RDWR };

	if (for_tools())
		SKIP("this build allows a tool's system calls");
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		build(lists[i].who);
		for (unsigned a = 0; a < ARRAY_SIZE(access); a++) {
			uint64_t args[3] = { 0, 0, (uint64_t)(access[a] |
				O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) };

			EQ(allowed(SYS_openat, args),
			   lists[i].who == READER && access[a] == O_RDONLY);
			args[2] |= O_CREAT;
			OK(!allowed(SYS_openat, args));
		}
	}
}
