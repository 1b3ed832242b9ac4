/* A mail's bytes: what is refused, and that every line is short and of ASCII. What a reader makes
 * of it is seen by tests/e2e/test_net.py. */
#include "../unit.h"

#include "net/mail_text.h"

static const char *const head = "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"
                                "From: <pgstow@example.com>\r\n"
                                "To: <dba@example.com>\r\n"
                                "Subject:%s\r\n"
                                "Message-ID: <abc.pgstow@example.com>\r\n"
                                "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Transfer-Encoding: quoted-printable\r\n\r\n%s";

static char *made(const char *subject, const char *text)
{
    AUTO_VALUE(Buf) out = {0};
    Mail m = {.from = "pgstow@example.com", .subject = subject, .text = text};
    strlist_add(&m.to, "dba@example.com");
    OK(mail_text(&m, 0, "abc", &out));
    strlist_free(&m.to);
    return buf_steal_str(&out);
}

static void test_text(void **state)
{
    static const struct {
        const char *subject, *text, *subject_sent, *text_sent;
    } cases[] = {
        {"a test", "", " a test", ""},
        {"", "x", " ", "x\r\n"},
        {"a test", "one\ntwo\n", " a test", "one\r\ntwo\r\n"},
        {"a test", "one\r\ntwo", " a test", "one\r\ntwo\r\n"},
        {"a test", "a\rb\tc = d", " a test", "a=0Db=09c =3D d\r\n"},
        {"a test", "end \n end ", " a test", "end=20\r\n end=20\r\n"},
        {"a test", ".\n..\n\n", " a test", ".\r\n..\r\n\r\n"},
        {"a test", "gr\xc3\xbc\xc3\x9f", " a test", "gr=C3=BC=C3=9F\r\n"},
        {"a test", "\xff\xc3(\xed\xa0\x80", " a test",
         "=EF=BF=BD=EF=BF=BD(=EF=BF=BD=EF=BF=BD=EF=BF=BD\r\n"},
        {"gr\xc3\xbc\xc3\x9f", "x", " =?UTF-8?B?Z3LDvMOf?=", "x\r\n"},
        {"\xff", "x", " =?UTF-8?B?77+9?=", "x\r\n"},
        {"=?no?=", "x", " =?UTF-8?B?PT9ubz89?=", "x\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(char) got = made(cases[i].subject, cases[i].text);
        char want[1000];
        snprintf(want, sizeof want, head, cases[i].subject_sent, cases[i].text_sent);
        assert_string_equal(got, want);
    }
}

static void test_lines(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(Buf) subject = {0};
    for (int i = 0; i < 3000; i++)
        buf_add_str(&text, i % 7 ? "\xe2\x82\xac" : i % 5 ? "ab cd" : "\xf0\x9f\x90\x98");
    for (int i = 0; i < 120; i++)
        buf_add_str(&subject, i % 2 ? "\xe2\x82\xac" : "\xf0\x9f\x90\x98");
    AUTO(char) t = buf_steal_str(&text);
    AUTO(char) s = buf_steal_str(&subject);
    AUTO(char) got = made(s, t);
    size_t lines = 0;
    for (const char *p = got; *p; lines++) {
        const char *end = strstr(p, "\r\n");
        assert_non_null(end);
        assert_true(end - p <= 78);
        for (; p < end; p++)
            assert_true(*p >= ' ' && *p <= '~');
        p = end + 2;
    }
    assert_true(lines > 100);
}

static void test_refused(void **state)
{
    static const char *const addresses[] = {
        "",        "dba",       "@",           "dba@",         "@example.com",  "a@b@c",
        "a b@c.d", "<a@b.c>",   "a@b.c>",      "a@b.c\nX: y",  "a@b.c\r\nX: y", "a@b,c@d",
        "a;b@c.d", "\"a\"@b.c", "a@[1.2.3.4]", "\xc3\xbc@b.c", "a\x7f@b.c",     "a\\@b.c"};
    static const char *const subjects[] = {"a\nb", "a\r\nBcc: x@y.z", "a\rb", "a\tb", "\x01",
                                           "\x7f"};
    (void)state;
    AUTO_VALUE(Buf) out = {0};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        Mail m = {.from = addresses[i], .subject = "s", .text = "t"};
        strlist_add(&m.to, "dba@example.com");
        FAILS(ERR_CONFIG, mail_text(&m, 0, "a", &out));
        m.from = "dba@example.com";
        strlist_add(&m.to, addresses[i]);
        FAILS(ERR_CONFIG, mail_text(&m, 0, "a", &out));
        strlist_free(&m.to);
    }
    Mail m = {.from = "a@b.c", .subject = "s", .text = "t"};
    FAILS(ERR_CONFIG, mail_text(&m, 0, "a", &out)); /* for nobody */
    strlist_add(&m.to, "a@b.c");
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        m.subject = subjects[i];
        FAILS(ERR_CONFIG, mail_text(&m, 0, "a", &out));
    }
    AUTO(char) large = mem_zalloc(MAIL_TEXT_MAX + 2);
    memset(large, 'x', MAIL_TEXT_MAX + 1);
    m.subject = large;
    FAILS(ERR_LIMIT, mail_text(&m, 0, "a", &out));
    m.subject = "s";
    m.text = large;
    FAILS(ERR_LIMIT, mail_text(&m, 0, "a", &out));
    assert_int_equal(out.len, 0);
    large[MAIL_TEXT_MAX] = '\0';
    OK(mail_text(&m, 0, "a", &out));
    m.text = "t";
    for (int i = 0; i < MAIL_TO_MAX; i++)
        strlist_add(&m.to, "a@b.c");
    FAILS(ERR_LIMIT, mail_text(&m, 0, "a", &out));
    strlist_free(&m.to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests_name("net/mail_text", tests, NULL, NULL);
}
