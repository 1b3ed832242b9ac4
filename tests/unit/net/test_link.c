/* A peer's addresses, and what a query's values become. The rest is tests/e2e/test_peers.py. */
#include "../unit.h"

#include "net/link.h"

static Error *opens(const char *url, bool insecure)
{
    AUTO(Link) l = NULL;
    return link_open(&(LinkOptions){.name = "berlin", .url = url, .insecure = insecure}, &l);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const here[] = {"http://localhost",    "http://127.0.0.1:8080",
                                       "http://127.1.2.3/",   "http://[::1]:8080/behind",
                                       "https://example.com", "https://10.0.0.1:8443"};
    static const char *const far[] = {"http://example.com",
                                      "http://10.0.0.1",
                                      "http://localhost.example.com",
                                      "http://127.0.0.1.example.com",
                                      "http://[::2]",
                                      "http://0.0.0.0",
                                      "http://127.0.0.1.",
                                      "http://127.1.2.3.4",
                                      "http://localhost.",
                                      "http://1270.0.0.1"};
    static const char *const none[] = {"",
                                       "berlin",
                                       "ftp://localhost",
                                       "file:///etc/passwd",
                                       "https://u:SECRET@example.com",
                                       "http://localhost@example.com",
                                       "https://example.com?SECRET",
                                       "https://example.com#SECRET",
                                       "https://a b"};
    for (size_t i = 0; i < sizeof here / sizeof *here; i++)
        OK(opens(here[i], false));
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        FAILS(ERR_CONFIG, opens(far[i], false));
        OK(opens(far[i], true));
        assert_false(link_is_local(far[i]));
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        AUTO(Error) e = opens(none[i], true);
        if (!e)
            fail_msg("%s is taken", none[i]);
        assert_int_equal(error_kind(e), ERR_CONFIG);
        assert_null(strstr(error_message(e), "SECRET"));
    }
}

static void test_needs_a_node(void **state)
{
    (void)state;
    AUTO(Secret) key = secret_copy("0123456789abcdef", 16);
    static const char *const bad[] = {"", "a b", "a\r\nX-Evil: 1"};
    for (size_t i = 0; i < 3; i++) {
        AUTO(Link) l = NULL;
        FAILS(ERR_CONFIG, link_open(&(LinkOptions){.name = "berlin",
                                                   .url = "http://localhost",
                                                   .node = bad[i],
                                                   .key = key},
                                    &l));
    }
}

static void test_escape(void **state)
{
    (void)state;
    AUTO(char) plain = link_escape("aZ09-._~");
    AUTO(char) odd = link_escape("a b&c=d/%\xc3\xa4\n");
    assert_string_equal(plain, "aZ09-._~");
    assert_string_equal(odd, "a%20b%26c%3Dd%2F%25%C3%A4%0A");
}

static void test_nobody_there(void **state)
{
    (void)state;
    AUTO(Link) l = NULL;
    AUTO_VALUE(HttpResponse) r = {0};
    AUTO(Cancel) c = NULL;
    OK(link_open(&(LinkOptions){.name = "berlin", .url = "http://127.0.0.1:1", .retry_ms = -1},
                 &l));
    AUTO(Error) e = link_call(l, &(LinkCall){.target = "/"}, NULL, &r);
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_NETWORK);
    assert_non_null(strstr(error_message(e), "peer berlin: "));
    assert_int_equal(link_sent(l), 0);
    /* One that would be tried for a minute ends when it is told to. */
    OK(cancel_new(NULL, &c));
    cancel_deadline(c, 50);
    FAILS(ERR_TIMEOUT, link_call(l, &(LinkCall){.target = "/", .retry_ms = 60000}, c, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_needs_a_node),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
