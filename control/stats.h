/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.h - what a running process has done so far, in numbers */
#ifndef STATS_H
#define STATS_H

void stats_start(unsigned every_s);	/* 0: only stats_exit() says something */
void stats_turn(void);		/* at the end of each turn */
void stats_expire(void);	/* TIMER_STATS */
void stats_exit(void);

#endif
