/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns.c - pasta's namespaces: made or joined, watched, left to the agent
 *
 * Every entry into a network namespace costs milliseconds, so there is one,
 * and where a command is run even none: the agent is born into the namespace,
 * and the command is born of the agent, but as a child of the daemon
 * (CLONE_PARENT), who thus learns its exit status.
 *
 *	daemon			agent			command
 *	user namespace
 *	fork ------------------> new network namespace
 *	  (waits)		clone ---------------> /proc, host name
 *				tap, addresses		waits at the
 *	tap, diag, or error <--- one message		barrier (a pipe)
 *	sandbox			sandbox, serve		  :
 *	one byte ---------------------------------->	execvp()
 *
 * The daemon never enters. The agent ends with it: its socket reads end of
 * file, and PR_SET_PDEATHSIG covers the rest; it holds no descriptor of the
 * caller's, so that nobody waits for a pipe it keeps open. The command is
 * killed with the daemon while it waits, not later: see netns_spawn.c. How a
 * namespace that was joined is seen to end: netns_watch.c.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "diag.h"
#include "log.h"
#include "util.h"

/* What a user takes for a namespace may be a pipe, which nobody writes to. */
#define NS_OPEN_FLAGS	(O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define VNET_HDR_LEN	12	/* virtio_net_hdr_v1, as vhost-user has it */

#ifndef TUN_F_USO4		/* Linux 6.2 */
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

SYSCALLS(pasta: read, wait4, agent: exit_group);

/* What the agent reports, with tap and diag descriptors, or why it could not.
 * Only what the agent learns is valid in @ns. */
struct report {
	char err[ERR_MAX];	/* "": it could */
	struct netns ns;
	bool enabled[FAM_COUNT];
	bool has_tap;
};

/* What the agent is to do: it inherits all of it. */
struct plan {
	const struct request *req;
	struct conf *c;
	const char *netns_path;	/* to join, or NULL: a new one */
	int netns_fd;		/* the same, open */
	int host_netlink;
	int sock;		/* the agent's end */
	int barrier[2];		/* of the command: read, write */
};

static pid_t command_pid, agent_pid;
static int child_fd = -1;	/* signalfd for SIGCHLD */

/* --- user namespace --- */

static bool same_namespace(int fd, const char *own)
{
	struct stat theirs, ours;

	return !fstat(fd, &theirs) && !stat(own, &ours) &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static void userns_join(const char *path)
{
	int fd = open(path, NS_OPEN_FLAGS);

	if (fd < 0)
		die("Couldn't open user namespace %s: %s%s", path,
		    strerror(errno), hint(HINT_USERNS_OPEN, errno));
	/* To enter one's own is an error, and no news. */
	if (!same_namespace(fd, "/proc/self/ns/user") &&
	    setns(fd, CLONE_NEWUSER))
		die("Couldn't enter user namespace %s: %s%s", path,
		    strerror(errno), hint(HINT_USERNS_JOIN, errno));
	close_keep_errno(&fd);
}

static void userns_write(const char *path, const char *text)
{
	int rc = write_file(path, text);

	if (rc)
		warn("Couldn't write '%s' to %s: %s", text, path,
		     strerror(-rc));
}

/* Root there is who we are here. */
static void userns_create(void)
{
	char uid[64], gid[64];

	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER))
		die("Couldn't create user namespace: %s%s", strerror(errno),
		    hint(HINT_USERNS, errno));
	/* After a change of identity, or with file capabilities, our own
	 * files below /proc are root's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	userns_write("/proc/self/uid_map", uid);
	userns_write("/proc/self/setgroups", "deny");
	userns_write("/proc/self/gid_map", gid);
}

static void userns_setup(const struct request *req)
{
	char path[PATH_MAX];

	if (req->userns) {
		userns_join(req->userns);
	} else if (req->netns_only || req->netns) {
		return;
	} else if (req->pid) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)req->pid);
		userns_join(path);
	} else {
		userns_create();
	}
}

/* --- in the agent: one report --- */

