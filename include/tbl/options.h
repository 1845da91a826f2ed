/*
 * options.h - every setting of railhead.yaml, one row each.
 *
 * The reader, its ranges and defaults, and the test that conf/railhead.yaml
 * shows each option once are made of these rows.
 *
 * The file is a tree of sections (the root is SECTION_ROOT, struct config):
 *
 * GROUP(id, parent, key, help): a map; its options are fields of the parent's
 *	struct.
 * LIST(id, parent, key, struct, field, element, max, absent, help): a list of
 *	maps, kept as an array of struct ELEMENT in FIELD, its length in
 *	n_FIELD; at most MAX; when the key is not there, ABSENT elements that
 *	are all defaults.
 * NAMED(id, parent, key, struct, field, element, max, help): a map from names
 *	to maps, kept likewise; the name is the element's first field.
 *
 * OPTION(section, key, type, struct, field, default, min, max, help): types
 * are in common/config_int.h.  A default is written as in the file; "null"
 * leaves the field zero, NULL makes the option required.  Bounds are written
 * as in the file, too; "" is none.  MIN holds the words of a WORD in the order
 * of their values, and the schemes of a URL; MAX the most bytes of a TEXT.
 *
 * Sections and options are read in the order of the rows, sections first: what
 * is named (links, upstreams) before what names it.
 */
/* clang-format off */

/*    id           parent    key          where it is kept                          most, absent */
LIST (LISTEN,      ROOT,     "listen",    config, listens, config_listen,             64, 1, "Where clients pull from.")
GROUP(LISTEN_TLS,  LISTEN,   "tls",       "Certificates of this address; none: plain HTTP.")
GROUP(ADMIN,       ROOT,     "admin",     "The control plane.")
GROUP(ADMIN_TLS,   ADMIN,    "tls",       "Certificates of the control plane; none: plain HTTP.")
GROUP(STORE,       ROOT,     "store",     "Where blobs and manifests are kept.")
GROUP(LIMITS,      ROOT,     "limits",    "Ceilings of the data plane.")
NAMED(LINK,        ROOT,     "links",     config, links, config_link,                 64,    "WAN links and their budgets.")
GROUP(LINK_SHARES, LINK,     "shares",    "What a class keeps of the link while pulls want it all.")
LIST (WINDOW,      LINK,     "windows",   config_link, windows, config_window,        64, 0, "Times with rates of their own.")
GROUP(LINK_QUOTA,  LINK,     "quota",     "A month's budget of a metered link.")
NAMED(UPSTREAM,    ROOT,     "upstreams", config, upstreams, config_upstream,        256,    "Registries that are mirrored.")
LIST (ENDPOINT,    UPSTREAM, "endpoints", config_upstream, endpoints, config_endpoint, 16, 1, "Where an upstream is reached, tried in order.")
GROUP(AUTH,        UPSTREAM, "auth",      "Who we are to the upstream; none: anonymous.")
LIST (TAG,         ROOT,     "tags",      config, tags, config_tag_rule,            1000, 1, "How long a tag is believed; the first match counts.")
LIST (SITE,        ROOT,     "sites",     config, sites, config_site_rule,          1000, 0, "Which ring a site is in; the first match counts.")
GROUP(GATE,        ROOT,     "gate",      "What a gate asks before it opens.")
GROUP(RELEASES,    ROOT,     "releases",  "Content to bring in before it is asked for.")
GROUP(LOG,         ROOT,     "log",       "Lines on stderr.")

/*     section      key                        type      where it is kept                             default             min        max */
OPTION(ROOT,        "region",                  TEXT,     config, region,                              "",                 "",        "64",      "The name of this mirror's region, for people and metrics.")
OPTION(ROOT,        "serve_loops",             COUNT,    config, serve_loops,                         "0",                "0",       "256",     "Threads that serve clients; 0: one per core.")
OPTION(ROOT,        "default_upstream",        UPSTREAM, config, default_upstream,                    "null",             "",        "",        "Who is meant when a client names no upstream.")

OPTION(LISTEN,      "address",                 ADDRESS,  config_listen, address,                      "0.0.0.0:5000",     "",        "",        "Address and port; [::1]:5000, or :5000 for all addresses.")
OPTION(LISTEN_TLS,  "certificate",             FILE,     config_listen, tls.certificate,              "null",             "",        "",        "PEM file: certificate and chain.")
OPTION(LISTEN_TLS,  "key",                     FILE,     config_listen, tls.key,                      "null",             "",        "",        "PEM file: private key.")
OPTION(LISTEN_TLS,  "client_ca",               FILE,     config_listen, tls.client_ca,                "null",             "",        "",        "PEM file: whose clients may pull; null: everybody.")

