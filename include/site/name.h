/*
 * name.h - who asks: the site of a request.
 *
 * The CN of the client's certificate, else the X-Railhead-Site header, else
 * the address (of IPv6 its /64, for a site has the rest to itself).  A name is
 * 1 to 64 of A-Z a-z 0-9 . _ -, and not of digits and dots alone, so that none
 * passes for an address; whoever sends another is his address.  So is a
 * certificate with such a CN: the header never speaks for one.
 *
 * Values only; any thread.
 */
#ifndef SITE_NAME_H
#define SITE_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/str.h"

#define SITE_NAME_MAX 64
#define SITE_TEXT_MAX (SITE_NAME_MAX + 1)
#define SITE_ADDRESS_BYTES 16

enum site_origin { SITE_BY_ADDRESS, SITE_BY_HEADER, SITE_BY_CERTIFICATE };

struct site_id {
	unsigned char address[SITE_ADDRESS_BYTES]; /* IPv4: ::ffff:1.2.3.4 */
	uint8_t origin;                            /* enum site_origin */
	uint8_t n;                                 /* 0: by address */
	char name[SITE_NAME_MAX];                  /* not terminated */
};

/* CERTIFICATE and HEADER are empty when there are none. */
void site_id_set(struct site_id *, struct str certificate, struct str header,
    const struct sockaddr *);
/* Empty when the address is the site. */
struct str site_id_name(const struct site_id *);
bool site_name_is_valid(struct str);
/* "store-17", "10.1.2.3" or "fd00:1:2:3::/64", terminated; returns OUT. */
const char *site_id_text(const struct site_id *, char out[SITE_TEXT_MAX]);
/* "10.1.2.3" or "fd00:1:2:3::1"; returns OUT. */
const char *site_address_text(
    const unsigned char address[SITE_ADDRESS_BYTES], char out[SITE_TEXT_MAX]);
const char *site_origin_name(enum site_origin); /* "certificate" */

#endif