static void report_send(int sock, const struct report *rep, const int *fd,
			unsigned cnt)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)rep, sizeof(*rep) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (cnt) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(cnt * sizeof(*fd));
		memcpy(CMSG_DATA(&control.align), fd, cnt * sizeof(*fd));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(cnt * sizeof(*fd));
	}
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			_exit(errno);	/* see report_missing() */
}

/* The daemon says it, and ends: one message, and one place for the PID file
 * and the exit status to be right. */
static _Noreturn void report_failure(const struct plan *plan, const char *fmt,
				     ...) PRINTF(2, 3);

static void report_failure(const struct plan *plan, const char *fmt, ...)
{
	struct report rep = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rep.err, sizeof(rep.err), fmt, ap);
	va_end(ap);
	report_send(plan->sock, &rep, NULL, 0);
	_exit(EXIT_FAILURE);
}

/* --- in the agent: the tap --- */

/* What the kernel may hand us unfinished, most of it first. */
static const struct {
	unsigned flags;
	bool csum, tso, uso;
} offloads[] = {
	{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6,
	  true, true, true },
	{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, true, true, false },
	{ TUN_F_CSUM, true, false, false },
	{ 0, false, false, false },
};

static void tap_offload(struct netns *ns)
{
	unsigned i = 0;

	while (ioctl(ns->tap_fd, TUNSETOFFLOAD, offloads[i].flags)) {
		if (++i == ARRAY_SIZE(offloads))
			return;
	}
	ns->tap_csum = offloads[i].csum;
	ns->tap_tso4 = ns->tap_tso6 = offloads[i].tso;
	ns->tap_uso = offloads[i].uso;
}

static int tap_create(struct netns *ns, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int hdr_len = VNET_HDR_LEN;

	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	if (!ioctl(ns->tap_fd, TUNSETIFF, &ifr)) {
		if (ioctl(ns->tap_fd, TUNSETVNETHDRSZ, &hdr_len))
			return -errno;
		ns->tap_vnet = true;
		tap_offload(ns);
		return 0;
	}
	if (errno != EINVAL)
		return -errno;
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	return ioctl(ns->tap_fd, TUNSETIFF, &ifr) ? -errno : 0;
}

static void tap_open(const struct plan *plan, struct netns *ns)
{
	const char *name = plan->c->tap_name;
	int rc;

	ns->tap_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (ns->tap_fd < 0)
		report_failure(plan, "Couldn't open /dev/net/tun: %s%s",
			       strerror(errno), hint(HINT_TUN, errno));
	rc = tap_create(ns, name);
	if (rc)
		report_failure(plan, "Couldn't create interface %s "
			       "(TUNSETIFF): %s%s", name, strerror(-rc),
			       hint(HINT_TAP, -rc));
	ns->tap_ifindex = if_nametoindex(name);
	if (!ns->tap_ifindex)
		report_failure(plan, "Couldn't find interface %s: %s", name,
			       strerror(errno));
}

/* --- in the agent: all of it --- */

static void agent_enter(const struct plan *plan)
{
	if (!plan->netns_path) {
		if (unshare(CLONE_NEWNET))
			report_failure(plan, "Couldn't create network "
				       "namespace: %s%s", strerror(errno),
				       hint(HINT_NETNS, errno));
		return;
	}
	if (setns(plan->netns_fd, CLONE_NEWNET))
		report_failure(plan, "Couldn't enter network namespace %s: "
			       "%s%s", plan->netns_path, strerror(errno),
			       hint(HINT_NETNS_JOIN, errno));
}

static void agent_configure(const struct plan *plan, struct netns *ns)
{
	char why[ERR_MAX];
	int ns_netlink = netlink_open();

	if (ns_netlink < 0)
		report_failure(plan, "Couldn't open netlink socket: %s",
			       strerror(-ns_netlink));
	if (!netlink_configure(plan->c, plan->host_netlink, ns_netlink,
			       ns->tap_ifindex, &ns->tap_mac, why))
		report_failure(plan, "%s", why);
	close_keep_errno(&ns_netlink);

	ns->diag_fd = diag_open();
	if (ns->diag_fd < 0)
		report_failure(plan, "Couldn't open sock_diag socket: %s",
			       strerror(-ns->diag_fd));
}

