/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: setup/sandbox setup/seccomp setup/seccomp_debug setup/landlock setup/die
 *	  setup/process setup/leftover setup/hint epoll_ctl log timer util */
/* wrap: landlock_close seccomp_close */
/* sandbox_barred.c - what an attacker would try, and what keeps it from working
 *
 * Each attempt is made by a process that went through the real steps, in
 * surroundings which deny some of them: so many levels. The table says what
 * bars an attempt; where at least one of these is in place it must fail, and
 * where none is it must work, which tells that the attempt is one.
 */
#include "setup/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "test/unit/test.h"
#include "util.h"

#define USER	4321

/* What can be in the way. */
enum {
	FILTER	 = 1 << 0,	/* list of system calls */
	ROOT	 = 1 << 1,	/* empty root filesystem */
	LANDLOCK = 1 << 2,
	SCOPE	 = 1 << 3,	/* Landlock's, version 6 */
	USERNS	 = 1 << 4,	/* a user namespace of its own, the last */
	CAPS	 = 1 << 5,	/* no capabilities: always */
	LIMITS	 = 1 << 6,	/* RLIMIT_NPROC and others: always */
};
#define ALWAYS	(CAPS | LIMITS)

/* Where one number stands for all calls about sockets, the filter does not see
 * which family or option: doc/security.md. */
#ifdef SYS_socketcall
#define SOCKETS	0
#else
#define SOCKETS	FILTER
#endif

/* --- what the attempts are made at --- */

static char file[64];		/* there is such a file, for everybody */
static pid_t victim;		/* of the same user */
static char secret[] = "secret";
static int victims_netns = -1;
static char abstract[32];	/* a socket listens there */

/* --- attempts: 0 it worked, or what it got --- */

static int result(long rc)
{
	return rc < 0 ? -errno : 0;
}

static int open_file(void) { return result(open(file, O_RDONLY)); }
static int open_above(void) { return result(open("..", O_RDONLY)); }
static int change_mode(void) { return result(chmod(file, 0666)); }

static int make_file(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.new", file);
	return result(open(path, O_CREAT | O_WRONLY, 0600)) ?: unlink(path);
}

static int make_link(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.link", file);
	return result(symlink("/", path)) ?: unlink(path);
}

static int run_program(void)
{
	char *argv[] = { "sh", "-c", "exit 10", NULL };	/* WORKED */

	return result(execve("/bin/sh", argv, NULL));
}

static int make_process(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return result(pid);
}

static int make_userns(void) { return result(unshare(CLONE_NEWUSER)); }
static int make_mountns(void) { return result(unshare(CLONE_NEWNS)); }
static int make_netns(void) { return result(unshare(CLONE_NEWNET)); }
static int enter_netns(void) { return result(setns(victims_netns, 0)); }
static int change_root(void) { return result(chroot("/")); }
/* No name is that long: whoever may change it gets as far as that. */
static int change_host_name(void)
{
	char name[300] = "";
	int rc = result(sethostname(name, sizeof(name)));

	return rc == -EINVAL ? 0 : rc;
}

static int become_root(void) { return result(setuid(0)); }
static int mark_packets(void)
{
	const int mark = 1;
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       IPPROTO_UDP);

	return result(setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
}

/* No such type of filesystem: whoever may mount gets as far as that. */
static int mount_something(void)
{
	int rc = result(mount("", "/", "no-such-type", 0, NULL));

	return rc == -ENODEV ? 0 : rc;
}

static int trace_process(void)
{
	return result(ptrace(PTRACE_SEIZE, victim, NULL, NULL));
}

static int read_process(void)
{
	char buf[sizeof(secret)];
	struct iovec ours = { buf, sizeof(buf) };
	struct iovec theirs = { secret, sizeof(secret) };

	return result(process_vm_readv(victim, &ours, 1, &theirs, 1, 0));
}

static int signal_process(void) { return result(kill(victim, 0)); }
static int find_process(void)
{
	return result(syscall(SYS_pidfd_open, victim, 0));
}

static int connect_abstract(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sa.sun_path + 1, abstract, strlen(abstract));
	return result(s < 0 ? s : connect(s, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			    strlen(abstract))));
}

static int unix_socket(void) { return result(socket(AF_UNIX, SOCK_DGRAM, 0)); }
static int netlink(void) { return result(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int packets(void) { return result(socket(AF_PACKET, SOCK_RAW, 0)); }
static int raw(void) { return result(socket(AF_INET, SOCK_RAW, 1)); }

static int ring(void)
{
	uint8_t params[256] = { 0 };

	return result(syscall(SYS_io_uring_setup, 1, params));
}

static int executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int file_in_memory(void) { return result(memfd_create("", 0)); }
static int type_at_terminal(void)
{
	int rc = result(ioctl(0, TIOCSTI, ""));

	return rc == -ENOTTY || rc == -EIO ? 0 : rc;
}

static int filter_socket(void)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       IPPROTO_UDP), len = 0;
	int rc = result(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &len, 4));

	return rc == -EINVAL ? 0 : rc;
}

