/* A schedule, as a setting has it, and when it is due in zones of several kinds. */
#include "base/cron.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const zones[] = {"CET-1CEST,M3.5.0,M10.5.0/3",
                                        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                        "XXX24YYY-24,J1/0,J365/167", "<-0003>0:03:20"};
    static const Instant from[] = {-62135596800000, -1, 1711846740001, 1793000000000,
                                   4107542400000};
    AUTO(char) text = input_text(data, size);
    AUTO(Cron) cron = NULL;
    if (size > 4096 || !succeeded(cron_parse(text, &cron)))
        return 0;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        AUTO(Zone) z = NULL;
        MUST(succeeded(zone_open(zones[i], &z)));
        for (size_t k = 0; k < sizeof from / sizeof *from; k++) {
            Instant first = cron_next(cron, z, from[k]), second = cron_next(cron, z, first);
            MUST(first > from[k] && first < second && second != CRON_NEVER);
            /* What lies between two has the one behind it and the other before it. */
            Instant middle = first + (second - first) / 2;
            MUST(cron_next(cron, z, middle) == second);
            MUST(cron_prev(cron, z, second) == first);
            MUST(cron_prev(cron, z, middle + 1) == first);
            MUST(cron_count(cron, z, from[k], second, 9) == 2);
        }
    }
    return 0;
}
