/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hint.c - what can be done about an error of the kernel's
 *
 * The kernel says what went wrong, in words for whoever wrote the call. For
 * the errors users do meet, this table says what it means here, and how to get
 * on. Appended to the message, in parentheses; without a row for it, nothing.
 */
#include "setup/setup.h"

#include <errno.h>

#include "util.h"

static const struct {
	enum hint_about about;
	int error;
	const char *text;
} rows[] = {
	{ HINT_USERNS, EPERM,
	  " (user namespaces are forbidden here: by "
	  "kernel.unprivileged_userns_clone, "
	  "kernel.apparmor_restrict_unprivileged_userns, in a chroot, or by a "
	  "container's rules)" },
	{ HINT_USERNS, ENOSPC,
	  " (as many as user.max_user_namespaces allows, or none are "
	  "allowed)" },
	{ HINT_USERNS, EUSERS, " (nested too deeply)" },
	{ HINT_USERNS_OPEN, ENOENT, " (no such process, or file)" },
	{ HINT_USERNS_OPEN, EACCES, " (it belongs to another user)" },
	{ HINT_USERNS_JOIN, EINVAL, " (this is not a user namespace)" },
	{ HINT_USERNS_JOIN, EPERM, " (it belongs to another user)" },
	{ HINT_NETNS, ENOSPC,
	  " (as many as user.max_net_namespaces allows, or none are "
	  "allowed)" },
	{ HINT_NETNS, EPERM,
	  " (without --netns-only this needs no privilege)" },
	{ HINT_NETNS_OPEN, ENOENT, " (see 'ip netns', or 'ps')" },
	{ HINT_NETNS_OPEN, EACCES, " (it belongs to another user)" },
	{ HINT_NETNS_JOIN, EINVAL, " (this is not a network namespace)" },
	{ HINT_NETNS_JOIN, EPERM,
	  " (give the user namespace that owns it, with --userns)" },
	{ HINT_TUN, ENOENT,
	  " (load the module tun, or give the container that device)" },
	{ HINT_TUN, EACCES, " (it must be writable to this user)" },
	{ HINT_TUN, EPERM, " (the container must be allowed that device)" },
	{ HINT_TAP, EINVAL,
	  " (there is another one of that name; choose one with --ns-ifname)" },
	{ HINT_TAP, EBUSY, " (another process provides it)" },
	{ HINT_TAP, EPERM,
	  " (give the user namespace that owns the network, with --userns)" },
	{ HINT_IDENTITY, EPERM,
	  " (only root can be somebody else; see --runas)" },
	{ HINT_IDENTITY, EINVAL,
	  " (it does not exist in this user namespace; see --runas)" },
	{ HINT_SOCKET, EADDRINUSE, " (that file is not a socket)" },
	{ HINT_FORK, EAGAIN,
	  " (RLIMIT_NPROC, ulimit -u, or pids.max of a control group)" },
	{ HINT_FD, EBADF, " (it is not open)" },
	{ HINT_FD, ENOTSOCK, " (it has to be a connected stream socket)" },
	{ HINT_FD, ENOTCONN, " (it has to be a connected stream socket)" },
	{ HINT_FD, EPROTOTYPE, " (it has to be a connected stream socket)" },
};

const char *hint(enum hint_about about, int error)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].about == about && rows[i].error == error)
			return rows[i].text;
	return "";
}
