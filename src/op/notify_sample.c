#include "op/notify_sample.h"

#include "op/notify.h"

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of those that say it (0 or less does not); *enough says whether there are. */
static int64_t median(const int64_t *all, size_t count, bool *enough)
{
    int64_t kept[NOTIFY_SAMPLES];
    size_t n = 0;
    for (size_t i = 0; i < count && n < NOTIFY_SAMPLES; i++)
        if (all[i] > 0)
            kept[n++] = all[i];
    mem_sort(kept, n, sizeof *kept, compare);
    *enough = n >= NOTIFY_SAMPLES_LEAST;
    return *enough ? kept[n / 2] : 0;
}

static bool is_far(int64_t value, int64_t usual, int64_t least)
{
    int64_t apart = value > usual ? value - usual : usual - value;
    return apart >= least && (value > usual ? value / 2 > usual : value < usual / 2);
}

void notify_sample_judge(const StateSamples *samples, int64_t id, StrList *out)
{
    int64_t rows[NOTIFY_SAMPLES], bytes[NOTIFY_SAMPLES], took[NOTIFY_SAMPLES];
    const StateSample *mine = NULL;
    size_t n = 0;
    char is[32], usual[32];
    bool enough;
    for (size_t i = 0; i < samples->count; i++) {
        const StateSample *one = &samples->items[i];
        if (one->job == id) {
            mine = one;
        } else if (n < NOTIFY_SAMPLES) {
            rows[n] = one->rows;
            bytes[n] = (int64_t)one->bytes_done;
            took[n++] = one->duration_ms;
        }
    }
    if (!mine)
        return;
    int64_t m = median(rows, n, &enough);
    if (enough && mine->rows >= 0 && is_far(mine->rows, m, NOTIFY_LEAST_ROWS))
        strlist_own(out,
                    mem_printf("%lld rows, and usually %lld", (long long)mine->rows, (long long)m));
    m = median(bytes, n, &enough);
    if (enough && mine->bytes_done && is_far((int64_t)mine->bytes_done, m, NOTIFY_LEAST_BYTES))
        strlist_own(out, mem_printf("%s, and usually %s", text_size(mine->bytes_done, is),
                                    text_size((uint64_t)m, usual)));
    m = median(took, n, &enough);
    if (enough && mine->duration_ms / 3 > m && mine->duration_ms - m >= NOTIFY_LEAST_MS)
        strlist_own(out, mem_printf("it took %s, and usually %s",
                                    text_duration(mine->duration_ms, is), text_duration(m, usual)));
}