static int key(void)
{
	return result(syscall(SYS_add_key, "user", "k", "v", 1, -3));
}

static int become_dumpable(void) { return result(prctl(PR_SET_DUMPABLE, 1)); }

static const struct attempt {
	const char *what;
	int (*make)(void);
	unsigned barred_by;
} attempts[] = {
	{ "open a file",	    open_file,	  FILTER | ROOT | LANDLOCK },
	{ "open a folder",	    open_above,	  FILTER | LANDLOCK },
	{ "make a file",	    make_file,	  FILTER | ROOT | LANDLOCK },
	{ "make a link",	    make_link,	  FILTER | ROOT | LANDLOCK },
	{ "change a file's mode",   change_mode,  FILTER | ROOT },
	{ "run a program",	    run_program,  FILTER | ROOT | LANDLOCK },
	{ "make a process",	    make_process, FILTER | LIMITS },
	{ "make a user namespace",  make_userns,  FILTER | USERNS },
	{ "make a mount namespace", make_mountns, FILTER | CAPS },
	{ "make a network",	    make_netns,	  FILTER | CAPS },
	{ "enter another network",  enter_netns,  FILTER | CAPS },
	{ "change root",	    change_root,  FILTER | CAPS },
	{ "change the host's name", change_host_name, FILTER | CAPS },
	{ "mount",		    mount_something, FILTER | CAPS },
	{ "become root",	    become_root,  FILTER | CAPS },
	{ "mark packets",	    mark_packets, SOCKETS | CAPS },
	{ "trace a process",	    trace_process, FILTER | LANDLOCK | USERNS },
	{ "read a process",	    read_process, FILTER | LANDLOCK | USERNS },
	{ "signal a process",	    signal_process, FILTER | SCOPE },
	{ "get hold of a process",  find_process, FILTER },
	{ "connect to abstract",    connect_abstract, SOCKETS | SCOPE },
	{ "a UNIX socket",	    unix_socket,  SOCKETS },
	{ "a netlink socket",	    netlink,	  SOCKETS },
	{ "a packet socket",	    packets,	  SOCKETS | CAPS },
	{ "a raw socket",	    raw,	  SOCKETS | CAPS },
	{ "an io_uring",	    ring,	  FILTER },
	{ "executable memory",	    executable_memory, FILTER },
	{ "a file in memory",	    file_in_memory, FILTER },
	{ "type at a terminal",	    type_at_terminal, FILTER },
	{ "a filter on a socket",   filter_socket, SOCKETS },
	{ "a key",		    key,	  FILTER },
	{ "become dumpable",	    become_dumpable, FILTER },
};

/* How an attempt ends, and no other program, or die(). */
enum outcome { WORKED = 10, FAILED_, ENDED, ABSENT, BROKEN };

static const char *const outcome_words[] = {
	[WORKED] = "works", [FAILED_] = "fails", [ENDED] = "ends it",
	[ABSENT] = "is nothing this kernel knows", [BROKEN] = "was not tried",
};

static int exit_status(int rc)
{
	return !rc ? WORKED : rc == -ENOSYS ? ABSENT : FAILED_;
}

/* --- levels --- */

static unsigned in_place;	/* at the level under test */

int __real_landlock_close(void);
int __wrap_landlock_close(void);
int __real_seccomp_close(unsigned who);
int __wrap_seccomp_close(unsigned who);

int __wrap_landlock_close(void)
{
	return in_place & LANDLOCK ? __real_landlock_close() : -EOPNOTSUPP;
}

int __wrap_seccomp_close(unsigned who)
{
	return in_place & FILTER ? __real_seccomp_close(who) : 0;
}

static struct request req = { .fd = -1 };

static void become_user(void)
{
	if (!geteuid() && (setgroups(0, NULL) || setresgid(USER, USER, USER) ||
			   setresuid(USER, USER, USER)))
		_exit(BROKEN);
	prctl(PR_SET_DUMPABLE, 1);
}

/* passt, started by an ordinary user. */
static void as_user(void)
{
	become_user();
	sandbox_take(SANDBOX_IDENTITY, &req);
	if (in_place & USERNS)
		sandbox_take(SANDBOX_NAMESPACE, &req);
	if (in_place & ROOT)
		sandbox_take(SANDBOX_FILES, &req);
	sandbox_take(SANDBOX_FINAL, &req);
	sandbox_take(SANDBOX_RUNNING, &req);
}

