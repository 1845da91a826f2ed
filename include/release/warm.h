/*
 * warm.h - what warms releases: walks what they name, and brings in what is
 * not here.
 *
 *	list: an image --> its index --> manifests of the chosen platforms
 *	      --> configs and layers, and whatever refers to any of them
 *
 * A digest that is missing is one piece, however many images and releases want
 * it.  Pieces begin in the order of their releases (priority, deadline, age),
 * manifests first, a few at a time; the link's budget for prewarm does the
 * rest.  Origin loop only; releases.h is its owner.
 */
#ifndef RELEASE_WARM_H
#define RELEASE_WARM_H

#define WARM_RUNNING_MAX 8    /* pieces under way at a time */
#define WARM_MANIFESTS_MAX 16 /* the same of manifests: they are small */
#define WARM_PIECES_MAX (1u << 20)
#define WARM_DEPTH_MAX 4 /* an index in an index in... */

#define WARM_RETRY_MIN_S 2 /* of what waits */
#define WARM_RETRY_MAX_S 60
#define WARM_FAILED_MIN_S 60 /* of what failed */
#define WARM_FAILED_MAX_S 3600

#endif
