/* How fast something goes lately, and when it will be done: over a window that slides with the
 * time, so that what was slow or fast long ago does not count. Belongs to one thread. */
#ifndef PGSTOW_FLOW_SPEED_H
#define PGSTOW_FLOW_SPEED_H

#include <stdint.h>

#define SPEED_WINDOW_MS 15000
#define SPEED_SAMPLES 32

typedef struct Speed {
    struct {
        int64_t at;
        uint64_t done;
    } samples[SPEED_SAMPLES]; /* a ring, the newest at (next - 1) */
    unsigned next, count;
} Speed;

/* How much is done by now (clock_mono_ms). Less than before means that something else is counted:
 * it begins anew. Samples that come faster than the window has room for take each other's place. */
void speed_add(Speed *s, int64_t now, uint64_t done);
/* A second; 0 where it is not known yet (less than a second has been seen), or stands still. */
uint64_t speed_rate(const Speed *s);
/* Milliseconds until `total`; -1 where that is not known. */
int64_t speed_left(const Speed *s, uint64_t total);

#endif
