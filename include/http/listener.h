/*
 * listener.h - listening sockets.  Before the loops start.
 */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include <stddef.h>

#include "common/config.h"
#include "common/err.h"

/*
 * Opens N sockets on one address (SO_REUSEPORT, non-blocking, listening) into
 * FDS.  The address is first probed without SO_REUSEPORT, so that a second
 * Railhead is refused with a sentence instead of sharing the port.  Port 0
 * picks one port for all; *address is updated with it.
 */
err_checked int listener_open(
    struct config_address *address, size_t n, int *fds, struct err *err);

#endif