static void agent_prepare(const struct plan *plan, struct netns *ns)
{
	agent_enter(plan);
	if (process_spawns(plan->req)) {
		ns->child = netns_spawn(plan->req, plan->barrier, plan->sock);
		if (ns->child < 0)
			report_failure(plan, "Couldn't create a process with "
				       "PID, mount, IPC and UTS namespaces: %s%s",
				       strerror(-ns->child),
				       hint(HINT_FORK, (int)-ns->child));
	}
	if (!plan->req->splice_only)
		tap_open(plan, ns);
	agent_configure(plan, ns);
}

/* Own session: what the terminal sends is for the command, and stopping it
 * must not stop us. Nothing stays open but the socket: not the caller's
 * pipes, not the daemon's listeners. No number is given to something else,
 * as the log would write there: what it says from now on is lost.
 *
 * In a namespace of our own, the tap stays too. Whoever closes it last waits
 * until the kernel has taken the interface apart, tens of milliseconds: that
 * is then the agent, instead of the daemon, whose caller waits. A namespace of
 * others must be free for a new interface as soon as the daemon is gone. */
static void agent_detach(const struct plan *plan, int tap_fd)
{
	setsid();
	process_stdio_drop();
	sandbox_descriptors(plan->sock,
			    process_spawns(plan->req) ? tap_fd : -1);
}

static _Noreturn void agent_main(const struct plan *plan)
{
	struct report rep = { .ns.tap_fd = -1, .ns.diag_fd = -1 };
	int fd[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "pasta-agent");
	agent_prepare(plan, &rep.ns);

	for (enum fam fam = 0; fam < FAM_COUNT; fam++)
		rep.enabled[fam] = plan->c->net[fam].enabled;
	rep.has_tap = rep.ns.tap_fd >= 0;
	fd[0] = rep.ns.diag_fd;
	fd[1] = rep.ns.tap_fd;
	report_send(plan->sock, &rep, fd, rep.has_tap ? 2 : 1);

	agent_detach(plan, rep.ns.tap_fd);
	sandbox_agent(plan->req);
	agent_serve(plan->sock);
	_exit(EXIT_SUCCESS);
}

/* --- in the daemon --- */

/* The agent is gone, and its exit status is the errno that kept it from saying
 * why. */
static _Noreturn void report_missing(void)
{
	int status = 0;

	if (waitpid(agent_pid, &status, 0) == agent_pid && WIFSIGNALED(status))
		die("The process in the namespace was ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	die("The process in the namespace couldn't report: %s",
	    strerror(WEXITSTATUS(status)));
}

