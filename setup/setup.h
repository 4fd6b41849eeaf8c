/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setup.h - start-up: everything that runs before the sandbox closes
 *
 * Three stages: request (what the user said), host (what the kernel says),
 * conf (what follows from both). Parsing and deriving are pure: they return an
 * error as text, and can be run by tests with made-up input. Acting on the
 * result (namespaces, sockets, sandbox) comes after, and may die().
 */
#ifndef SETUP_H
#define SETUP_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "addr.h"
#include "conf.h"
#include "epoll_ctl.h"
#include "log.h"

#define ERR_MAX	512

/* Prints one line to the log's sinks and exits 1. */
_Noreturn void die(const char *fmt, ...) PRINTF(1, 2);

/* hint.c: " (what to do about it)", or "". */
enum hint_about { HINT_USERNS, HINT_USERNS_OPEN, HINT_USERNS_JOIN, HINT_NETNS,
		  HINT_NETNS_OPEN, HINT_NETNS_JOIN, HINT_TUN, HINT_TAP,
		  HINT_IDENTITY, HINT_SOCKET, HINT_FORK, HINT_FD };
const char *hint(enum hint_about about, int error);

/* --- request: cmdline*.c, generated from options.def --- */

#define REQ_SPECS_MAX	512
#define REQ_DEPRECATED_MAX 8

struct request_net {		/* options given once per family */
	struct addr address;	bool has_address;
	int prefix_len;		/* -1: not given */
	struct addr gateway;	bool has_gateway;
	struct addr outbound;	bool has_outbound;
	char outbound_if[IFNAMSIZ];
	struct addr dns[CONF_DNS_MAX]; unsigned dns_cnt;
	struct addr dns_forward; bool has_dns_forward;
	struct addr dns_host;	bool has_dns_host;
	struct addr map_loopback; bool has_map_loopback;
	struct addr map_guest;	bool has_map_guest;
};

struct request_spec {		/* -t -u -T -U, in order */
	char letter;
	const char *text;	/* points into argv */
};

enum action { ACT_RUN, ACT_HELP, ACT_VERSION, ACT_CAPABILITIES };

struct request {
	enum action action;
	enum mode mode;
	struct request_net net[FAM_COUNT];
	bool ipv4_only, ipv6_only;
	int netmask_len;	/* -n; -1: not given */

	/* process, log */
	enum log_level level;
	bool quiet, foreground, one_off, chroot_fallback;
	unsigned stats_s;
	const char *log_file;	uint64_t log_size;	/* 0: default */
	const char *runas, *pid_file, *pcap, *control_path;
	int fd;			/* -F; -1: none */
	const char *socket_path, *repair_path;
	bool migrate_exit, migrate_no_linger;

	/* namespaces */
	const char *ns_ifname, *userns, *netns;
	bool netns_only, no_netns_quit, config_net;
	bool no_copy_routes, no_copy_addrs;
	struct mac ns_mac;	bool has_ns_mac;
	bool host_lo_to_ns_lo, no_splice, splice_only;
	pid_t pid;		/* positional PID, or 0 */
	char **command;		/* positional command, or NULL */

	/* addressing */
	const char *interface;
	struct mac mac;		bool has_mac;
	unsigned mtu;		bool has_mtu;
	bool dns_none, search_none, has_search;
	char search[CONF_SEARCH_MAX][CONF_NAME_MAX + 1];
	unsigned search_cnt;
	const char *hostname, *fqdn;
	bool dhcp_dns, dhcp_search;	/* effective, defaults by mode */
	bool no_map_gw, map_loopback_none, map_guest_none, freebind;
	bool no_tcp, no_udp, no_icmp, no_dhcp, no_dhcpv6, no_ndp, no_ra;

	struct {		/* to be warned of */
		const char *option, *instead;
	} deprecated[REQ_DEPRECATED_MAX]; unsigned deprecated_cnt;
	struct request_spec spec[REQ_SPECS_MAX]; unsigned spec_cnt;
	bool given_t, given_u, given_T, given_U;
};

/* False: @err holds one line. argv stays referenced. */
bool cmdline_parse(struct request *req, int argc, char **argv,
		   char err[ERR_MAX]);
void cmdline_usage(enum mode mode);	/* on standard output */