OPTION(ADMIN,       "address",                 ADDRESS,  config, admin.address,                       "127.0.0.1:5001",   "",        "",        "Address and port of the control plane.")
OPTION(ADMIN,       "tokens",                  FILE,     config, admin.tokens,                        "null",             "",        "",        "Tokens file; null: who reaches the address may do all.")
OPTION(ADMIN_TLS,   "certificate",             FILE,     config, admin.tls.certificate,               "null",             "",        "",        "PEM file: certificate and chain.")
OPTION(ADMIN_TLS,   "key",                     FILE,     config, admin.tls.key,                       "null",             "",        "",        "PEM file: private key.")
OPTION(ADMIN_TLS,   "client_ca",               FILE,     config, admin.tls.client_ca,                 "null",             "",        "",        "PEM file: whose clients may connect; null: everybody.")

OPTION(STORE,       "path",                    PATH,     config, store_path,                          "/var/lib/railhead", "",       "",        "Folder of the store.")
OPTION(STORE,       "capacity",                SIZE,     config, store_capacity,                      "200GiB",           "1B",      "1000PiB", "Evict above this.")
OPTION(STORE,       "min_free",                SIZE,     config, store_min_free,                      "5GiB",             "0B",      "1000PiB", "Leave this much of the disk free.")

OPTION(LIMITS,      "connections",             COUNT,    config, limits.connections,                  "20000",            "1",       "1000000", "Clients connected at once.")
OPTION(LIMITS,      "connections_per_address", COUNT,    config, limits.connections_per_address,      "0",                "0",       "1000000", "The same, of one address; 0: not limited.")
OPTION(LIMITS,      "head",                    SIZE,     config, limits.head_bytes,                   "16KiB",            "1KiB",    "1MiB",    "Largest head of a request.")
OPTION(LIMITS,      "head_timeout",            DURATION, config, limits.head_timeout_ms,              "10s",              "100ms",   "10m",     "How long a request's head may take.")
OPTION(LIMITS,      "idle_timeout",            DURATION, config, limits.idle_timeout_ms,              "75s",              "100ms",   "1d",      "How long a connection may stand idle.")
OPTION(LIMITS,      "drain",                   DURATION, config, limits.drain_ms,                     "30s",              "0s",      "1h",      "How long replies may go on after SIGTERM.")

OPTION(LINK,        "rate",                    RATE,     config_link, rate,                           "unlimited",        "8bit",    "unlimited", "What the link may carry, in bits per second.")
OPTION(LINK,        "prewarm",                 RATE,     config_link, prewarm,                        "unlimited",        "off",     "unlimited", "What releases may take of it; off: nothing.")
OPTION(LINK,        "connections",             COUNT,    config_link, connections,                    "16",               "1",       "1024",    "Transfers at once.")
OPTION(LINK,        "overhead",                PERCENT,  config_link, overhead,                       "5%",               "0%",      "100%",    "What TCP, IP and TLS add to the bytes received.")
OPTION(LINK,        "stall",                   DURATION, config_link, stall_ms,                       "60s",              "100ms",   "1h",      "Readers wait so long for the next byte; a silent transfer is tried again after a third of it.")
OPTION(LINK,        "timezone",                ZONE,     config_link, timezone,                       "UTC",              "",        "",        "Of the windows and the quota; an IANA name.")
OPTION(LINK,        "interface",               TEXT,     config_link, interface,                      "null",             "",        "15",      "Network interface to leave by; null: any.")
OPTION(LINK,        "proxy",                   PROXY,    config_link, proxy,                          "null",             "http, https, socks5, socks5h", "", "Proxy to leave by; null: none.")
OPTION(LINK_SHARES, "refresh",                 PERCENT,  config_link, shares[CLASS_REFRESH],          "3%",               "0%",      "50%",     "For looking whether tags have moved.")
OPTION(LINK_SHARES, "prewarm",                 PERCENT,  config_link, shares[CLASS_PREWARM],          "5%",               "0%",      "50%",     "For releases.")
OPTION(LINK_SHARES, "repair",                  PERCENT,  config_link, shares[CLASS_REPAIR],           "2%",               "0%",      "50%",     "For fetching again what a scrub found broken.")
OPTION(WINDOW,      "days",                    DAYS,     config_window, days,                         "all",              "",        "",        "mon-sat, mon,wed or all: the days on which it begins.")
OPTION(WINDOW,      "from",                    TIME,     config_window, from_min,                     "00:00",            "00:00",   "23:59",   "When it begins.")
OPTION(WINDOW,      "to",                      TIME,     config_window, to_min,                       "24:00",            "00:00",   "24:00",   "When it ends; before `from`: on the next day.")
OPTION(WINDOW,      "rate",                    RATE,     config_window, rate,                         "null",             "8bit",    "1000Tbit", "The link's rate meanwhile; null: as outside.")
OPTION(WINDOW,      "prewarm",                 RATE,     config_window, prewarm,                      "null",             "off",     "1000Tbit", "Its prewarm meanwhile; null: as outside.")
OPTION(LINK_QUOTA,  "bytes",                   SIZE,     config_link, quota_bytes,                    "0",                "0",       "1000PiB", "Bytes a month; 0: not limited.")
OPTION(LINK_QUOTA,  "resets_on",               COUNT,    config_link, quota_resets_on,                "1",                "1",       "28",      "Day of the month on which it starts anew.")
OPTION(LINK_QUOTA,  "reserve",                 SIZE,     config_link, quota_reserve,                  "0",                "0",       "1000PiB", "The last bytes of it, which only pulls may spend.")

