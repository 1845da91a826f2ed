/*
 * gate_codes.h - why a gate is closed, one row each; the words are stable.
 *
 * GATE_CODE(id, code, rule): the rule is what a skipped one is listed as.
 */
/* clang-format off */
GATE_CODE(STATE_UNKNOWN,   "state_unknown",   "complete")
GATE_CODE(NOT_WALKED,      "bytes_unknown",   "complete")
GATE_CODE(NOT_PINNED,      "not_pinned",      "complete")
GATE_CODE(BYTES_MISSING,   "bytes_missing",   "complete")
GATE_CODE(BYTES_UNREAD,    "bytes_unread",    "complete")
GATE_CODE(IMAGES_FAILED,   "images_failed",   "complete")
GATE_CODE(HELD,            "held",            "held")
GATE_CODE(FROZEN,          "frozen",          "frozen")
GATE_CODE(LAG_HIGH,        "lag_high",        "lag")
GATE_CODE(CLOCK_SKEW,      "clock_skew",      "lag")
GATE_CODE(RATIO_LOW,       "hit_ratio_low",   "hit_ratio")
GATE_CODE(BYTE_RATIO_LOW,  "byte_ratio_low",  "byte_ratio")
GATE_CODE(RATIO_FEW,       "requests_few",    "hit_ratio")
GATE_CODE(RATIO_UNKNOWN,   "ratio_unknown",   "hit_ratio")
GATE_CODE(ERRORS_HIGH,     "upstream_errors", "upstream_errors")
GATE_CODE(ERRORS_UNKNOWN,  "errors_unknown",  "upstream_errors")
GATE_CODE(LINK_DOWN,       "link_down",       "links")
/* clang-format on */
#undef GATE_CODE
