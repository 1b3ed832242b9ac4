/* A request's target, of which every byte comes from strangers. */
#include "base/text.h"
#include "fuzz.h"
#include "serve/http_target.h"

static void plain(const char *s)
{
    MUST(text_is_utf8(s, strlen(s)));
    for (; *s; s++)
        MUST((uint8_t)*s >= 0x20 && *s != 0x7f);
}

/* What it means, written as cautiously as can be. */
static void write_escaped(Buf *out, const char *s)
{
    for (; *s; s++)
        buf_printf(out, "%%%02X", (uint8_t)*s);
}

static char *written(const StrList *segments, const StrList *names, const StrList *values)
{
    AUTO_VALUE(Buf) out = {0};
    for (size_t i = 0; i < segments->count; i++) {
        buf_u8(&out, '/');
        write_escaped(&out, segments->items[i]);
    }
    if (!segments->count)
        buf_u8(&out, '/');
    for (size_t i = 0; i < names->count; i++) {
        buf_u8(&out, i ? '&' : '?');
        write_escaped(&out, names->items[i]);
        buf_u8(&out, '=');
        write_escaped(&out, values->items[i]);
    }
    return buf_steal_str(&out);
}

static void same(const StrList *a, const StrList *b)
{
    MUST(a->count == b->count);
    for (size_t i = 0; i < a->count; i++)
        MUST(!strcmp(a->items[i], b->items[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char) target = input_text(data, size);
    AUTO_VALUE(StrList) segments = {0};
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(StrList) values = {0};
    if (!http_target_parse(target, &segments, &names, &values))
        return 0;
    MUST(*target == '/' && names.count == values.count);
    for (size_t i = 0; i < segments.count; i++) {
        plain(segments.items[i]);
        MUST(*segments.items[i] && strcmp(segments.items[i], ".") &&
             strcmp(segments.items[i], ".."));
    }
    for (size_t i = 0; i < names.count; i++) {
        plain(names.items[i]);
        plain(values.items[i]);
    }
    AUTO(char) again = written(&segments, &names, &values);
    AUTO_VALUE(StrList) segments2 = {0};
    AUTO_VALUE(StrList) names2 = {0};
    AUTO_VALUE(StrList) values2 = {0};
    MUST(http_target_parse(again, &segments2, &names2, &values2));
    same(&segments, &segments2);
    same(&names, &names2);
    same(&values, &values2);
    return 0;
}
