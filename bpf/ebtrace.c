/* SPDX-License-Identifier: GPL-2.0-only */
/* The whole of ebtrace's kernel side. One compilation, so that helpers are shared and one image holds every probe. */
#include "syscalls.c"
#include "process.c"
#include "census.c"
#include "sockets.c"
#include "payload.c"
#include "streams.c"
#include "tls.c"
#include "uring.c"
