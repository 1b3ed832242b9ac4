/* A time zone's name or rule, as a setting has it; and what its clocks show all through the years.
 */
#include "base/zone.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const Instant ends[] = {-2208988800000, 0, 1700000000000, 1711846800000, 4102444800000,
                                   32503680000000};
    AUTO(char) name = input_text(data, size);
    AUTO(Zone) z = NULL;
    if (!*name || !succeeded(zone_open(name, &z)))
        return 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int64_t offset = zone_offset(z, ends[i]);
        /* POSIX lets a rule go to a week. */
        MUST(offset >= -200 * 3600 && offset <= 200 * 3600);
        zone_instant(z, ends[i] + offset * 1000);
        MUST(zone_days_before(z, ends[i], 1) < ends[i]);
    }
    return 0;
}
