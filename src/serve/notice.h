/* What the service tells systemd, by the socket that NOTIFY_SOCKET names: that it is ready, that it
 * lives, that it stops. Without that variable nothing. */
#ifndef PGSTOW_SERVE_NOTICE_H
#define PGSTOW_SERVE_NOTICE_H

#include <stdint.h>

/* Lines as sd_notify(3) has them: "READY=1", "STOPPING=1\nSTATUS=...". */
void notice_send(const char *lines);
/* The same as "RELOADING=1", with the time that systemd wants to have with it. */
void notice_reloading(void);
/* How often "WATCHDOG=1" is to be sent, in milliseconds: half of what systemd waits for. 0: never.
 */
int64_t notice_watchdog_ms(void);

#endif
