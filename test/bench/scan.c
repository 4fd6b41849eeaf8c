/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan.c - what it takes to ask which ports somebody listens on
 *
 *	scan COUNT
 *
 * Asks as listen_auto.c does for one namespace, TCP and UDP, with pauses: the
 * processor has forgotten the kernel's tables each time, as it has once a
 * second. Prints the median in microseconds.
 *
 * links: diag buf addr util
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "diag.h"

#define COUNT_MAX 1000

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double took_us[COUNT_MAX];
	int count = argc == 2 ? atoi(argv[1]) : 0, fd = diag_open();
	static struct ports tcp, udp;

	if (fd < 0 || count < 1 || count > COUNT_MAX)
		return 1;
	for (int i = 0; i < count; i++) {
		double start_us = now_us();

		if (diag_ports(fd, IPPROTO_TCP, &tcp) ||
		    diag_ports(fd, IPPROTO_UDP, &udp))
			return 1;
		took_us[i] = now_us() - start_us;
		usleep(10000);
	}
	qsort(took_us, (size_t)count, sizeof(*took_us), by_size);
	printf("%.1f\n", took_us[count / 2]);
	return 0;
}