static void report_receive(struct report *rep, int sock, int fd[2])
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { rep, sizeof(*rep) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		die("Couldn't hear from the process in the namespace: %s",
		    strerror(errno));
	if (n != sizeof(*rep))
		report_missing();
	if (*rep->err)
		die("%s", rep->err);
	c = CMSG_FIRSTHDR(&msg);
	if (!c || msg.msg_flags & MSG_CTRUNC ||
	    c->cmsg_len != CMSG_LEN((rep->has_tap ? 2 : 1) * sizeof(int)))
		die("Couldn't receive descriptors from the namespace");
	memcpy(fd, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
}

static void agent_result(struct netns *ns, struct conf *c, int sock)
{
	struct report rep = { 0 };
	int fd[2] = { -1, -1 };

	report_receive(&rep, sock, fd);
	*ns = rep.ns;
	ns->diag_fd = fd[0];
	ns->tap_fd = fd[1];
	for (enum fam fam = 0; fam < FAM_COUNT; fam++)
		c->net[fam].enabled = rep.enabled[fam];
}

static const char *netns_path(const struct request *req, char buf[PATH_MAX])
{
	if (process_spawns(req))
		return NULL;
	if (req->pid) {
		snprintf(buf, PATH_MAX, "/proc/%d/ns/net", (int)req->pid);
		return buf;
	}
	if (strchr(req->netns, '/'))
		return req->netns;
	snprintf(buf, PATH_MAX, "/run/netns/%s", req->netns);
	return buf;
}

/* First as who we are, then as root of the user namespace: the one may not be
 * allowed to look at the namespace, the other not at the path to it. */
static int netns_open(const char *path, bool again)
{
	int fd = path ? open(path, NS_OPEN_FLAGS) : -1;

	if (path && fd < 0 && (again || errno == ENOENT))
		die("Couldn't open network namespace %s: %s%s", path,
		    strerror(errno), hint(HINT_NETNS_OPEN, errno));
	return fd;
}

static void child_watch(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (child_fd < 0 ||
	    loop_add(child_fd, EPOLLIN, (struct ev) { .kind = EV_CHILD }))
		die("Couldn't watch child processes: %s", strerror(errno));
}

void netns_setup(struct netns *ns, struct conf *c, const struct request *req)
{
	struct plan plan = { .req = req, .c = c };
	char buf[PATH_MAX];
	int pair[2], watch_fd;

	if (process_spawns(req))
		terminal_find();
	plan.netns_path = netns_path(req, buf);
	plan.netns_fd = netns_open(plan.netns_path, false);
	watch_fd = netns_watch_open(plan.netns_path, req);
	userns_setup(req);
	sandbox_take(SANDBOX_NAMESPACE, req);
	if (plan.netns_fd < 0)
		plan.netns_fd = netns_open(plan.netns_path, true);
	plan.host_netlink = netlink_open();
	if (plan.host_netlink < 0)
		die("Couldn't open netlink socket: %s",
		    strerror(-plan.host_netlink));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
	    pipe2(plan.barrier, O_CLOEXEC))
		die("Couldn't create socket pair or pipe: %s", strerror(errno));
	plan.sock = pair[1];

	child_watch();
	agent_pid = process_fork();
	if (!agent_pid) {
		close_keep_errno(&pair[0]);
		agent_main(&plan);
	}
	close_keep_errno(&pair[1]);
	close_keep_errno(&plan.barrier[0]);
	close_keep_errno(&plan.netns_fd);
	close_keep_errno(&plan.host_netlink);

	agent_result(ns, c, pair[0]);
	command_pid = ns->child;
	ns->agent = agent_pid;
	ns->agent_fd = pair[0];
	ns->barrier_fd = plan.barrier[1];
	ns->watch_fd = watch_fd;
}

void netns_spawn_release(struct netns *ns)
{
	int rc = ns->child ? write_exact(ns->barrier_fd, "g", 1) : 0;
	int status;

	/* If it has ended by itself, it has said why. */
	if (rc == -EPIPE && waitpid(command_pid, &status, 0) == command_pid &&
	    WIFEXITED(status))
		exit(EXIT_FAILURE);
	if (rc == -EPIPE)
		die("The command was gone before it was started");
	if (rc)
		die("Couldn't start the command: %s", strerror(-rc));
	close_keep_errno(&ns->barrier_fd);
}

static bool reap(pid_t pid, int *status)
{
	return pid > 0 && waitpid(pid, status, WNOHANG) == pid;
}

void netns_child_handle(struct ev ev, uint32_t events)
{
	struct signalfd_siginfo si;
	int status;

	(void)ev;
	(void)events;
	while (read(child_fd, &si, sizeof(si)) > 0)
		;	/* one may stand for several */
	if (reap(command_pid, &status)) {
		terminal_take_back();
		loop_stop(WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
			  WEXITSTATUS(status));
		return;
	}
	if (reap(agent_pid, &status)) {
		err("The process in the namespace has ended, exiting");
		loop_stop(EXIT_FAILURE);
	}
}
