/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: setup/resolv_watch setup/derive setup/host setup/netlink
 *	  setup/netlink_msg setup/sandbox setup/seccomp setup/seccomp_debug
 *	  setup/landlock setup/process setup/leftover setup/die setup/hint
 *	  resolver fwd fwd_spec sock agent addr buf conf epoll_ctl log timer
 *	  util */
/* wrap: sandbox_read_below */
/* resolv_watch.c - a file that changes, as files do, and what is left to read
 *
 * Each test is a child with a folder of its own: what it gives up, it cannot
 * have back.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fwd.h"
#include "resolver.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

#define FILE_	"resolv.conf"
#define FIRST	"nameserver 192.0.2.1\nnameserver 2001:db8::1\n"
#define SECOND	"nameserver 192.0.2.2\nnameserver 2001:db8::2\n"

static bool has_landlock = true;
static char folder[] = "/tmp/resolv_watch.XXXXXX";

int __real_sandbox_read_below(int dir_fd);
int __wrap_sandbox_read_below(int dir_fd);

int __wrap_sandbox_read_below(int dir_fd)
{
	return has_landlock ? __real_sandbox_read_below(dir_fd) : -ENOSYS;
}

static const struct loop_hooks hooks = {
	.handler = { [EV_RESOLVER] = resolv_watch_handle },
};

static struct addr address(const char *text)
{
	struct addr a = { 0 };

	OK(addr_parse(&a, text));
	return a;
}

static bool asks(const char *v4, const char *v6)
{
	struct addr a4 = resolver_current(FAM4), a6 = resolver_current(FAM6);
	struct addr w4 = address(v4), w6 = address(v6);

	return addr_eq(&a4, &w4) && addr_eq(&a6, &w6);
}

/* Within a second. */
static bool comes_to_ask(const char *v4, const char *v6)
{
	for (unsigned i = 0; i < 50 && !asks(v4, v6); i++)
		loop_once(&hooks, 20);
	return asks(v4, v6);
}

/* What happens in half a second changes nothing. */
static bool keeps_asking(const char *v4, const char *v6)
{
	for (unsigned i = 0; i < 25; i++)
		loop_once(&hooks, 20);
	return asks(v4, v6);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	OK(fd >= 0 && !write_exact(fd, text, strlen(text)));
	close_keep_errno(&fd);
}

/* Who changes the file is another process, with all its rights. */
static int shell_fd;

static void shell_start(void)
{
	int p[2];

	if (pipe(p))
		abort();
	if (!fork()) {
		dup2(p[0], 0);
		close(p[1]);
		execlp("sh", "sh", "-e", (char *)NULL);
		_exit(127);
	}
	close(p[0]);
	shell_fd = p[1];
}

static void other_does(const char *commands)
{
	OK(!write_exact(shell_fd, commands, strlen(commands)));
}

static void start(void)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		struct conf_net *n = &conf_writable.net[fam];

		n->dns_from_file = true;
		n->dns_match = address(fam == FAM4 ? "198.51.100.53" :
						     "2001:db8:53::53");
		n->dns_hosts[0] = address(fam == FAM4 ? "192.0.2.1" :
							"2001:db8::1");
		n->dns_host_cnt = 1;
	}
	OK(!loop_init());
	fwd_init();
	resolver_init();
}

static void watch(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/" FILE_, folder);
	resolv_watch_open(path);
	resolv_watch_confine();
}

static bool in_child(void (*body)(void))
{
	char command[64];
	int status;
	pid_t pid;

	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder))
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		log_threshold = LOG_LVL_WARN;
		test_failures = 0;
		if (chdir(folder))
			_exit(2);
		shell_start();
		start();
		body();
		_exit(test_failures);
	}
	waitpid(pid, &status, 0);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return !system(command) && !status;
}

static bool landlock_works(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(__real_sandbox_read_below(open("/", O_PATH)));
	waitpid(pid, &status, 0);
	return !status;
}

/* --- what may happen to a file --- */

static void written(void)
{
	put(FILE_, FIRST);
	watch();
	OK(asks("192.0.2.1", "2001:db8::1"));
	other_does("printf '" SECOND "' >" FILE_ "\n");
	OK(comes_to_ask("192.0.2.2", "2001:db8::2"));
	other_does("exec 7<>" FILE_ "; printf '" FIRST "' >&7\n");
	OK(comes_to_ask("192.0.2.1", "2001:db8::1"));
}

TEST(a_file_written_in_place_is_read_again)
{
	OK(in_child(written));
}

static void replaced(void)
{
	put(FILE_, FIRST);
	watch();
	other_does("printf '" SECOND "' >new; mv new " FILE_ "\n");
	OK(comes_to_ask("192.0.2.2", "2001:db8::2"));
	other_does("rm " FILE_ "; : >" FILE_ "; echo '#' >>" FILE_ "\n");
	OK(keeps_asking("192.0.2.2", "2001:db8::2"));
	other_does("printf '" FIRST "' >" FILE_ "\n");
	OK(comes_to_ask("192.0.2.1", "2001:db8::1"));
	other_does("echo nameserver 192.0.2.99 >other\n");
	OK(keeps_asking("192.0.2.1", "2001:db8::1"));
	other_does("echo nameserver 192.0.2.3 >" FILE_ "\n");
	OK(comes_to_ask("192.0.2.3", "::"));
}

