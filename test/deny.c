/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deny.c - run a command under a kernel that lacks something, or forbids it
 *
 *	deny ERROR CALL[:CONDITION[,CONDITION]]... [ERROR CALL...]... -- CMD...
 *
 * CMD and all its descendants get ERROR, such as EPERM, from each CALL named
 * behind it, by name or number. A condition is about an argument, counted from
 * 0, of which the lower 32 bits are compared:
 *
 *	socket:0=10		argument 0 is 10
 *	unshare:0&0x40000000	argument 0 has one of these bits
 *	socket:0=2,2=1		both conditions hold
 *
 * "KILL" in place of an error kills. What may stand for another call, as clone3
 * for clone, is to be named as well.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define INSNS_MAX	1024

#define NAME(x)		{ #x, SYS_##x },
static const struct call {
	const char *name;
	long number;
} calls[] = {
	NAME(accept4) NAME(bind) NAME(capget) NAME(capset) NAME(chdir)
	NAME(chroot) NAME(clone) NAME(clone3) NAME(close_range) NAME(connect)
	NAME(dup3) NAME(epoll_create1) NAME(epoll_ctl) NAME(epoll_pwait)
	NAME(epoll_pwait2) NAME(eventfd2) NAME(faccessat) NAME(faccessat2)
	NAME(fallocate) NAME(fchmod) NAME(fcntl) NAME(fstatfs) NAME(fsync)
	NAME(ftruncate) NAME(getrandom) NAME(getsockopt) NAME(inotify_add_watch)
	NAME(inotify_init1) NAME(ioctl) NAME(io_uring_setup) NAME(kcmp)
	NAME(landlock_add_rule) NAME(landlock_create_ruleset)
	NAME(landlock_restrict_self) NAME(listen) NAME(madvise)
	NAME(memfd_create) NAME(mmap) NAME(mount) NAME(mprotect) NAME(openat)
	NAME(openat2) NAME(pidfd_getfd) NAME(pidfd_open)
	NAME(pidfd_send_signal) NAME(pipe2) NAME(pivot_root) NAME(ppoll)
	NAME(prctl) NAME(prlimit64) NAME(readlinkat) NAME(recvmmsg)
	NAME(seccomp) NAME(sendmmsg) NAME(sendmsg) NAME(sethostname)
	NAME(setns) NAME(setresgid) NAME(setresuid) NAME(setgroups)
	NAME(setsid) NAME(setsockopt) NAME(signalfd4) NAME(socket)
	NAME(socketpair) NAME(splice) NAME(statx) NAME(tee)
	NAME(timerfd_create) NAME(timerfd_settime) NAME(umount2)
	NAME(unlinkat) NAME(unshare) NAME(userfaultfd) NAME(vmsplice)
};
#undef NAME

#define NAME(x)		{ #x, x },
static const struct {
	const char *name;
	unsigned number;
} errors[] = {
	NAME(EACCES) NAME(EADDRNOTAVAIL) NAME(EAFNOSUPPORT) NAME(EAGAIN)
	NAME(EBADF) NAME(EBUSY) NAME(EFAULT) NAME(EINTR) NAME(EINVAL) NAME(EIO)
	NAME(EMFILE) NAME(ENFILE) NAME(ENOBUFS) NAME(ENODEV) NAME(ENOENT)
	NAME(ENOMEM) NAME(ENOPROTOOPT) NAME(ENOSPC) NAME(ENOSYS)
	NAME(EOPNOTSUPP) NAME(EPERM) NAME(EPROTONOSUPPORT) NAME(EUSERS)
};
#undef NAME

/* Classic BPF: per rule the call's number, its conditions, a verdict; each of
 * these jumps behind the rule when it does not apply. */
static struct sock_filter prog[INSNS_MAX];
static unsigned prog_len;

static _Noreturn void usage(const char *why, const char *what)
{
	fprintf(stderr, "deny: %s '%s'\nusage: deny ERROR CALL[:ARG=VALUE|"
		"ARG&MASK,...]... -- CMD [ARG]...\n", why, what);
	exit(2);
}

static void emit(uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (prog_len == INSNS_MAX)
		usage("too much to deny", "");
	prog[prog_len++] = (struct sock_filter) { code, jt, jf, k };
}

static void load(size_t offset)
{
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static long call_number(const char *name)
{
	char *end;
	long number;

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].number;
	number = strtol(name, &end, 0);
	if (end == name || *end)
		usage("unknown system call", name);
	return number;
}

/* Seccomp's verdict for an error's name. */
static int verdict_of(const char *name, uint32_t *verdict)
{
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		if (!strcmp(errors[i].name, name)) {
			*verdict = SECCOMP_RET_ERRNO | errors[i].number;
			return 1;
		}
	}
	if (strcmp(name, "KILL"))
		return 0;
	*verdict = SECCOMP_RET_KILL_PROCESS;
	return 1;
}

static size_t arg_offset(unsigned long arg)
{
	size_t low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;

	return offsetof(struct seccomp_data, args) + 8 * arg + low;
}

/* Jumps to the end of the rule are filled in by rule(). */
static void condition(const char *text)
{
	char *op, *end;
	unsigned long arg = strtoul(text, &op, 10), value;

	if (op == text || arg > 5 || (*op != '=' && *op != '&'))
		usage("not a condition:", text);
	value = strtoul(op + 1, &end, 0);
	if (end == op + 1 || *end)
		usage("not a condition:", text);
	load(arg_offset(arg));
	emit(BPF_JMP | BPF_K | (*op == '=' ? BPF_JEQ : BPF_JSET), 0, 0,
	     (uint32_t)value);
}

static void rule(char *text, uint32_t verdict)
{
	char *conditions = strchr(text, ':');
	unsigned start = prog_len;

	if (conditions)
		*conditions++ = '\0';
	load(offsetof(struct seccomp_data, nr));
	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (uint32_t)call_number(text));
	for (char *c = conditions ? strtok(conditions, ",") : NULL; c;
	     c = strtok(NULL, ","))
		condition(c);
	emit(BPF_RET | BPF_K, 0, 0, verdict);
	for (unsigned i = start; i < prog_len; i++)
		if (BPF_CLASS(prog[i].code) == BPF_JMP)
			prog[i].jf = (uint8_t)(prog_len - i - 1);
}

int main(int argc, char **argv)
{
	struct sock_fprog fprog = { .filter = prog };
	uint32_t verdict = 0;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (verdict_of(argv[i], &verdict))
			continue;
		if (!verdict)
			usage("not an error:", argv[i]);
		rule(argv[i], verdict);
	}
	if (i + 1 >= argc)
		usage("no command behind", "--");
	emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);

	fprog.len = (unsigned short)prog_len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog)) {
		perror("deny");
		return 2;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
