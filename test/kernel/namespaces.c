/* SPDX-License-Identifier: GPL-2.0-or-later */
/* namespaces.c - who may enter one, and what stays of it in a descriptor
 *
 * Each test does what it does in a process of its own.
 */
#include "test/kernel/kernel.h"

#include <linux/if_tun.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Exit status of @fn in a child: 0, or what it says. */
static int apart(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
	       WEXITSTATUS(status) : -1;
}

static ino_t network_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

static int make_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) != 0;
}
#define NEED_USER_NAMESPACES()						\
	do {								\
		if (apart(make_user_namespace))				\
			SKIP("may not make user namespaces");		\
	} while (0)

static int enter_without_capability(void)
{
	char uid[64], gid[64];
	int fd;

	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) ||
	    !put("/proc/self/uid_map", uid) ||
	    !put("/proc/self/setgroups", "deny") ||
	    !put("/proc/self/gid_map", gid))
		return 2;
	fd = open("/proc/self/ns/net", O_RDONLY);
	/* A new user namespace: all capabilities, but none where that network
	 * belongs. */
	if (fd < 0 || unshare(CLONE_NEWUSER))
		return 3;
	return !setns(fd, CLONE_NEWNET) || errno != EPERM;
}

TEST(to_enter_takes_a_capability_where_the_network_belongs)
{
	NEED_USER_NAMESPACES();
	EQ(apart(enter_without_capability), 0);
}

static int enter_by_descriptor(void)
{
	ino_t first;
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 2;
	first = network_of("/proc/self/ns/net");
	fd = open("/proc/self/ns/net", O_RDONLY);
	if (fd < 0 || unshare(CLONE_NEWNET | CLONE_NEWNS))
		return 3;
	if (network_of("/proc/self/ns/net") == first)
		return 4;
	if (mount("", "/", "", MS_PRIVATE | MS_REC, NULL))
		return 5;
	return setns(fd, CLONE_NEWNET) ||
	       network_of("/proc/self/ns/net") != first;
}

TEST(a_descriptor_is_enough_to_enter_and_keeps_the_network_there)
{
	NEED_USER_NAMESPACES();
	EQ(apart(enter_by_descriptor), 0);
}

static int socket_stays(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int here, there;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) || link_up("lo"))
		return 2;
	there = socket(AF_INET, SOCK_DGRAM, 0);
	if (unshare(CLONE_NEWNET))
		return 3;
	here = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(here, SIOCGIFFLAGS, &ifr) || ifr.ifr_flags & IFF_UP)
		return 4;
	return ioctl(there, SIOCGIFFLAGS, &ifr) || !(ifr.ifr_flags & IFF_UP);
}

TEST(a_socket_stays_in_the_network_it_was_made_in)
{
	NEED_USER_NAMESPACES();
	EQ(apart(socket_stays), 0);
}

static int tap_of_others(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 2;
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0)
		return 77;
	strcpy(ifr.ifr_name, "fact0");
	if (ioctl(fd, TUNSETIFF, &ifr))
		return 3;
	if (!if_nametoindex("fact0"))
		return 4;
	close(fd);
	return if_nametoindex("fact0") != 0;
}

TEST(a_tap_goes_with_its_last_descriptor)
{
	int rc;

	NEED_USER_NAMESPACES();
	rc = apart(tap_of_others);
	if (rc == 77)
		SKIP("no /dev/net/tun for this user");
	EQ(rc, 0);
}

static int pivot_over_itself(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
	    mount("", "/", "", MS_PRIVATE | MS_REC, NULL) ||
	    mount("", "/tmp", "tmpfs", MS_RDONLY, "nr_inodes=2") ||
	    chdir("/tmp"))
		return 2;
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
		return 3;
	return open("/proc", O_RDONLY) >= 0 || errno != ENOENT;
}

TEST(the_root_can_be_replaced_by_an_empty_one_in_place)
{
	NEED_USER_NAMESPACES();
	EQ(apart(pivot_over_itself), 0);
}
