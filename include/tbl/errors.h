/*
 * errors.h - every way a thing can fail, one row each.
 *
 * ERROR(id, oci_code, http_status): the code of the OCI distribution
 * specification (section "Error Codes"; where the specification has none, the
 * name that registries use), and the status a client sees on the data plane.
 */
/* clang-format off */
ERROR(NONE,              "",                      200)
ERROR(NO_MEMORY,         "UNAVAILABLE",           503)
ERROR(INTERNAL,          "UNKNOWN",               500)
ERROR(BAD_REQUEST,       "BAD_REQUEST",           400)
ERROR(NAME_INVALID,      "NAME_INVALID",          400)
ERROR(DIGEST_INVALID,    "DIGEST_INVALID",        400)
ERROR(NAME_UNKNOWN,      "NAME_UNKNOWN",          404)
ERROR(MANIFEST_UNKNOWN,  "MANIFEST_UNKNOWN",      404)
ERROR(BLOB_UNKNOWN,      "BLOB_UNKNOWN",          404)
ERROR(MANIFEST_INVALID,  "MANIFEST_INVALID",      502)
ERROR(NOT_FOUND,         "NOT_FOUND",             404)
ERROR(UNAUTHORIZED,      "UNAUTHORIZED",          401)
ERROR(DENIED,            "DENIED",                403)
ERROR(RANGE_INVALID,     "RANGE_INVALID",         416)
ERROR(UNSUPPORTED,       "UNSUPPORTED",           405)
ERROR(TOO_LARGE,         "SIZE_INVALID",          413)
ERROR(OVERLOADED,        "UNAVAILABLE",           503)
ERROR(UPSTREAM_DOWN,     "UNAVAILABLE",           503)
ERROR(UPSTREAM_STATUS,   "UNAVAILABLE",           503)
ERROR(UPSTREAM_LIMITED,  "UNAVAILABLE",           503)
ERROR(UPSTREAM_BROKEN,   "UNAVAILABLE",           503)
ERROR(TIMED_OUT,         "UNAVAILABLE",           503)
ERROR(DIGEST_MISMATCH,   "UNAVAILABLE",           502)
ERROR(DISK,              "UNAVAILABLE",           503)
ERROR(DISK_FULL,         "UNAVAILABLE",           507)
ERROR(CONFIG,            "CONFIG_INVALID",        400)
ERROR(CANCELLED,         "UNAVAILABLE",           503)
/* clang-format on */
#undef ERROR
