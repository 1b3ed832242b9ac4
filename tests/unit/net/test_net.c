/* What never leaves this machine: addresses, headers and settings that are refused, and what
 * messages show of an address. Everything else is in tests/e2e/test_net.py. */
#include "../unit.h"

#include "net/http.h"
#include "net/mail.h"

static void test_origin(void **state)
{
    static const char *const cases[][2] = {
        {"https://example.com/hook/SECRET?token=SECRET#SECRET", "https://example.com"},
        {"https://SECRET:SECRET@example.com:8443/", "https://example.com:8443"},
        {"http://[::1]:80/SECRET", "http://[::1]:80"},
        {"HTTPS://example.com", "https://example.com"},
        {"file:///etc/SECRET", "file://"},
        {"not an address SECRET", "an address"},
        {"", "an address"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(char) got = net_origin(cases[i][0]);
        assert_string_equal(got, cases[i][1]);
    }
}

static void asks(HttpRequest q, ErrorKind kind)
{
    AUTO_VALUE(HttpResponse) r = {0};
    AUTO(Error) e = http_request(&q, NULL, &r);
    assert_non_null(e);
    if (error_kind(e) != kind)
        print_error("%s\n", error_message(e));
    assert_int_equal(error_kind(e), kind);
    assert_null(strstr(error_message(e), "SECRET"));
    assert_int_equal(r.status, 0);
}

static void test_requests_refused(void **state)
{
    static const char *const urls[] = {
        "",
        "example.com/SECRET",
        "/SECRET",
        "file:///etc/SECRET",
        "ftp://example.com/SECRET",
        "gopher://example.com/SECRET",
        "smtp://example.com",
        "https://",
        "https://user:SECRET@example.com/",
        "https://SECRET@example.com/",
        "https://:SECRET@example.com/",
        "https://example.com/\r\nSECRET: 1",
        "https://example.com/a SECRET",
        "https://exam ple.com/",
        "https://example.com:99999/",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        asks((HttpRequest){.url = urls[i]}, ERR_CONFIG);
    static const HttpHeader bad[] = {{"X-A", "1\r\nSECRET: 2"},
                                     {"X-A", "1\nSECRET"},
                                     {"X A", "1"},
                                     {"X:A", "1"},
                                     {"", "1"},
                                     {"X\n", "1"},
                                     {"X-A", "\x01"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        asks((HttpRequest){.url = "http://127.0.0.1:1/", .headers = &bad[i], .header_count = 1},
             ERR_CONFIG);
    asks((HttpRequest){.url = "http://127.0.0.1:1/", .method = "TRACE"}, ERR_INTERNAL);
    asks((HttpRequest){.url = "http://127.0.0.1:1/", .body = "x", .body_bytes = 1}, ERR_INTERNAL);
    asks((HttpRequest){.url = "http://127.0.0.1:1/", .limits.proxy = ""}, ERR_NETWORK);
}

static void sends(MailServer s, ErrorKind kind)
{
    Mail m = {.from = "a@b.c", .subject = "s", .text = "t"};
    strlist_add(&m.to, "a@b.c");
    s.limits.proxy = "";
    AUTO(Error) e = mail_send(&s, &m, NULL);
    strlist_free(&m.to);
    assert_non_null(e);
    if (error_kind(e) != kind)
        print_error("%s\n", error_message(e));
    assert_int_equal(error_kind(e), kind);
    assert_null(strstr(error_message(e), "SECRET"));
}

static void test_mails_refused(void **state)
{
    static const char *const hosts[] = {"",         "a b", "a/b", "user:SECRET@host",
                                        "host\r\n", "h?x", "h#"};
    (void)state;
    AUTO(Secret) word = secret_copy("SECRET", 6);
    AUTO(Secret) none = secret_new(0);
    AUTO(Secret) nul = secret_copy("a\0b", 3);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        sends((MailServer){.host = hosts[i]}, ERR_CONFIG);
    sends((MailServer){.host = "127.0.0.1", .port = 65536}, ERR_CONFIG);
    sends((MailServer){.host = "127.0.0.1", .port = -1}, ERR_CONFIG);
    MailServer s = {.host = "127.0.0.1", .port = 1, .user = "u", .password = word};
    sends(s, ERR_CONFIG); /* unencrypted */
    s.tls = MAIL_TLS;
    sends(s, ERR_NETWORK);
    s.password = NULL;
    sends(s, ERR_CONFIG);
    s.password = none;
    sends(s, ERR_CONFIG);
    s.password = nul;
    sends(s, ERR_CONFIG);
    s.password = word;
    s.user = "";
    sends(s, ERR_CONFIG);
    s.user = "a\r\nb";
    sends(s, ERR_CONFIG);
}

static void test_cancelled_before(void **state)
{
    (void)state;
    AUTO(Cancel) c = NULL;
    OK(cancel_new(NULL, &c));
    cancel_request(c);
    AUTO_VALUE(HttpResponse) r = {0};
    HttpRequest q = {.url = "http://127.0.0.1:1/", .limits.proxy = ""};
    FAILS(ERR_CANCELLED, http_request(&q, c, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin), cmocka_unit_test(test_requests_refused),
        cmocka_unit_test(test_mails_refused), cmocka_unit_test(test_cancelled_before)};
    return cmocka_run_group_tests_name("net/net", tests, NULL, NULL);
}
