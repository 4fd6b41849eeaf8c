/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject.c - run a command, and let one system call of one of its processes fail
 *
 *	inject REPORT UID -- CMD...			name the calls
 *	inject REPORT UID ROLE CALL N ERROR -- CMD...	fail one of them
 *
 * Processes are told apart by ROLE: "0" is CMD, "0.2" its second child, however
 * they are scheduled. The N-th CALL of that one is not made, and returns ERROR,
 * a number; with "short" in its place it is made with half the length. strace(1)
 * counts by process as well, but lets the N-th of each fail: behind the first,
 * others are never seen.
 *
 * Counted is what the program does to set itself up: from its first prctl(2),
 * of which the dynamic loader knows nothing, until one of its processes waits
 * for events the first time; nothing that a program executed later does.
 *
 * To the descriptor REPORT are written, as they happen:
 *
 *	call ROLE CALL		only without ERROR: one for each that could fail
 *	injected		the one that was to fail has
 *	ready			set-up is over
 *	exit ROLE STATUS	a process has ended
 *	signal ROLE NUMBER	a process was killed
 *
 * and it reads end of file when all processes are gone. They are killed with
 * this program. Root runs it: CMD is run as UID, without no_new_privs. x86-64
 * only, for the registers.
 */
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PROCS_MAX	64
#define ROLE_MAX	32

/* Those that cannot fail are not here, and close(2), whose failure leaves
 * nothing to be done: Linux closes in any case. */
#define NAME(x)		{ #x, SYS_##x },
static const struct call {
	const char *name;
	long number;
} calls[] = {
	NAME(prctl) NAME(epoll_wait) NAME(epoll_pwait)	/* always looked at */
	NAME(brk)
	NAME(accept4) NAME(access) NAME(bind) NAME(capget)
	NAME(capset) NAME(chdir) NAME(chroot) NAME(clone) NAME(clone3)
	NAME(close_range) NAME(connect) NAME(dup2) NAME(dup3)
	NAME(epoll_create1) NAME(epoll_ctl) NAME(eventfd2) NAME(execve)
	NAME(faccessat2) NAME(fallocate) NAME(fchmod) NAME(fcntl) NAME(fork)
	NAME(fstat) NAME(ftruncate) NAME(getdents64) NAME(getpeername)
	NAME(getrandom) NAME(getsockname) NAME(getsockopt) NAME(inotify_add_watch)
	NAME(inotify_init1) NAME(ioctl) NAME(kill) NAME(landlock_add_rule)
	NAME(landlock_create_ruleset) NAME(landlock_restrict_self) NAME(listen)
	NAME(lseek) NAME(lstat) NAME(madvise) NAME(memfd_create) NAME(mmap)
	NAME(mount) NAME(mprotect) NAME(newfstatat) NAME(open) NAME(openat)
	NAME(pidfd_open) NAME(pipe2) NAME(pivot_root) NAME(poll) NAME(ppoll)
	NAME(pread64) NAME(prlimit64) NAME(pwrite64) NAME(read) NAME(readlink)
	NAME(recvfrom) NAME(recvmsg) NAME(rt_sigaction) NAME(rt_sigprocmask)
	NAME(seccomp) NAME(sendmmsg) NAME(sendmsg) NAME(sendto) NAME(setgroups)
	NAME(sethostname) NAME(setns) NAME(setpgid) NAME(setresgid)
	NAME(setresuid) NAME(setsid) NAME(setsockopt) NAME(shutdown)
	NAME(signalfd4) NAME(socket) NAME(socketpair) NAME(stat) NAME(statx)
	NAME(timerfd_create) NAME(timerfd_settime) NAME(umount2) NAME(unlink)
	NAME(unlinkat) NAME(unshare) NAME(vfork) NAME(wait4) NAME(write)
	NAME(writev)
};
#undef NAME
enum { CALL_PRCTL, CALL_WAIT, CALL_PWAIT, CALL_BRK };

static struct proc {
	pid_t pid;		/* 0: free */
	bool foreign;		/* executes another program */
	bool held;		/* stopped until its parent has told its role */
	char role[ROLE_MAX];	/* "": not told yet */
	unsigned children;
	unsigned count;		/* of the call that is to fail */
} procs[PROCS_MAX];

static int report_fd;
static bool counting, ready;
static struct {
	const char *role;	/* NULL: none is to fail */
	unsigned call, nth;
	int error;		/* 0: short */
} fault;

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void report(const char *word, const char *role, const char *rest)
{
	dprintf(report_fd, "%s%s%s%s%s\n", word, *role ? " " : "", role,
		*rest ? " " : "", rest);
}

static void report_number(const char *word, const char *role, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	report(word, role, text);
}

/* --- the command --- */

/* Stops at the calls of interest, with their index as data. */
static void filter_install(void)
{
	struct sock_filter prog[2 * ARRAY_SIZE(calls) + 2];
	struct sock_fprog fprog = { .filter = prog };
	unsigned n = 0;

	prog[n++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		if (fault.role && i > CALL_PWAIT && i != fault.call)
			continue;
		prog[n++] = (struct sock_filter) BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number,
			0, 1);
		prog[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K,
			SECCOMP_RET_TRACE | i);
	}
	prog[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K,
						  SECCOMP_RET_ALLOW);
	fprog.len = (unsigned short)n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog))
		fail("seccomp");
}