TEST(a_file_replaced_or_deleted_and_made_again_is_read_again)
{
	if (!landlock_works())
		SKIP("no Landlock");
	OK(in_child(replaced));
}

static void changed_before(void)
{
	put(FILE_, SECOND);
	watch();
	OK(comes_to_ask("192.0.2.2", "2001:db8::2"));
}

TEST(a_change_while_starting_is_not_missed)
{
	OK(in_child(changed_before));
}

static void linked(void)
{
	OK(!mkdir("there", 0755));
	put("there/real", FIRST);
	OK(!symlink("there/real", FILE_));
	watch();
	other_does("printf '" SECOND "' >new; mv new there/real\n");
	OK(comes_to_ask("192.0.2.2", "2001:db8::2"));
	/* A link where the file was: to anywhere. */
	other_does("printf '" FIRST "' >aim; ln -s ../aim there/new;"
		   "mv -T there/new there/real\n");
	OK(keeps_asking("192.0.2.2", "2001:db8::2"));
}

TEST(a_link_is_followed_at_start_and_only_then)
{
	if (!landlock_works())
		SKIP("no Landlock");
	OK(in_child(linked));
}

static void yet_to_come(void)
{
	watch();
	other_does("printf '" SECOND "' >" FILE_ "\n");
	OK(comes_to_ask("192.0.2.2", "2001:db8::2"));
}

TEST(a_file_that_is_not_there_yet_is_read_when_it_is)
{
	if (!landlock_works())
		SKIP("no Landlock");
	OK(in_child(yet_to_come));
}

static void not_a_file(void)
{
	put(FILE_, FIRST);
	watch();
	other_does("rm " FILE_ "; mkfifo " FILE_ "\n");
	OK(keeps_asking("192.0.2.1", "2001:db8::1"));
	other_does("rm " FILE_ "; mkdir " FILE_ "\n");
	OK(keeps_asking("192.0.2.1", "2001:db8::1"));
	other_does("rmdir " FILE_ "; printf '" SECOND "' >" FILE_ "\n");
	OK(comes_to_ask("192.0.2.2", "2001:db8::2"));
}

TEST(what_is_no_file_is_not_read_and_not_waited_for)
{
	if (!landlock_works())
		SKIP("no Landlock");
	OK(in_child(not_a_file));
}

static void without_landlock(void)
{
	has_landlock = false;
	put(FILE_, FIRST);
	watch();
	other_does("printf '" SECOND "' >" FILE_ "\n");
	OK(comes_to_ask("192.0.2.2", "2001:db8::2"));
	other_does("printf '" FIRST "' >new; mv new " FILE_ "\n");
	OK(keeps_asking("192.0.2.2", "2001:db8::2"));
}

TEST(without_landlock_writing_is_noticed_and_replacing_is_not)
{
	OK(in_child(without_landlock));
}

/* --- what is kept --- */

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void nothing_wanted(void)
{
	unsigned before = open_fds();

	put(FILE_, FIRST);
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		conf_writable.net[fam].dns_match = (struct addr) { 0 };
	watch();
	EQ(open_fds(), before);
	put("still", "allowed");
}

TEST(nothing_is_kept_if_no_query_is_redirected)
{
	OK(in_child(nothing_wanted));
}

static void one_kept(void)
{
	unsigned before = open_fds();

	put(FILE_, FIRST);
	watch();
	EQ(open_fds(), before + 1);	/* to the reader */
}

static void one_kept_without_landlock(void)
{
	has_landlock = false;
	one_kept();
}

TEST(what_leads_to_files_is_kept_by_the_reader_only)
{
	OK(in_child(one_kept));
	OK(in_child(one_kept_without_landlock));
}

static bool opens(int dir, const char *path, int flags)
{
	int fd = openat(dir, path, flags);
	bool ok = fd >= 0;

	close_keep_errno(&fd);
	return ok;
}

static void confined(void)
{
	int dir;

	OK(!mkdir("inner", 0755));
	put("inner/file", FIRST);
	put("outer", "secret");
	dir = open("inner", O_PATH | O_DIRECTORY);
	OK(opens(dir, "../outer", O_RDONLY));
	OK(!__real_sandbox_read_below(dir));
	OK(opens(dir, "file", O_RDONLY));
	OK(!opens(dir, "../outer", O_RDONLY));
	OK(!opens(dir, "file", O_WRONLY));
	OK(!opens(dir, "file", O_RDONLY | O_TRUNC));
	OK(!opens(dir, "new", O_WRONLY | O_CREAT));
	OK(!opens(dir, ".", O_RDONLY | O_DIRECTORY));	/* no list */
	OK(!opens(AT_FDCWD, "outer", O_RDONLY));
	OK(!opens(AT_FDCWD, "/etc/passwd", O_RDONLY));
	OK(unlinkat(dir, "file", 0) < 0);
	OK(renameat(dir, "file", dir, "other") < 0);
}

TEST(below_the_directory_is_all_there_is_and_only_to_read)
{
	if (!landlock_works())
		SKIP("no Landlock");
	OK(in_child(confined));
}
