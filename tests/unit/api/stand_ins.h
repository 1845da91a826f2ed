/*
 * stand_ins.h - the upstreams that test_admin's mirror has.
 */
#ifndef API_TEST_STAND_INS_H
#define API_TEST_STAND_INS_H

#include "upstream/upstream.h"

/* What upstreams_report() says; the test's to set. */
#define REPORTS_MAX 4
extern struct endpoint_report reports[REPORTS_MAX];

#endif
