/* Times, durations, sizes and numbers as people write them. */
#include "base/clock.h"
#include "base/text.h"
#include "fuzz.h"

static void check_instant(const char *text)
{
    Instant t, again;
    char iso[CLOCK_TEXT], compact[CLOCK_TEXT], key[CLOCK_TEXT], human[CLOCK_TEXT];
    if (!succeeded(clock_parse(text, &t)))
        return;
    clock_iso(t, iso);
    clock_compact(t, compact);
    clock_key(t, key);
    clock_human(t, human);
    /* A zone may lead out of the years of four digits, which nobody could then read back. */
    if (t < INT64_C(-30610224000000) || t >= INT64_C(253402300800000))
        return;
    MUST(succeeded(clock_parse(iso, &again)) && again == t);
    MUST(succeeded(clock_parse(compact, &again)) && again / 1000 * 1000 == again);
    MUST(succeeded(clock_parse(key, &again)));
    MUST(succeeded(clock_parse(human, &again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char) text = input_text(data, size);
    int64_t number;
    uint64_t bytes;
    bool flag;
    char out[32];
    check_instant(text);
    if (succeeded(clock_parse_duration(text, &number))) {
        MUST(number >= 0);
        MUST(strlen(text_duration(number, out)) < sizeof out);
    }
    if (succeeded(text_parse_size(text, &bytes)))
        MUST(strlen(text_size(bytes, out)) < sizeof out);
    if (succeeded(text_parse_int(text, -5, 1000, &number)))
        MUST(number >= -5 && number <= 1000);
    succeeded(text_parse_bool(text, &flag));
    return 0;
}
