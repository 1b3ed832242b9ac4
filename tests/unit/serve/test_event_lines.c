/* A child's events, however they are cut up on their way. */
#include "../unit.h"

#include "serve/event_lines.h"

static Buf seen;

static void take(void *ctx, Doc *event)
{
    AUTO(Doc) d = event;
    buf_printf(ctx, "%s;", doc_str(d, "event", "?"));
}

static void feed(EventLines *l, const char *text, size_t portion)
{
    for (size_t n = strlen(text); n;) {
        size_t part = portion < n ? portion : n;
        event_lines_take(l, text, part, take, &seen);
        text += part;
        n -= part;
    }
}

static void test_any_portions(void **state)
{
    static const char text[] =
        "{\"event\": \"start\"}\n{\"event\": \"x\", \"y\": [1]}\n\nnonsense\n[]\n"
        "{\"event\": \"end\"}\n{\"event\": \"half";
    (void)state;
    for (size_t portion = 1; portion < sizeof text; portion++) {
        AUTO_VALUE(EventLines) l = {0};
        feed(&l, text, portion);
        AUTO(char) got = buf_steal_str(&seen);
        assert_string_equal(got, "start;x;?;end;");
        feed(&l, "\"}\n", portion);
        AUTO(char) last = buf_steal_str(&seen);
        assert_string_equal(last, "half;");
    }
}

static void test_too_long(void **state)
{
    AUTO_VALUE(EventLines) l = {0};
    AUTO(char) filler = mem_zalloc((1u << 20) + 1);
    (void)state;
    memset(filler, 'x', 1u << 20);
    feed(&l, "{\"event\": \"", 100);
    for (int i = 0; i < 20; i++)
        feed(&l, filler, 1u << 20);
    assert_true(l.line.cap <= 16u << 20);
    feed(&l, "\"}\n{\"event\": \"next\"}\n", 100);
    AUTO(char) got = buf_steal_str(&seen);
    assert_string_equal(got, "next;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_portions),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
