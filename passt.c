/* SPDX-License-Identifier: GPL-2.0-or-later */
/* passt.c - main(): the wiring board
 *
 * Three tables say what is connected to what: events to handlers, types of
 * flow to what they do, the link to who takes its packets. Calls from a lower
 * layer to a higher one go through them, and nowhere else.
 *
 * Then the order of start-up, which decides who sees which error, and with
 * which rights a thing is done:
 *
 *	parse, judge		nothing has happened yet
 *	background		from here failure is told by the child
 *	ask the host, derive
 *	listeners, sockets	as our caller, who may own low ports
 *	identity, namespaces	from here as little as possible
 *	link, inner listeners
 *	sandbox			from here nothing
 *	ready			the caller may go on, the command runs
 *
 * Reading starts well with loop_run(), epoll_ctl.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "backlog.h"
#include "conf.h"
#include "control/control.h"
#include "control/stats.h"
#include "diag.h"
#include "epoll_ctl.h"
#include "flow.h"
#include "fwd.h"
#include "icmp.h"
#include "link/link.h"
#include "listen.h"
#include "log.h"
#include "neigh.h"
#include "resolver.h"
#include "services/services.h"
#include "setup/setup.h"
#include "tcp.h"
#include "tcp_splice.h"
#include "timer.h"
#include "udp.h"

#define LOG_SIZE_DEFAULT	(1024 * 1024)

/* --- the board --- */

static const struct flow_ops flow_ops[FLOW_TYPE_COUNT] = {
	/*		    work	     expire	 event */
	[FLOW_TCP]	= { tcp_work,	     tcp_expire, tcp_event },
	[FLOW_SPLICE]	= { tcp_splice_work, NULL,	 tcp_splice_event },
	[FLOW_UDP]	= { NULL,	     udp_expire, NULL },
	[FLOW_PING4]	= { NULL,	     ping_expire, ping_event },
	[FLOW_PING6]	= { NULL,	     ping_expire, ping_event },
};

static const struct link_hooks link_hooks = {
	.sink		= dispatch,
	.writable	= flow_link_writable,
	.up		= services_guest_up,
};

static void timer_expired(uint32_t id)
{
	if (id < FLOW_MAX)
		flow_expire(id);
	else if (id == TIMER_NETNS_WATCH)
		netns_watch_expire(id);
	else if (id == TIMER_RA)
		ndp_expire();
	else if (id == TIMER_REASSEMBLY)
		reassembly_expire(id);
	else if (id == TIMER_PCAP)
		pcap_flush();
	else if (id == TIMER_STATS)
		stats_expire();
	else if (id == TIMER_RESOLVER)
		resolver_expire();
	else if (id == TIMER_CONTROL)
		control_expire();
	else if (id == TIMER_BACKLOG)
		backlog_expire(id);
	else
		listen_expire(id);
}

static bool turn_ended(void)
{
	bool more = flow_run_ready();

	if (!conf.splice_only)
		link_flush();
	stats_turn();
	return more;
}

static const struct loop_hooks loop_hooks = {
	.handler = {
		[EV_LINK]	 = link_handle,
		[EV_LINK_LISTEN] = link_handle,
		[EV_TCP]	 = flow_handle,
		[EV_SPLICE]	 = flow_handle,
		[EV_PING]	 = flow_handle,
		[EV_TCP_LISTEN]	 = listen_tcp_handle,
		[EV_UDP]	 = udp_handle,
		[EV_UDP_LISTEN]	 = udp_listen_handle,
		[EV_NEIGH]	 = neigh_watch_handle,
		[EV_RESOLVER]	 = resolv_watch_handle,
		[EV_AGENT]	 = agent_handle,
		[EV_NETNS]	 = netns_watch_handle,
		[EV_CHILD]	 = netns_child_handle,
		[EV_SIGNAL]	 = process_signal_handle,
		[EV_CONTROL]	 = control_handle,
	},
	.expire	= timer_expired,
	.tick	= udp_tick,
	.turn	= turn_ended,
};

/* --- start-up --- */

static void start_parse(struct request *req, int argc, char **argv)
{
	char why[ERR_MAX];

	if (!cmdline_parse(req, argc, argv, why)) {
		fprintf(stderr, "%s: %s\n", argc ? argv[0] : "passt", why);
		exit(EXIT_FAILURE);
	}
	about(req, VERSION);
}

/* Who debugs looks at the terminal while there is one, or at the file; the
 * system's log is for whoever has neither. */
static void start_log(const struct request *req)
{
	bool debugging = req->level >= LOG_LVL_DEBUG && !req->log_file;
	bool spawns = process_spawns(req);
	bool watched = debugging && (req->foreground || spawns);
	struct log_config cfg = {
		.ident = about_program(req),
		.level = req->level,
		.to_stderr = watched || (req->foreground && !spawns),
		.to_syslog = !req->log_file && !watched,
		.file = req->log_file,
		.file_limit = req->log_size ? req->log_size : LOG_SIZE_DEFAULT,
	};
	int rc = log_start(&cfg, VERSION);

	if (rc)
		die("Couldn't open log file %s: %s", req->log_file,
		    strerror(-rc));
}

