/*
 * stand_ins.h - the upstreams that test_admin's mirror has.
 */
#ifndef API_TEST_STAND_INS_H
#define API_TEST_STAND_INS_H

#include "upstream/upstream.h"

/* What upstreams_report() says; the test's to set. */
extern struct endpoint_report reports[4];
extern size_t n_reports;

#endif