/* about.c: what the other actions print; exits, unless it is ACT_RUN. */
void about(const struct request *req, const char *version);
const char *about_program(const struct request *req);	/* by mode */

/* --- host: host.c (files, limits, kernel features), netlink.c (network) --- */

struct host_route {
	bool is_default;
	unsigned ifindex;
	struct addr gw;		/* unspecified: none */
};

struct host_net {
	bool supported;		/* sockets of this family can be made */
	unsigned ifindex;	/* template, or 0 */
	char ifname[IFNAMSIZ];
	struct addr addr;	uint8_t prefix_len;	/* unspecified: none */
	struct addr gw;
};

struct host {
	struct host_net net[FAM_COUNT];
	struct addr ll;		/* template's IPv6 link-local */
	struct addr nameserver[16];	/* in the file's order */
	unsigned nameserver_cnt;
	char search[CONF_SEARCH_MAX][CONF_NAME_MAX + 1]; unsigned search_cnt;
	uint16_t ephemeral_first, ephemeral_last;
	unsigned syn_retries, syn_linear_timeouts, rto_max_ms;
	unsigned udp_timeout_s, udp_timeout_stream_s;
	bool can_bind_device, has_peek_off[FAM_COUNT];
	bool initial_userns;	/* we are in it */
};

/* Asks the kernel; @req says which interfaces were named. */
bool host_snapshot(struct host *h, const struct request *req,
		   char err[ERR_MAX]);
/* Pure: the text of a resolv.conf. */
void host_parse_resolv(struct host *h, const char *text);
/* Those of a family: how many. derive.c */
unsigned host_nameservers(const struct host *h, enum fam fam,
			  struct addr list[CONF_DNS_MAX]);

/* --- conf: derive.c, pure --- */
bool derive_conf(struct conf *c, const struct request *req,
		 const struct host *h, char err[ERR_MAX]);

/* --- conf, told: summary.c --- */
void conf_summary(const struct conf *c);	/* info level */
/* What the user may not expect, and can do something about. */
void conf_warn(const struct conf *c, const struct request *req);

/* --- acting: netlink.c --- */

/* Template selection for one family: fills h->net[fam], h->ll. */
bool netlink_template(struct host *h, enum fam fam, unsigned want_ifindex,
		      char err[ERR_MAX]);
int netlink_open(void);			/* in the caller's namespace */
/* netlink_setup.c: inside the namespace: lo up; tap (when
 * @tap_ifindex) MAC, MTU, up, addresses and routes as @c says. @host_fd: a
 * netlink socket opened on the host, for what is copied. Updates
 * c->net[].enabled where the kernel lacks a family. *tap_mac reports what the
 * tap has. */
bool netlink_configure(struct conf *c, int host_fd, int ns_fd,
		       unsigned tap_ifindex, struct mac *tap_mac,
		       char err[ERR_MAX]);

/* --- acting: netns.c --- */

struct netns {			/* result of entering or making namespaces */
	int tap_fd;		/* -1: none (--splice-only) */
	unsigned tap_ifindex;
	bool tap_vnet;
	struct mac tap_mac;
	bool tap_csum, tap_tso4, tap_tso6, tap_uso;
	int diag_fd;		/* sock_diag socket of the namespace */
	int agent_fd;		/* see agent.h */
	pid_t agent;		/* child to reap */
	pid_t child;		/* the command, at the barrier; 0: none */
	int barrier_fd;		/* write a byte: the command is executed */
	int watch_fd;		/* becomes readable when the namespace may be
				 * gone; -1: none */
};

/* pasta: user namespace first (joined or made), then the network namespace by
 * one process that becomes the agent. Everything inside the namespace (tap,
 * addresses, netlink and diag sockets) is done by it, once. */
void netns_setup(struct netns *ns, struct conf *c, const struct request *req);
void netns_spawn_release(struct netns *ns);
void netns_child_handle(struct ev ev, uint32_t events);	/* EV_CHILD */

/* netns_spawn.c: the command, waiting at the barrier. Child of our parent;
 * its process ID, or -errno. @sock is ours alone. */
pid_t netns_spawn(const struct request *req, const int barrier[2], int sock);

/* terminal.c: of a command that is run. When we start; before it is executed,
 * in its process; when it has ended. */
void terminal_find(void);
void terminal_give(char **command);	/* NULL: the login shell */
void terminal_take_back(void);

