/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - is this namespace connected?
 *
 *	probe PORT [KIND:ADDRESS:PORT]...	once
 *	probe -- PORT [KIND:ADDRESS:PORT]...	for each line of input
 *
 * Listens at PORT itself, for connections and datagrams, and sends a few bytes
 * to each address, by "tcp" or "udp". The addresses are such that it can only
 * hear of them again through pasta, out and in. IPv6 addresses are in brackets.
 *
 * Once: exit status 0, or 3 and a line for what has not arrived. With "--", an
 * empty line asks for the same, and "links" for the network interfaces; the
 * answer is one line: "ok" or what is wrong, or their names.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS	2000
#define WORD	"probe"

static int tcp_fd = -1, udp_fd = -1;

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(2);
}

static int listener(int type, uint16_t port)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6, .sin6_port = htons(port),
	};
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(fd, 16)))
		fail("listener");
	return fd;
}

/* "udp:[fd77::2]:5001", cut up in place */
static bool target_parse(char *text, int *type, struct sockaddr_storage *to,
			 socklen_t *len)
{
	struct sockaddr_in6 *in6 = (void *)to;
	struct sockaddr_in *in = (void *)to;
	char *host = strchr(text, ':'), *port = strrchr(text, ':');
	uint16_t number = htons((uint16_t)atoi(port ? port + 1 : "0"));

	if (!host || port == host)
		return false;
	*host++ = *port = '\0';
	*type = strcmp(text, "udp") ? SOCK_STREAM : SOCK_DGRAM;
	memset(to, 0, sizeof(*to));
	if (*host == '[') {
		port[-1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = number;
		*len = sizeof(*in6);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1;
	}
	in->sin_family = AF_INET;
	in->sin_port = number;
	*len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static bool wait_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, WAIT_MS) == 1;
}

static bool word_arrives(int fd)
{
	char buf[sizeof(WORD)];

	return wait_for(fd, POLLIN) && recv(fd, buf, sizeof(buf), 0) ==
	       sizeof(WORD) && !memcmp(buf, WORD, sizeof(WORD));
}

/* A connection that ends here may be an older one, given up. */
static bool connection_arrives(void)
{
	while (wait_for(tcp_fd, POLLIN)) {
		int fd = accept(tcp_fd, NULL, NULL);
		bool arrived = fd >= 0 && word_arrives(fd);

		if (fd >= 0)
			close(fd);
		if (arrived)
			return true;
	}
	return false;
}

static bool target_reached(const char *target)
{
	struct sockaddr_storage to;
	struct timeval wait = { WAIT_MS / 1000, 0 };
	char text[128];
	socklen_t len;
	bool reached;
	int type, fd;

	snprintf(text, sizeof(text), "%s", target);
	if (!target_parse(text, &type, &to, &len))
		fail(target);
	fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	reached = !connect(fd, (struct sockaddr *)&to, len) &&
		  send(fd, WORD, sizeof(WORD), MSG_NOSIGNAL) == sizeof(WORD) &&
		  (type == SOCK_STREAM ? connection_arrives() :
					 word_arrives(udp_fd));
	close(fd);
	return reached;
}

static const char *first_missing(char **target)
{
	for (; *target; target++)
		if (!target_reached(*target))
			return *target;
	return NULL;
}

static void links_print(void)
{
	struct if_nameindex *all = if_nameindex();

	for (unsigned i = 0; all && all[i].if_index; i++)
		printf("%s%s", i ? " " : "", all[i].if_name);
	printf("\n");
	if_freenameindex(all);
}

int main(int argc, char **argv)
{
	bool asked = argc > 2 && !strcmp(argv[1], "--");
	char line[16], **arg = argv + 1 + asked;
	const char *missing;

	if (argc < 2)
		return 2;
	tcp_fd = listener(SOCK_STREAM, (uint16_t)atoi(arg[0]));
	udp_fd = listener(SOCK_DGRAM, (uint16_t)atoi(arg[0]));
	if (!asked) {
		missing = first_missing(arg + 1);
		if (missing)
			fprintf(stderr, "not reached: %s\n", missing);
		return missing ? 3 : 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "links\n")) {
			links_print();
			continue;
		}
		missing = first_missing(arg + 1);
		printf("%s%s\n", missing ? "not reached: " : "ok",
		       missing ? missing : "");
	}
	return 0;
}