/* What the kernel says, and what follows: conf. Then the modules. */
static void start_conf(struct conf *c, const struct request *req)
{
	static struct host host;
	char why[ERR_MAX];
	int rc;

	if (loop_init())
		die("Couldn't set up the event loop: %s", strerror(errno));
	if (!host_snapshot(&host, req, why) || !derive_conf(c, req, &host, why))
		die("%s", why);
	rc = flow_init(flow_ops) ?: neigh_init();
	if (rc)
		die("No random numbers from the kernel: %s", strerror(-rc));
	fwd_init();
	resolver_init();
	dhcpv6_init();
	tcp_splice_init();
	udp_init();
	listen_protocols(!c->no_tcp, !c->no_udp);
}

static void start_listeners(uint8_t pif)
{
	char why[ERR_MAX];

	if (!listen_open(pif, why, sizeof(why)))
		die("%s", why);
}

static void start_tap(const struct netns *ns)
{
	const struct link_caps caps = {
		.csum = ns->tap_csum, .tso4 = ns->tap_tso4,
		.tso6 = ns->tap_tso6, .uso = ns->tap_uso,
		/* Less the shortest of headers: Ethernet, IPv4, UDP. Whoever
		 * has longer ones takes them off. */
		.max_payload = ETH_FRAME_MAX - 14 - 20 - 8,
	};
	int rc;

	if (ns->tap_fd < 0)
		return;
	rc = tap_attach(ns->tap_fd, ns->tap_vnet, &caps, &link_hooks);
	if (rc)
		die("Couldn't attach to the tap: %s", strerror(-rc));
	link_set_guest_mac(&ns->tap_mac);
}

static void start_pasta(struct netns *ns, struct conf *c,
			const struct request *req)
{
	int host_diag = diag_open();

	netns_setup(ns, c, req);
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		if (!c->net[fam].enabled)
			fwd_forget(fam);
	agent_attach(ns->agent_fd);
	if (loop_add(ns->agent_fd, EPOLLIN, (struct ev) { .kind = EV_AGENT }))
		die("Couldn't watch the namespace's agent: %s",
		    strerror(errno));
	start_tap(ns);
	start_listeners(PIF_SPLICE);
	if (host_diag < 0)
		die("Couldn't open sock_diag socket: %s", strerror(-host_diag));
	listen_auto_start(host_diag, ns->diag_fd);
	netns_watch_start(ns->watch_fd);
}

/* What the agent was born with, listeners included, is closed when we say that
 * we are ready: ports are free as soon as we are gone. */
static void start_agent_wait(void)
{
	int rc = agent_wait();

	if (rc)
		die("The process in the namespace does not serve: %s",
		    strerror(-rc));
}

static void start_vm(const struct conf *c, const struct request *req,
		     int listen_fd)
{
	int rc;

	sandbox_take(SANDBOX_NAMESPACE, req);
	rc = stream_attach(listen_fd, c->guest_fd, c->one_off, &link_hooks);
	if (rc)
		die("Couldn't attach to the guest: %s", strerror(-rc));
}

static void start_pcap(const struct conf *c)
{
	int rc = *c->pcap_path ? pcap_open(c->pcap_path) : 0;

	if (rc)
		err("Couldn't open capture file %s: %s", c->pcap_path,
		    strerror(-rc));
}

int main(int argc, char **argv)
{
	static struct request req;
	struct netns ns = { .barrier_fd = -1 };
	struct conf *c = &conf_writable;
	int listen_fd, status, rc;

	start_parse(&req, argc, argv);
	sandbox_take(SANDBOX_INITIAL, &req);
	process_init();
	start_log(&req);
	background_start(&req);

	start_conf(c, &req);
	listen_fd = unix_sock_guest(c);
	if (control_start(unix_sock_control(&req)))
		die("Couldn't watch the control socket: %s", strerror(errno));
	start_listeners(PIF_HOST);
	sandbox_take(SANDBOX_IDENTITY, &req);
	start_pcap(c);
	if (c->mode == MODE_PASTA)
		start_pasta(&ns, c, &req);
	else
		start_vm(c, &req, listen_fd);
	rc = process_signals_watch();
	if (rc)
		die("Couldn't watch signals: %s", strerror(-rc));

	conf_warn(c, &req);
	if (!process_spawns(&req) || req.level >= LOG_LVL_DEBUG)
		conf_summary(c);
	neigh_watch_start();
	resolv_watch_open("/etc/resolv.conf");
	sandbox_take(SANDBOX_FILES, &req);
	resolv_watch_confine();
	if (c->mode == MODE_PASTA)
		start_agent_wait();
	process_death_signal();
	rc = conf_freeze();
	if (rc)
		die("Couldn't make the configuration read-only: %s",
		    strerror(-rc));
	sandbox_take(SANDBOX_FINAL, &req);
	background_ready();
	stats_start(c->stats_s);
	if (!process_told_to_end())
		netns_spawn_release(&ns);
	leftover_keep();
	log_detach();
	sandbox_take(SANDBOX_RUNNING, &req);

	loop_once(&loop_hooks, 0);	/* what start-up has committed leaves */
	status = loop_run(&loop_hooks);
	stats_exit();
	pcap_sync();
	log_sync();
	_exit(status);
}