/* The same, with all that it may write. */
static void as_user_with_files(void)
{
	req.log_file = "log";
	req.pcap = "pcap";
	as_user();
}

/* pasta, in a user namespace: netns.c makes it, or joins one. */
static void as_pasta(void)
{
	req.mode = MODE_PASTA;
	become_user();
	sandbox_take(SANDBOX_IDENTITY, &req);
	if (unshare(CLONE_NEWUSER))
		_exit(BROKEN);
	sandbox_take(SANDBOX_NAMESPACE, &req);
	sandbox_take(SANDBOX_FILES, &req);
	sandbox_take(SANDBOX_FINAL, &req);
	sandbox_take(SANDBOX_RUNNING, &req);
}

static void as_pasta_attached(void)
{
	req.pid = 4711;
	as_pasta();
}

/* pasta with --netns and --runas, started by root: no user namespace. */
static void as_root_runas(void)
{
	req.mode = MODE_PASTA;
	req.netns = "/run/netns/somewhere";
	req.runas = "4321";
	sandbox_take(SANDBOX_IDENTITY, &req);
	sandbox_take(SANDBOX_NAMESPACE, &req);
	sandbox_take(SANDBOX_FILES, &req);
	sandbox_take(SANDBOX_FINAL, &req);
	sandbox_take(SANDBOX_RUNNING, &req);
}

/* The same where "/" is not the root of its namespace. */
static void as_root_in_chroot(void)
{
	if (chroot("/tmp") || chdir("/"))
		_exit(BROKEN);
	memmove(file, strrchr(file, '/'), strlen(strrchr(file, '/')) + 1);
	as_root_runas();
}

static void as_nobody_in_particular(void)
{
	become_user();
}

static void as_agent(void)
{
	req.mode = MODE_PASTA;
	become_user();
	if (unshare(CLONE_NEWUSER))
		_exit(BROKEN);
	sandbox_take(SANDBOX_NAMESPACE, &req);
	sandbox_agent(&req);
}

static void as_reader(void)
{
	become_user();
	sandbox_take(SANDBOX_IDENTITY, &req);
	sandbox_take(SANDBOX_NAMESPACE, &req);
	sandbox_take(SANDBOX_FILES, &req);
	sandbox_reader();
}

/* --- one attempt --- */

static enum outcome try(void (*enter)(void), const struct attempt *a)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* What is said about missing steps is of no interest. */
		log_threshold = LOG_LVL_ERR;
		enter();
		_exit(exit_status(a->make()));
	}
	if (waitpid(pid, &status, 0) != pid)
		return BROKEN;
	if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) ||
	    (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGSYS))
		return ENDED;
	if (!WIFEXITED(status) || WEXITSTATUS(status) < WORKED ||
	    WEXITSTATUS(status) > ABSENT)
		return BROKEN;
	return WEXITSTATUS(status);
}

static void level(const char *name, void (*enter)(void), unsigned bars)
{
	for (unsigned i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];
		enum outcome want = a->barred_by & bars & FILTER ? ENDED :
			a->barred_by & bars ? FAILED_ : WORKED, got;

		in_place = bars;
		got = try(enter, a);
		if (got != ABSENT && !OK(got == want))
			printf("  %s: to %s %s\n", name, a->what,
			       outcome_words[got]);
	}
}

/* --- what they are made at --- */

static void prepare(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[64];
	int fd, s;

	if (victim)
		return;
	strcpy(file, "/tmp/barred.file.XXXXXX");
	fd = mkstemp(file);
	OK(fd >= 0 && !fchmod(fd, 0644));
	OK(geteuid() || !fchown(fd, USER, USER));
	close_keep_errno(&fd);

	snprintf(abstract, sizeof(abstract), "barred-%d", (int)getpid());
	memcpy(sa.sun_path + 1, abstract, strlen(abstract));
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	OK(!bind(s, (struct sockaddr *)&sa,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     strlen(abstract))) && !listen(s, 100));

	victim = fork();
	if (!victim) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become_user();
		pause();
		_exit(0);
	}
	usleep(20000);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)victim);
	victims_netns = open(path, O_RDONLY | O_CLOEXEC);
}

static void clean_up(void)
{
	kill(victim, SIGKILL);
	unlink(file);
}

static bool works(int (*what)(void))
{
	int status = 1;
	pid_t pid = fork();

	if (!pid) {
		become_user();
		_exit(!!what());
	}
	waitpid(pid, &status, 0);
	return !status;
}

static unsigned landlock_bars(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0,
			 LANDLOCK_CREATE_RULESET_VERSION);

	return v < 1 ? 0 : v < 6 ? LANDLOCK : LANDLOCK | SCOPE;
}

