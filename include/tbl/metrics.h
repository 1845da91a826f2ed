/*
 * metrics.h - every number that Railhead publishes, one row each.
 *
 * METRIC(kind, name, scale, labels, help): "railhead_" is put before the name.
 * Values are integers; `scale` is what one is worth in the unit of the name
 * (1e-6 for microseconds kept for a name in seconds).  Labels are few and
 * bounded: never a repository, a digest or a site.
 */
/* clang-format off */
METRIC(COUNTER,   requests_total,            1,    "upstream,kind,result,ring", "Requests of the data plane, counted when their result is known.")
METRIC(COUNTER,   response_bytes_total,      1,    "upstream,kind,result,ring", "Body bytes sent to clients.")
METRIC(HISTOGRAM, request_duration_seconds,  1e-6, "kind,result", "From the request's head to the last byte of its reply.")
METRIC(HISTOGRAM, first_byte_seconds,        1e-6, "kind,result", "From the request's head to the first byte of its reply.")
METRIC(GAUGE,     hit_ratio,                 1e-6, "by,window", "(hit + stale) / (hit + stale + join + miss) of GETs of manifests, tags and blobs.")
METRIC(COUNTER,   upstream_requests_total,   1,    "upstream,endpoint,code", "Requests sent to an upstream, by the status that came back (0: none).")
METRIC(COUNTER,   upstream_errors_total,     1,    "upstream,endpoint,reason", "Requests to an upstream that failed.")
METRIC(COUNTER,   upstream_bytes_total,      1,    "upstream,link,class", "Body bytes received from an upstream, whether or not they ended well.")
METRIC(GAUGE,     upstream_up,               1,    "upstream,endpoint", "1 when the endpoint answered last, 0 when it did not.")
METRIC(GAUGE,     breaker_state,             1,    "upstream,endpoint", "0 closed, 1 half open, 2 open.")
METRIC(GAUGE,     upstream_ratelimit_remaining, 1, "upstream,endpoint", "What the upstream last said is left of its rate limit.")
METRIC(COUNTER,   link_bytes_total,          1,    "link,class", "Bytes received over a link, without the protocols' overhead.")
METRIC(COUNTER,   link_wait_seconds_total,   1e-6, "link,class", "Time that transfers stood still until it was their turn on the link, all of them together.")
METRIC(GAUGE,     link_rate_bytes,           1,    "link", "Bytes per second that the link may carry now; 0: not limited.")
METRIC(GAUGE,     link_up,                   1,    "link", "1 when the link is in service, 0 when it was taken out.")
METRIC(GAUGE,     link_quota_remaining_bytes, 1,   "link", "What is left of the month's quota of a metered link.")
METRIC(GAUGE,     mirror_lag_seconds,        1,    "", "How long the furthest behind of the releases is behind; those that are held or failed apart.")
METRIC(GAUGE,     release_lag_seconds,       1,    "release", "Time since the release was published, while it is not complete here; since the loss, once it was.")
METRIC(GAUGE,     release_missing_bytes,     1,    "release", "Bytes of the release that are not here, as far as they are known.")
METRIC(GAUGE,     release_images,            1,    "release,state", "Images of the release, by their state.")
METRIC(GAUGE,     release_ready_timestamp_seconds, 1, "release", "When the release was complete first; 0: not yet.")
METRIC(GAUGE,     gate_open,                 1,    "release", "1 when the gate of the release is open by the rules of the configuration, 0 when it is closed.")
METRIC(GAUGE,     frozen,                    1,    "", "1 while an operator has declared a freeze.")
METRIC(GAUGE,     tag_confirmed_age_seconds, 1,    "upstream", "How long ago the upstream confirmed the tag that was last answered.")
METRIC(COUNTER,   tag_moved_total,           1,    "upstream", "Immutable tags that the upstream moved.")
METRIC(GAUGE,     fills,                     1,    "", "Fills running now.")
METRIC(GAUGE,     fill_readers,              1,    "", "Readers waiting for fills now.")
METRIC(HISTOGRAM, fill_seconds,              1e-6, "", "From the start of a fill to its commit.")
METRIC(COUNTER,   fill_resumed_total,        1,    "class", "Fills that went on where an earlier transfer had ended.")
METRIC(COUNTER,   fill_broken_total,         1,    "reason", "Transfers of a fill that did not end well.")
METRIC(COUNTER,   fill_readers_cut_total,    1,    "reason", "Readers whose reply was ended before its end.")
METRIC(GAUGE,     store_bytes,               1,    "state", "Bytes of the store.")
METRIC(GAUGE,     store_objects,             1,    "", "Blobs and manifests stored.")
METRIC(GAUGE,     store_capacity_bytes,      1,    "", "Configured capacity.")
METRIC(COUNTER,   store_commits_total,       1,    "", "Blobs and manifests committed.")
METRIC(COUNTER,   corrupt_total,             1,    "", "Files of the store found missing, short or corrupt and set aside.")
METRIC(GAUGE,     connections,               1,    "", "Client connections open now.")
METRIC(COUNTER,   connections_total,         1,    "", "Client connections accepted.")
METRIC(COUNTER,   connections_refused_total, 1,    "reason", "Client connections refused at a ceiling.")
METRIC(COUNTER,   http_requests_refused_total, 1,  "reason", "Requests refused before they reached a handler.")
METRIC(COUNTER,   site_pulls_lost_total,     1,    "", "Requests that no site was credited with: they came faster than they could be noted.")
METRIC(COUNTER,   log_dropped_total,         1,    "", "Log lines dropped because their reader was too slow.")
METRIC(COUNTER,   config_reloads_total,      1,    "result", "Configuration reloads.")
METRIC(GAUGE,     build_info,                1,    "version,commit", "Always 1.")
/* clang-format on */
#undef METRIC
