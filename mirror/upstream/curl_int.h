/*
 * curl_int.h - what curl_loop.c and hop.c share.
 */
#ifndef UPSTREAM_CURL_INT_H
#define UPSTREAM_CURL_INT_H

#include <curl/curl.h>
#include <stdbool.h>

#include "upstream/hop.h"

/* EASY carries its hop as CURLOPT_PRIVATE. */
int curl_loop_add(struct curl_loop *, CURL *easy);
void curl_loop_remove(struct curl_loop *, CURL *easy);
/* Goes on with a paused transfer: its write callback runs in here. */
CURLcode curl_loop_resume(struct curl_loop *, CURL *easy);
/* Are we in a callback of libcurl's, where it may not be called? */
bool curl_loop_is_inside(const struct curl_loop *);
/* The socket that libcurl watches for this hop; CURL_SOCKET_BAD: none.  Called
 * inside of libcurl. */
void hop_at_socket(struct hop *, curl_socket_t);
/* The transfer of this hop is over and out of the multi handle. */
void hop_ended(struct hop *, CURLcode);

#endif