OPTION(UPSTREAM,    "aliases",                 NAMES,    config_upstream, aliases,                    "null",             "",        "16",      "Other names that clients use for it.")
OPTION(UPSTREAM,    "visibility",              WORD,     config_upstream, visibility,                 "null",             "public, private", "", "private: who asks for a digest must be able to see its repository; null: private with auth, else public.")
OPTION(UPSTREAM,    "denied",                  COUNT,    config_upstream, denied_status,              "404",              "403",     "404",     "Status a client is told when the upstream denies.")
OPTION(UPSTREAM,    "ratelimit_floor",         COUNT,    config_upstream, ratelimit_floor,            "20",               "0",       "1000000", "With fewer requests left of the upstream's limit, only pulls may spend them.")
OPTION(ENDPOINT,    "url",                     URL,      config_endpoint, url,                        "null",             "http, https", "",    "Registry or another Railhead.")
OPTION(ENDPOINT,    "layout",                  PATH,     config_endpoint, layout,                     "null",             "",        "",        "OCI image layout, a folder or a tar file, instead of a URL.")
OPTION(ENDPOINT,    "ca",                      FILE,     config_endpoint, ca,                         "null",             "",        "",        "PEM file: who may vouch for it; null: the system's.")
OPTION(ENDPOINT,    "link",                    LINK,     config_endpoint, link,                       "null",             "",        "",        "Link that its bytes cross; null: not limited.")
OPTION(ENDPOINT,    "segments",                COUNT,    config_endpoint, segments,                   "1",                "1",       "16",      "Ranges of one large blob that are fetched at once.")
OPTION(AUTH,        "docker_config",           FILE,     config_upstream, auth.docker_config,         "null",             "",        "",        "Docker's config.json with credentials or helpers.")
OPTION(AUTH,        "username",                TEXT,     config_upstream, auth.username,              "null",             "",        "255",     "Instead of docker_config.")
OPTION(AUTH,        "password_file",           FILE,     config_upstream, auth.password_file,         "null",             "",        "",        "File with the password, on one line.")

OPTION(TAG,         "match",                   TEXT,     config_tag_rule, match,                      "*",                "",        "255",     "Pattern over repository:tag.")
OPTION(TAG,         "immutable",               BOOL,     config_tag_rule, immutable,                  "off",              "",        "",        "The tag never moves: the first digest is kept.")
OPTION(TAG,         "ttl",                     SECONDS,  config_tag_rule, ttl_s,                      "5m",               "0s",      "365d",    "Ask the upstream again after this.")
OPTION(TAG,         "stale",                   SECONDS,  config_tag_rule, stale_s,                    "7d",               "0s",      "3650d",   "Serve it for so long after that while the upstream is down.")

OPTION(SITE,        "match",                   SITE,     config_site_rule, match,                     NULL,               "",        "255",     "Pattern over the site, or a block of addresses.")
OPTION(SITE,        "ring",                    TEXT,     config_site_rule, ring,                      NULL,               "",        "64",      "Rollout group.")

OPTION(GATE,        "max_lag",                 DURATION, config, gate.max_lag_ms,                     "0s",               "0s",      "365d",    "The mirror may be so far behind.")
OPTION(GATE,        "min_hit_ratio",           RATIO,    config, gate.min_hit_ratio,                  "0.98",             "0",       "1",       "Of the release's own digests.")
OPTION(GATE,        "window",                  DURATION, config, gate.window_ms,                      "15m",              "1s",      "1d",      "The time over which ratios are taken.")
OPTION(GATE,        "min_requests",            COUNT,    config, gate.min_requests,                   "50",               "0",       "1000000", "Below this many the ratio is skipped.")
OPTION(GATE,        "max_error_ratio",         RATIO,    config, gate.max_error_ratio,                "0.05",             "0",       "1",       "Of requests to the upstreams.")

OPTION(GATE,        "require_links",           BOOL,     config, gate.require_links,                  "on",               "",        "",        "Closed while an upstream of the release can't be reached.")

OPTION(RELEASES,    "folder",                  PATH,     config, releases_folder,                     "null",             "",        "",        "Folder of lists, NAME.yaml or NAME.json each; read at start and when they change.")

OPTION(LOG,         "level",                   WORD,     config, log.level,                           "info",             "debug, info, warn, error", "", "The least that is written.")
OPTION(LOG,         "format",                  WORD,     config, log.format,                          "json",             "json, text", "",     "For machines or for people.")
OPTION(LOG,         "access",                  BOOL,     config, log.access,                          "on",               "",        "",        "A line for each request.")

/* clang-format on */
#undef GROUP
#undef LIST
#undef NAMED
#undef OPTION