static bool for_tools(void)
{
	const char *name[CALLS_MAX];

	return seccomp_names(TOOL, name);
}

/* Nothing is barred yet, but what needs capabilities. */
TEST(the_attempts_work_where_nothing_bars_them)
{
	if (!works(make_userns))
		SKIP("user namespaces are not allowed here");
	prepare();
	level("a user", as_nobody_in_particular, CAPS);
}

TEST(with_everything_in_place_each_attempt_ends_the_daemon)
{
	if (for_tools())
		SKIP("this build allows a tool's system calls");
	level("user, all", as_user,
	      FILTER | ROOT | USERNS | landlock_bars() | ALWAYS);
}

/* With each list of system calls that there is. */
TEST(in_every_mode_each_attempt_ends_the_daemon)
{
	const unsigned bars = ROOT | USERNS | landlock_bars() | ALWAYS;

	if (for_tools() || !works(make_userns))
		SKIP("a tool's build, or no user namespaces");
	level("user, files", as_user_with_files, bars | FILTER);
	level("pasta, command", as_pasta, bars | FILTER);
	level("pasta, attached", as_pasta_attached, bars | FILTER);
	level("pasta, no filter", as_pasta, bars);
}

TEST(the_filter_alone_bars_everything)
{
	if (for_tools())
		SKIP("this build allows a tool's system calls");
	level("user, filter", as_user, FILTER | ALWAYS);
}

TEST(without_the_filter_what_it_alone_bars_works_and_no_more)
{
	if (!works(make_userns))
		SKIP("user namespaces are not allowed here");
	level("user, no filter", as_user,
	      ROOT | USERNS | landlock_bars() | ALWAYS);
}

TEST(an_empty_root_does_without_landlock)
{
	if (!works(make_userns))
		SKIP("user namespaces are not allowed here");
	level("user, empty root", as_user, ROOT | USERNS | ALWAYS);
}

TEST(landlock_does_without_an_empty_root)
{
	if (!landlock_bars())
		SKIP("no Landlock in this kernel");
	level("user, Landlock", as_user, landlock_bars() | ALWAYS);
}

TEST(the_agent_ends_at_each_attempt)
{
	if (for_tools() || !works(make_userns))
		SKIP("a tool's build, or no user namespaces");
	level("agent", as_agent,
	      FILTER | ROOT | landlock_bars() | ALWAYS);
	/* In a user namespace like this one. */
	level("agent, no filter", as_agent,
	      ROOT | USERNS | landlock_bars() | ALWAYS);
}

/* But for opening a file with exactly its flags, which is what it is for. */
TEST(the_reader_ends_at_each_attempt)
{
	if (for_tools() || !works(make_userns))
		SKIP("a tool's build, or no user namespaces");
	level("reader", as_reader, FILTER | ROOT | USERNS | ALWAYS);
	level("reader, no filter", as_reader, ROOT | USERNS | ALWAYS);
}

TEST(root_with_runas_is_barred_like_a_user)
{
	const unsigned bars = ROOT | landlock_bars() | ALWAYS;

	if (geteuid() || for_tools())
		SKIP("not root, or a tool's build");
	level("--runas", as_root_runas, bars);
	level("--runas, all", as_root_runas, bars | FILTER);
}

TEST(in_a_chroot_what_can_be_done_is_done)
{
	const unsigned bars = landlock_bars() | ALWAYS;

	if (geteuid() || for_tools())
		SKIP("not root, or a tool's build");
	level("chroot, all", as_root_in_chroot, bars | FILTER);
}

/* What one that was ended by its filter has said. */
static size_t last_words(char *text, size_t size)
{
	const struct log_config cfg = {
		.ident = "debug", .level = LOG_LVL_ERR, .to_stderr = true,
	};
	int fd[2], status;
	ssize_t n = 0;
	pid_t pid;

	OK(!pipe(fd));
	in_place = FILTER | ALWAYS;
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		log_start(&cfg, "");
		as_user();
		executable_memory();
		_exit(0);
	}
	close_keep_errno(&fd[1]);
	OK(waitpid(pid, &status, 0) == pid && status);
	n = read(fd[0], text, size - 1);
	close_keep_errno(&fd[0]);
	text[MAX(n, 0)] = '\0';
	return (size_t)MAX(n, 0);
}

TEST(a_build_for_debugging_names_the_call)
{
	char text[4096];

	if (for_tools())
		SKIP("this build allows a tool's system calls");
	last_words(text, sizeof(text));
	if (seccomp_verdict() == SECCOMP_RET_KILL_PROCESS)
		OK(!strstr(text, "mmap"));
	else
		OK(strstr(text, "system call mmap"));
}

TEST(nothing_is_left_behind)
{
	clean_up();
	OK(access(file, F_OK));
}
