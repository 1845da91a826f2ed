/*
 * ratio.h - the hit ratio over the last 5 minutes, 15 minutes and hour.
 *
 * Samples traffic_totals() every 10 s on the admin loop; (hit + stale) / (hit +
 * stale + join + miss), errors apart.  Without requests in a window the ratio
 * is 1: nothing had to cross the WAN.  Threads: admin loop only.
 */
#ifndef API_RATIO_H
#define API_RATIO_H

#include <stdint.h>

struct loop;
struct ratio;

enum ratio_window { WINDOW_5M, WINDOW_15M, WINDOW_1H, WINDOW_COUNT };

struct ratio *ratio_new(struct loop *admin); /* NULL when out of memory */
void ratio_free(struct ratio *);             /* NULL is fine */
void ratio_sample(struct ratio *);           /* what the timer does */
/* Millionths, from now back. */
uint64_t ratio_requests(const struct ratio *, enum ratio_window);
uint64_t ratio_bytes(const struct ratio *, enum ratio_window);

#endif
