/* SPDX-License-Identifier: MIT */
/* What the programs that `ebtrace bench` traces share. */
#ifndef STORM_H
#define STORM_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHUNKS 200    /* the lower quartile counts: in the others the CPU may have been shared */

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void must(int truth, const char *what)
{
	if (!truth) {
		perror(what);
		exit(1);
	}
}

static int ascending(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

#endif
