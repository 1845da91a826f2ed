/*
 * http_headers.h - the request headers that we look at, one row each.
 *
 * HTTP_HEADER(id, lower-case name, what a second one does): REFUSE answers
 * 400, JOIN joins the values with ", " (RFC 9110 section 5.3), FIRST keeps the
 * first.  All other headers are checked for syntax and forgotten.
 */
/* clang-format off */
HTTP_HEADER(HOST,              "host",                REFUSE)
HTTP_HEADER(CONNECTION,        "connection",          JOIN)
HTTP_HEADER(CONTENT_LENGTH,    "content-length",      REFUSE)
HTTP_HEADER(TRANSFER_ENCODING, "transfer-encoding",   REFUSE)
HTTP_HEADER(CONTENT_TYPE,      "content-type",        FIRST)
HTTP_HEADER(EXPECT,            "expect",              FIRST)
HTTP_HEADER(RANGE,             "range",               FIRST)
HTTP_HEADER(IF_RANGE,          "if-range",            FIRST)
HTTP_HEADER(IF_NONE_MATCH,     "if-none-match",       JOIN)
HTTP_HEADER(AUTHORIZATION,     "authorization",       FIRST)
HTTP_HEADER(USER_AGENT,        "user-agent",          FIRST)
HTTP_HEADER(ACCEPT,            "accept",              FIRST)
HTTP_HEADER(SITE,              "x-railhead-site",     FIRST)
/* clang-format on */
#undef HTTP_HEADER