static _Noreturn void command(int barrier, unsigned uid, char **argv)
{
	char go;

	if (read(barrier, &go, 1) != 1)
		_exit(2);
	close(barrier);
	close(report_fd);
	filter_install();
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		fail("identity");
	execv(argv[0], argv);
	fail(argv[0]);
}

/* --- its processes --- */

static struct proc *proc_find(pid_t pid)
{
	for (unsigned i = 0; i < PROCS_MAX; i++)
		if (procs[i].pid == pid)
			return &procs[i];
	return NULL;
}

static struct proc *proc_get(pid_t pid)
{
	struct proc *p = proc_find(pid);

	if (p)
		return p;
	p = proc_find(0);
	if (!p) {
		fprintf(stderr, "inject: too many processes\n");
		exit(2);
	}
	*p = (struct proc) { .pid = pid };
	return p;
}

static void proc_go(pid_t pid, int sig)
{
	ptrace(PTRACE_CONT, pid, 0, (long)sig);
}

static void proc_born(struct proc *parent)
{
	struct proc *child;
	unsigned long pid;

	ptrace(PTRACE_GETEVENTMSG, parent->pid, 0, &pid);
	child = proc_get((pid_t)pid);
	child->foreign = parent->foreign;
	if (snprintf(child->role, ROLE_MAX, "%s.%u", parent->role,
		     ++parent->children) >= ROLE_MAX) {
		fprintf(stderr, "inject: too many generations\n");
		exit(2);
	}
	if (child->held) {
		child->held = false;
		proc_go(child->pid, 0);
	}
}

static void call_fail(struct proc *p)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, p->pid, 0, &regs))
		return;
	if (fault.error) {
		regs.orig_rax = (unsigned long long)-1;
		/* brk(2) fails by returning something else than asked for. */
		regs.rax = fault.call == CALL_BRK ? 0 :
			   (unsigned long long)-fault.error;
	} else if (regs.rdx > 1) {
		regs.rdx = regs.rdx / 2;
	}
	ptrace(PTRACE_SETREGS, p->pid, 0, &regs);
	report("injected", "", "");
}

static void call_made(struct proc *p)
{
	unsigned long call;

	ptrace(PTRACE_GETEVENTMSG, p->pid, 0, &call);
	if (call == CALL_PRCTL && !p->foreign)
		counting = true;
	if (!counting || ready || p->foreign)
		return;
	if (call == CALL_WAIT || call == CALL_PWAIT) {
		ready = true;
		report("ready", "", "");
		return;
	}
	if (!fault.role)
		report("call", p->role, calls[call].name);
	else if (call == fault.call && !strcmp(p->role, fault.role) &&
		 ++p->count == fault.nth)
		call_fail(p);
}

/* The root's own exec() is that of the command. */
static void proc_executes(struct proc *p)
{
	p->foreign = counting;
}

static void proc_stopped(struct proc *p, int status)
{
	int sig = WSTOPSIG(status);

	switch (status >> 16) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		proc_born(p);
		break;
	case PTRACE_EVENT_EXEC:
		proc_executes(p);
		break;
	case PTRACE_EVENT_SECCOMP:
		call_made(p);
		break;
	case PTRACE_EVENT_STOP:
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		    sig == SIGTTOU) {
			ptrace(PTRACE_LISTEN, p->pid, 0, 0);
			return;
		}
		p->held = !*p->role;
		if (p->held)
			return;
		break;
	default:
		proc_go(p->pid, sig);
		return;
	}
	proc_go(p->pid, 0);
}

static void watch(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		struct proc *p = proc_get(pid);

		if (WIFSTOPPED(status)) {
			proc_stopped(p, status);
			continue;
		}
		if (WIFSIGNALED(status))
			report_number("signal", p->role, WTERMSIG(status));
		else
			report_number("exit", p->role, WEXITSTATUS(status));
		p->pid = 0;
	}
}

/* --- */

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: inject REPORT UID [ROLE CALL N ERROR|short] "
		"-- CMD [ARG]...\n");
	exit(2);
}

static void fault_parse(char **argv)
{
	fault.role = argv[0];
	while (strcmp(calls[fault.call].name, argv[1]))
		if (++fault.call == ARRAY_SIZE(calls))
			usage();
	fault.nth = (unsigned)atoi(argv[2]);
	fault.error = atoi(argv[3]);
}

int main(int argc, char **argv)
{
	int options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		      PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
		      PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
	int at = argc > 7 && !strcmp(argv[7], "--") ? 7 : 3, barrier[2];
	struct proc *root;
	pid_t pid;

	if (argc < at + 2 || strcmp(argv[at], "--"))
		usage();
	report_fd = atoi(argv[1]);
	if (at == 7)
		fault_parse(argv + 3);
	if (pipe(barrier))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		close(barrier[1]);
		command(barrier[0], (unsigned)atoi(argv[2]), argv + at + 1);
	}
	root = proc_get(pid);
	strcpy(root->role, "0");
	if (ptrace(PTRACE_SEIZE, pid, 0, (long)options))
		fail("ptrace");
	if (write(barrier[1], "g", 1) != 1)
		fail("write");
	close(barrier[0]);
	close(barrier[1]);
	watch();
	return 0;
}
