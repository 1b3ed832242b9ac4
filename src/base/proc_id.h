/* Which process it is, beyond its number, which another one may get later: so that what a dead
 * process has left behind is known as such. */
#ifndef PGSTOW_BASE_PROC_ID_H
#define PGSTOW_BASE_PROC_ID_H

#include <stdbool.h>
#include <stdint.h>

/* When a process began, in the kernel's ticks since boot; -1 where that cannot be read (no such
 * process, no /proc). */
int64_t proc_id_start(int64_t pid);
/* The boot's id and the PID namespace, in which alone a PID means something; empty where there is
 * no /proc. Caller frees. */
char *proc_id_boot(void);
/* Whether the process of this number, begun then, in this boot and namespace, still runs: one that
 * has ended and only waits to be reaped does not. With a start of -1 the number alone decides. */
bool proc_id_is_alive(int64_t pid, int64_t start);

#endif
