#include "flow/speed.h"

#define STEP_MS (SPEED_WINDOW_MS / (SPEED_SAMPLES - 2))

static unsigned place(const Speed *s, unsigned back) /* 0: the newest */
{
    return (s->next + SPEED_SAMPLES - 1 - back) % SPEED_SAMPLES;
}

void speed_add(Speed *s, int64_t now, uint64_t done)
{
    if (s->count && done < s->samples[place(s, 0)].done)
        *s = (Speed){0};
    /* The newest one is only put forward as long as it is not a step away from its predecessor. */
    if (s->count > 1 && s->samples[place(s, 0)].at - s->samples[place(s, 1)].at < STEP_MS)
        s->next = place(s, 0);
    else if (s->count < SPEED_SAMPLES)
        s->count++;
    s->samples[s->next].at = now;
    s->samples[s->next].done = done;
    s->next = (s->next + 1) % SPEED_SAMPLES;
    while (s->count > 2 && now - s->samples[place(s, s->count - 2)].at >= SPEED_WINDOW_MS)
        s->count--;
}

uint64_t speed_rate(const Speed *s)
{
    if (s->count < 2)
        return 0;
    unsigned newest = place(s, 0), oldest = place(s, s->count - 1);
    int64_t ms = s->samples[newest].at - s->samples[oldest].at;
    if (ms < 1000)
        return 0;
    return (uint64_t)((double)(s->samples[newest].done - s->samples[oldest].done) * 1000 /
                      (double)ms);
}

int64_t speed_left(const Speed *s, uint64_t total)
{
    uint64_t rate = speed_rate(s);
    if (!rate || s->samples[place(s, 0)].done > total)
        return -1;
    double ms = (double)(total - s->samples[place(s, 0)].done) * 1000 / (double)rate;
    return ms < 1e15 ? (int64_t)ms : -1;
}
