/*
 * cpu.h - processor time of the server's processes, user and system, in s.
 */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <stddef.h>
#include <sys/types.h>

/* Of those that still run.  One's figure is in steps of 10 ms. */
double cpu_of(const pid_t *pids, size_t n);

#endif
