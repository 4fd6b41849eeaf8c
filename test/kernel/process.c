/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - what processes learn of each other's end, and hand each other */
#include "test/kernel/kernel.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

static pid_t sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL,
			      NULL, 0);
}

TEST(a_child_with_clone_parent_is_our_parents)
{
	int status, fd[2];
	pid_t child, other = 0;

	OK(!pipe(fd));
	child = fork();
	if (!child) {
		pid_t pid = sibling();

		if (!pid)
			_exit(42);
		OK(write(fd[1], &pid, sizeof(pid)) == sizeof(pid));
		_exit(0);
	}
	EQ(waitpid(child, &status, 0), child);
	EQ(read(fd[0], &other, sizeof(other)), (ssize_t)sizeof(other));
	EQ(waitpid(other, &status, 0), other);
	EQ(WEXITSTATUS(status), 42);
	close(fd[0]);
	close(fd[1]);
}

TEST(pdeathsig_arrives_when_the_parent_has_ended)
{
	int fd[2];
	char c;
	pid_t child;

	OK(!pipe(fd));
	child = fork();
	if (!child) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			OK(write(fd[1], "x", 1) == 1);
			pause();
			_exit(0);
		}
		close(fd[1]);
		_exit(read(fd[0], &c, 1) != 1);
	}
	close(fd[1]);
	waitpid(child, NULL, 0);
	/* The pipe's end: the grandchild had the last descriptor. */
	EQ(wait_for(fd[0], POLLHUP, 5000) & POLLHUP, POLLHUP);
	close(fd[0]);
}

/* Like us: blocked, SIGTERM is heard from outside; 1: it came. The signal of
 * its parent's death kills what nothing else but SIGKILL could. */
static int first_of_namespace(int ready)
{
	struct signalfd_siginfo si;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	OK(getpid() == 1);
	kill(getpid(), SIGUSR1);	/* no handler: not for the first one */
	OK(write(ready, "r", 1) == 1);
	if (read(fd, &si, sizeof(si)) == sizeof(si))
		OK(write(ready, "t", 1) == 1);
	pause();
	return 0;
}

static void parent_of_first(int number, int ready, int go)
{
	pid_t first;
	char c;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
		_exit(77);
	first = fork();
	if (!first)
		_exit(first_of_namespace(ready));
	OK(write(number, &first, sizeof(first)) == sizeof(first));
	OK(read(go, &c, 1) == 1);
	_exit(0);
}

static char letter(int fd)
{
	char c = 0;

	return wait_for(fd, POLLIN, 5000) & POLLIN && read(fd, &c, 1) == 1 ?
	       c : 0;
}

TEST(the_first_of_a_pid_namespace_hears_sigterm_and_dies_with_its_parent)
{
	int number[2], ready[2], go[2], status;
	pid_t parent, first = 0;

	OK(!pipe(number) && !pipe(ready) && !pipe(go));
	OK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork();
	if (!parent)
		parent_of_first(number[1], ready[1], go[0]);
	close(number[1]);
	if (read(number[0], &first, sizeof(first)) != sizeof(first)) {
		EQ(waitpid(parent, &status, 0), parent);
		SKIP("no user or PID namespaces");
	}
	EQ(letter(ready[0]), 'r');
	OK(first > 1 && !kill(first, SIGTERM));
	EQ(letter(ready[0]), 't');
	EQ(waitpid(first, &status, WNOHANG), -1);	/* not ours yet */
	OK(write(go[1], "g", 1) == 1);
	EQ(waitpid(parent, &status, 0), parent);
	EQ(waitpid(first, &status, 0), first);
	OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(number[0]);
	for (unsigned i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

/* In a session of its own, with a terminal. */
static int group_that_is_gone(void)
{
	int pty = posix_openpt(O_RDWR | O_NOCTTY), tty;
	pid_t pid, ours = getpgrp();

	if (pty < 0 || grantpt(pty) || unlockpt(pty))
		return 77;
	tty = open(ptsname(pty), O_RDWR);
	signal(SIGTTOU, SIG_IGN);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		tcsetpgrp(tty, getpid());
		pause();
	}
	while (tcgetpgrp(tty) == ours)
		usleep(1000);
	if (tcsetpgrp(tty, pid))	/* as it is */
		return 1;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (tcgetpgrp(tty) != pid)
		return 2;
	if (!tcsetpgrp(tty, pid) || errno != ESRCH)
		return 3;
	return tcsetpgrp(tty, ours) ? 4 : 0;
}

TEST(a_foreground_group_that_is_gone_cannot_be_made_that_again)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setsid();
		_exit(group_that_is_gone());
	}
	EQ(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		SKIP("no pseudoterminals");
	EQ(status, 0);
}

/* In the child it reads the child's own signals; the set still means the
 * process that put it there. */
TEST(a_signalfd_in_an_epoll_set_reports_the_signals_of_who_added_it)
{
	struct epoll_event e = { .events = EPOLLIN };
	sigset_t set, old;
	int ep = epoll_create1(0), fd, status;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	OK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	pid = fork();
	if (!pid) {
		struct signalfd_siginfo si;

		kill(getpid(), SIGUSR1);
		if (epoll_wait(ep, &e, 1, 50))
			_exit(1);
		_exit(read(fd, &si, sizeof(si)) != sizeof(si));
	}
	waitpid(pid, &status, 0);
	EQ(status, 0);
	close(fd);
	close(ep);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* How one asks whether somebody listens, without being taken for a client. */
TEST(a_socket_of_another_type_is_eprototype_only_while_somebody_listens)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/fact.%d", getpid());
	OK(!bind(l, (struct sockaddr *)&sa, sizeof(sa)));
	OK(!listen(l, 1));
	EQ(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), -1);
	EQ(errno, EPROTOTYPE);
	EQ(accept(l, NULL, NULL), -1);
	EQ(errno, EAGAIN);
	close(l);
	EQ(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), -1);
	EQ(errno, ECONNREFUSED);
	unlink(sa.sun_path);
	EQ(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), -1);
	EQ(errno, ENOENT);
	close(fd);
}

TEST(descriptors_without_room_for_them_are_said_to_be_cut_off)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char c = 'x';
	struct iovec iov = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(2 * sizeof(int)),
	};
	int pair[2], fds[2] = { 0, 1 };

	OK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(&control.align), fds, sizeof(fds));
	EQ(sendmsg(pair[0], &m, 0), 1);
	m.msg_controllen = CMSG_SPACE(0);
	EQ(recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC), 1);
	EQ(m.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
	close(pair[0]);
	close(pair[1]);
}

TEST(a_message_of_a_seqpacket_is_whole_and_its_end_is_zero)
{
	int pair[2];
	char buf[16];

	OK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	EQ(send(pair[0], "one", 3, 0), 3);
	EQ(send(pair[0], "four", 4, 0), 4);
	close(pair[0]);
	EQ(recv(pair[1], buf, sizeof(buf), 0), 3);
	EQ(recv(pair[1], buf, sizeof(buf), 0), 4);
	EQ(recv(pair[1], buf, sizeof(buf), 0), 0);
	close(pair[1]);
}