/* netns_watch.c: what becomes readable, or -1; @path may be NULL. When the
 * namespace is gone, the listeners are closed and the loop ends. */
int netns_watch_open(const char *path, const struct request *req);
void netns_watch_start(int fd);		/* -1 is fine */
void netns_watch_handle(struct ev ev, uint32_t events);	/* EV_NETNS */
void netns_watch_expire(uint32_t timer_id);	/* TIMER_NETNS_WATCH */

/* resolv_watch.c: the host's resolvers change; the resolver module is told.
 * Open while there are files; confine, a process of its own with what was
 * opened, when the filesystem is gone. */
void resolv_watch_open(const char *path);
void resolv_watch_confine(void);
void resolv_watch_handle(struct ev ev, uint32_t events);	/* EV_RESOLVER */

/* neigh_watch.c: the host's neighbours, for the neigh module. Call it where the
 * network is the host's. */
void neigh_watch_start(void);
void neigh_watch_handle(struct ev ev, uint32_t events);	/* EV_NEIGH */

/* --- acting: leftover.c, files that a failed start must not leave --- */

/* Once. @parent: a process that waits for us calls leftover_remove(). */
void leftover_init(bool parent);
void leftover_add(const char *path);	/* we have just made it */
void leftover_keep(void);		/* all is well */
void leftover_remove(void);

/* --- acting: process.c, how our caller sees us --- */

/* Before anything is opened: descriptors 0 to 2 exist, as many more as allowed
 * can, and SIGTERM and SIGQUIT wait for the loop. */
void process_init(void);
/* In the foreground: the death signal our caller asked for (prctl(2),
 * PR_SET_PDEATHSIG) applies again. A change of credentials has undone it, so
 * that this comes after the last of them. */
void process_death_signal(void);
/* A command is run in new namespaces: always in the foreground. */
bool process_spawns(const struct request *req);
/* Opens the PID file. In background mode, forks: the parent waits until
 * background_ready(), writes the PID file and exits 0; or until our end, and
 * exits 1, leaving no file. Returns in the child. */
void background_start(const struct request *req);
/* In background mode, goes on as the first process of a PID namespace. Returns
 * there, with 0; or here with -errno, if that is not allowed. */
int background_pidns(void);
/* Everything works: the caller may go on. Leaves its terminal and stdio. */
void background_ready(void);
/* For a command about to be executed: signals as our caller left them. */
void process_signals_restore(void);
pid_t process_fork(void);	/* or dies */
/* Descriptors 0 to 2 become /dev/null. */
void process_stdio_drop(void);
/* The loop will end as soon as it begins. */
bool process_told_to_end(void);
int process_signals_watch(void);	/* 0, or -errno */
void process_signal_handle(struct ev ev, uint32_t events);	/* EV_SIGNAL */

/* --- acting: unix_sock.c --- */

/* VM modes, unless there is -F: bind and listen on conf's socket path; when it
 * is empty, probe for a free name and store it there. Descriptor, or -1. */
int unix_sock_guest(struct conf *c);
/* --conf-path: as above, or -1. */
int unix_sock_control(const struct request *req);

/* --- acting: sandbox.c --- */

enum sandbox_stage {		/* in this order */
	SANDBOX_INITIAL,	/* before options act: what we were given */
	SANDBOX_IDENTITY,	/* uid, gid */
	SANDBOX_NAMESPACE,	/* VM modes: own user namespace; pasta: in it */
	SANDBOX_FILES,		/* nothing left to open */
	SANDBOX_FINAL,		/* nothing left to gain */
	SANDBOX_RUNNING,	/* no system calls but the loop's own */
};

void sandbox_take(enum sandbox_stage stage, const struct request *req);
/* All that is left of it for the agent, who may bind low ports of its
 * namespace; and for whom resolv_watch.c sends to read a file. */
void sandbox_agent(const struct request *req);
void sandbox_reader(void);
/* Close all but stdio and these, of which any may be -1. */
void sandbox_descriptors_but(const int *keep, unsigned cnt);
void sandbox_descriptors(int keep, int keep2);
/* From here on files are opened for reading only, and only below @dir_fd. 0, or
 * -errno: nothing has changed. landlock.c */
int sandbox_read_below(int dir_fd);

#endif
