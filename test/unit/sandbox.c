/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c (test) - what is left of a process that has given things up
 *
 * Each test does it in a child, which then looks at itself, or tries what must
 * not work any more. The child fails by its exit status and says where.
 */
/* links: setup/sandbox setup/seccomp setup/seccomp_debug setup/landlock setup/die
 *	  setup/process setup/leftover setup/hint epoll_ctl log timer util */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/test.h"
#include "util.h"

#define USER	4321
#define FULL	(~(unsigned long long)0)

/* Read once, while /proc is there: by fd, rewound for each look. */
static int status_fd = -1;

static unsigned long long status_value(const char *field)
{
	static char text[8192];
	const char *at;
	ssize_t n = pread(status_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, field);
	return at ? strtoull(at + strlen(field), NULL, 16) : FULL;
}

static bool no_capability_left(void)
{
	return !status_value("CapInh:") && !status_value("CapPrm:") &&
	       !status_value("CapEff:") && !status_value("CapBnd:") &&
	       !status_value("CapAmb:");
}

static bool file_opens(const char *path)
{
	int fd = open(path, O_RDONLY);
	bool opens = fd >= 0;

	close_keep_errno(&fd);
	return opens;
}

/* Whether @body, in a child, finds what it should. */
static bool in_child(void (*body)(void), uid_t uid)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		test_failures = 0;
		if (uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid)))
			_exit(2);
		/* A test runner's child, as an ordinary program would be. */
		prctl(PR_SET_DUMPABLE, 1);
		status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
		body();
		_exit(test_failures || status_fd < 0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static bool userns_allowed(void)
{
	int status = 1;
	pid_t pid = fork();

	if (!pid)
		_exit(!!unshare(CLONE_NEWUSER));
	waitpid(pid, &status, 0);
	return !status;
}

static const struct request plain = { .fd = -1 };

/* At the start, all but the descriptor the test looks through go. */
static void start(int keep)
{
	struct request req = { .fd = keep };

	sandbox_take(SANDBOX_INITIAL, &req);
}

static void take(enum sandbox_stage stage)
{
	sandbox_take(stage, &plain);
}

/* As the VM modes do it. */
static void whole_sandbox(void)
{
	OK(file_opens("/etc/passwd"));
	start(status_fd);
	take(SANDBOX_IDENTITY);
	take(SANDBOX_NAMESPACE);
	take(SANDBOX_FILES);
	take(SANDBOX_FINAL);
	OK(no_capability_left());
	EQ(status_value("NoNewPrivs:"), 1);
	EQ(prctl(PR_GET_DUMPABLE), 0);
	OK(!file_opens("/etc/passwd"));
	OK(!file_opens("/proc/self/status"));
	OK(open("/new", O_CREAT | O_WRONLY, 0600) < 0);
	OK(open("new", O_CREAT | O_WRONLY, 0600) < 0);
	OK(unshare(CLONE_NEWNS) < 0);
	OK(mount("", "/", "tmpfs", 0, NULL) < 0);
}

TEST(an_ordinary_user_ends_without_capabilities_and_files)
{
	if (!userns_allowed())
		SKIP("user namespaces are not allowed here");
	OK(in_child(whole_sandbox, geteuid() ? 0 : USER));
}

static void identity_is_nobodys(void)
{
	gid_t groups[32] = { 1, 2, 3 };

	OK(!setgroups(3, groups));
	whole_sandbox();
	OK(getuid() && geteuid() && getgid() && getegid());
	EQ(getgroups(ARRAY_SIZE(groups), groups), 0);
}

TEST(root_ends_as_nobody_without_capabilities_and_files)
{
	if (geteuid())
		SKIP("not root");
	OK(in_child(identity_is_nobodys, 0));
}

static void runas(const char *text, uid_t uid, gid_t gid)
{
	struct request req = { .fd = -1, .runas = text };
	int status;
	pid_t pid = fork();

	if (!pid) {
		sandbox_take(SANDBOX_IDENTITY, &req);
		_exit(getuid() != uid || geteuid() != uid || getgid() != gid ||
		      getegid() != gid);
	}
	waitpid(pid, &status, 0);
	EQ(status, 0);
}

TEST(runas_takes_numbers_and_names_of_users_and_groups)
{
	if (geteuid())
		SKIP("not root");
	runas("4321", 4321, 4321);
	runas("4321:77", 4321, 77);
	runas("0", 0, 0);
	runas("0:5", 0, 5);
	runas("nobody", 65534, 65534);
	runas("nobody:0", 65534, 0);
	runas("4321:root", 4321, 0);
}

/* Status of die(), and its message not for the log of the test. */
static int runas_fails(const char *text)
{
	struct request req = { .fd = -1, .runas = text };
	int status;
	pid_t pid = fork();

	if (!pid) {
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		sandbox_take(SANDBOX_IDENTITY, &req);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

TEST(runas_refuses_what_names_nobody)
{
	EQ(runas_fails(""), 1);
	EQ(runas_fails(":"), 1);
	EQ(runas_fails("root"), 1);	/* 0 has to be meant */
	EQ(runas_fails("no-such-user"), 1);
	EQ(runas_fails("1:no-such-group"), 1);
	EQ(runas_fails("1:"), 1);
	EQ(runas_fails("-1"), 1);
	EQ(runas_fails("4294967295"), 1);	/* means "unchanged" */
}

static void initial_only(void)
{
	int pair[2], other;

	OK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	other = dup2(pair[0], 100);
	EQ(other, 100);
	start(pair[1]);
	OK(fcntl(pair[1], F_GETFD) >= 0);
	OK(fcntl(pair[0], F_GETFD) < 0);
	OK(fcntl(other, F_GETFD) < 0);
	OK(fcntl(status_fd, F_GETFD) < 0);
	for (int fd = 0; fd <= 2; fd++)
		OK(fcntl(fd, F_GETFD) >= 0);
}

TEST(of_inherited_descriptors_stdio_and_the_named_one_stay)
{
	OK(in_child(initial_only, 0));
}

/* As of somebody who is root in a container, say, and gives all of it on. */
static void inherit_capabilities(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2] = { 0 };

	OK(!syscall(SYS_capget, &h, d));
	for (unsigned i = 0; i < ARRAY_SIZE(d); i++)
		d[i].inheritable = d[i].permitted;
	OK(!syscall(SYS_capset, &h, d));
	OK(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE,
		  0, 0));
	OK(status_value("CapInh:") && status_value("CapAmb:"));
}

static void initial_capabilities(void)
{
	const unsigned long long no_use = 1ull << CAP_SYS_MODULE |
		1ull << CAP_SYS_RAWIO | 1ull << CAP_CHOWN | 1ull << CAP_KILL;

	inherit_capabilities();
	start(status_fd);
	EQ(status_value("CapPrm:") & no_use, 0);
	EQ(status_value("CapEff:") & no_use, 0);
	EQ(status_value("CapBnd:") & no_use, 0);
	EQ(status_value("CapInh:"), 0);
	EQ(status_value("CapAmb:"), 0);
	OK(status_value("CapEff:") & 1ull << CAP_NET_BIND_SERVICE);
}

TEST(root_gives_up_at_once_what_set_up_does_not_need)
{
	if (geteuid())
		SKIP("not root");
	OK(in_child(initial_capabilities, 0));
}

/* Closed for good, it cannot even look at itself: who waits looks at it, while
 * it waits for us. */
static void (*close_for_good)(void);
static int waits_at;

static void closed(void)
{
	struct msghdr none = { 0 };

	start(waits_at);
	take(SANDBOX_IDENTITY);
	close_for_good();
	(void)recvmsg(waits_at, &none, 0);
}

/* Looked at from outside; true: it got there, and ended when we let it. */
static bool closed_for_good(void (*how)(void), void (*look)(void))
{
	int pair[2], status = -1;
	char path[64];
	pid_t pid;

	OK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	close_for_good = how;
	waits_at = pair[1];
	pid = fork();
	if (!pid) {
		close_keep_errno(&pair[0]);
		if (!geteuid() && (setgid(USER) || setuid(USER)))
			_exit(2);
		prctl(PR_SET_DUMPABLE, 1);
		closed();
		_exit(0);
	}
	close_keep_errno(&pair[1]);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status_fd = open(path, O_RDONLY | O_CLOEXEC);
	for (unsigned i = 0; i < 200 && status_value("Seccomp:") != 2; i++)
		usleep(10000);
	look();
	close_keep_errno(&status_fd);
	close_keep_errno(&pair[0]);
	return waitpid(pid, &status, 0) == pid && !status;
}

static void as_agent(void)
{
	static const struct request pasta = { .fd = -1, .mode = MODE_PASTA };

	OK(!unshare(CLONE_NEWUSER));
	sandbox_take(SANDBOX_NAMESPACE, &pasta);
	sandbox_agent(&pasta);
}

static void agent_keeps_low_ports(void)
{
	EQ(status_value("CapPrm:"), 1ull << CAP_NET_BIND_SERVICE);
	EQ(status_value("CapEff:"), 1ull << CAP_NET_BIND_SERVICE);
	EQ(status_value("CapBnd:"), 0);
	EQ(status_value("CapInh:"), 0);
	EQ(status_value("NoNewPrivs:"), 1);
	EQ(status_value("Seccomp:"), 2);
}

TEST(the_agent_keeps_the_right_to_bind_low_ports_and_no_other)
{
	if (!userns_allowed())
		SKIP("user namespaces are not allowed here");
	OK(closed_for_good(as_agent, agent_keeps_low_ports));
}

static void as_daemon(void)
{
	take(SANDBOX_NAMESPACE);
	take(SANDBOX_FILES);
	take(SANDBOX_FINAL);
	take(SANDBOX_RUNNING);
}

static void daemon_keeps_nothing(void)
{
	OK(no_capability_left());
	EQ(status_value("NoNewPrivs:"), 1);
	EQ(status_value("Seccomp:"), 2);
}

TEST(the_daemon_keeps_its_own_system_calls_and_no_capability)
{
	if (!userns_allowed())
		SKIP("user namespaces are not allowed here");
	OK(closed_for_good(as_daemon, daemon_keeps_nothing));
}

/* Without capabilities nothing can be mounted: Landlock has to do. Reading
 * /proc goes on working for descriptors that are open. */
static void no_mount(void)
{
	start(status_fd);
	OK(file_opens("/etc/passwd"));
	take(SANDBOX_FILES);
	take(SANDBOX_FINAL);
	EQ(status_value("NoNewPrivs:"), 1);
	OK(!file_opens("/etc/passwd"));
	OK(!file_opens("/tmp"));
}

static bool landlock_there(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

TEST(where_mounting_is_denied_landlock_keeps_files_closed)
{
	if (!landlock_there())
		SKIP("no Landlock in this kernel");
	OK(in_child(no_mount, geteuid() ? 0 : USER));
}

static void no_mount_no_landlock(void)
{
	start(status_fd);
	take(SANDBOX_FILES);
	take(SANDBOX_FINAL);
	EQ(status_value("CapEff:"), 0);
	EQ(status_value("NoNewPrivs:"), 1);
	EQ(prctl(PR_GET_DUMPABLE), 0);
}

TEST(where_nothing_is_allowed_set_up_goes_on)
{
	OK(in_child(no_mount_no_landlock, geteuid() ? 0 : USER));
}
