/* What of a connection can be tested without PostgreSQL: against a listener of our own. The rest is
 * tested end to end. */
#include "../unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "pg/conn.h"

static int clean_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"PGHOST",     "PGPORT",           "PGUSER",    "PGDATABASE",
                                        "PGPASSWORD", "PGSERVICE",        "PGSSLMODE", "PGHOSTADDR",
                                        "PGPASSFILE", "PGCONNECT_TIMEOUT"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    return 0;
}

/* A port of 127.0.0.1 on which somebody listens. */
static int listen_somewhere(Fd *fd)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    fd->n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd->n, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(fd->n, 8), 0);
    assert_int_equal(getsockname(fd->n, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

static Error *try_open(const char *url, Cancel *cancel)
{
    AUTO(Conn) c = NULL;
    return conn_open(&(ConnOptions){.url = url, .cancel = cancel}, &c);
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgresql://u:s3cret%zz@h/d",
        "postgresql://u:s3cret@h/d?nonsense=1",
        "password=a s3cret",
        "password=a s3cret=b",
        "password='s3cret",
        "postgresql://u:s3cret@[::1/d",
        /* What a password does that is not escaped, or a forgotten host. */
        "postgresql://u:s3cret",
        "postgresql://u:s3cret/d",
        "postgresql://u:12/s3cret@h/d",
        "postgresql://u:p@s3cret@h/d",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        AUTO(Error) e = try_open(urls[i], NULL);
        assert_non_null(e);
        assert_int_equal(error_kind(e), ERR_CONFIG);
        if (strstr(error_message(e), "s3cret"))
            print_error("%s\n", error_message(e));
        assert_null(strstr(error_message(e), "s3cret"));
        assert_non_null(strstr(error_hint_text(e), "postgresql://user:password@host"));
    }
}

static void test_refused(void **state)
{
    (void)state;
    Fd fd = {-1};
    int port = listen_somewhere(&fd);
    fd_close(&fd); /* now nobody does */
    AUTO(char) url = mem_printf("postgresql://me:s3cret@127.0.0.1:%d/shop", port);
    AUTO(char) place = mem_printf("database \"shop\" on 127.0.0.1:%d", port);
    AUTO(Error) e = try_open(url, NULL);
    assert_int_equal(error_kind(e), ERR_CONNECT);
    assert_non_null(strstr(error_message(e), place));
    assert_null(strstr(error_message(e), "s3cret"));
    AUTO(char) both = mem_printf("host=127.0.0.1,127.0.0.1 port=%d user=me dbname=shop", port);
    AUTO(Error) all = try_open(both, NULL);
    assert_int_equal(error_kind(all), ERR_CONNECT);
    assert_non_null(strstr(error_message(all), "none of the hosts"));
}

static void test_silent_server(void **state)
{
    (void)state;
    AUTO_VALUE(Fd) fd = {-1};
    AUTO(char)
    url = mem_printf("host=127.0.0.1 port=%d user=me dbname=shop sslmode=disable "
                     "gssencmode=disable connect_timeout=2",
                     listen_somewhere(&fd));
    int64_t start = clock_mono_ms();
    AUTO(Error) slow = try_open(url, NULL);
    assert_int_equal(error_kind(slow), ERR_CONNECT);
    assert_non_null(strstr(error_message(slow), "no answer within 2 s"));
    assert_in_range(clock_mono_ms() - start, 1900, 20000);

    AUTO(Cancel) c = NULL;
    AUTO(char) patient = mem_printf("%s0", url); /* 20 s */
    OK(cancel_new(NULL, &c));
    cancel_deadline(c, 100);
    start = clock_mono_ms();
    FAILS(ERR_TIMEOUT, try_open(patient, c));
    cancel_request(c);
    FAILS(ERR_CANCELLED, try_open(patient, c));
    assert_true(clock_mono_ms() - start < 19000);
}

/* A server that answers every login with one error, in a language of its own. */
typedef struct Refuser {
    int fd;
    const char *state, *text;
} Refuser;

static void *refuse_one(void *arg)
{
    const Refuser *r = arg;
    Fd client = {accept(r->fd, NULL, NULL)};
    char startup[1024];
    if (read(client.n, startup, sizeof startup) <= 0)
        return NULL;
    AUTO_VALUE(Buf) fields = {0}, message = {0};
    buf_printf(&fields, "SFATAL%cVFATAL%cC%s%cM%s%cFauth.c%cL1%cRf%c%c", 0, 0, r->state, 0, r->text,
               0, 0, 0, 0, 0);
    uint32_t length = htonl((uint32_t)fields.len + 4);
    buf_u8(&message, 'E');
    buf_add(&message, &length, 4);
    buf_add(&message, fields.data, fields.len);
    error_drop(file_write_all(client.n, message.data, message.len, "client"));
    fd_close(&client);
    return NULL;
}

static void test_login_errors(void **state)
{
    (void)state;
    static const struct {
        const char *state, *text;
        ErrorKind kind;
    } cases[] = {
        {"28P01", "Passwort-Authentifizierung fehlgeschlagen", ERR_AUTH},
        {"28000", "kein pg_hba.conf-Eintrag: nein", ERR_AUTH},
        {"3D000", "Datenbank \"shop\" existiert nicht", ERR_DB_NOT_FOUND},
        {"53300", "tut mir leid, schon zu viele Verbindungen", ERR_CONNECT},
        {"57P03", "das Datenbanksystem startet", ERR_CONNECT},
        {"42501", "keine Berechtigung", ERR_DB_PERMISSION},
        {"55000", "Datenbank nimmt keine Verbindungen an", ERR_DB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_VALUE(Fd) fd = {-1};
        AUTO(char)
        url = mem_printf("host=127.0.0.1 port=%d user=me dbname=shop sslmode=disable "
                         "gssencmode=disable",
                         listen_somewhere(&fd));
        Refuser r = {.fd = fd.n, .state = cases[i].state, .text = cases[i].text};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, refuse_one, &r), 0);
        AUTO(Error) e = try_open(url, NULL);
        pthread_join(thread, NULL);
        assert_int_equal(error_kind(e), cases[i].kind);
        AUTO(char) end = mem_printf(": %s", cases[i].text);
        if (!strstr(error_message(e), end))
            print_error("%s\n", error_message(e));
        assert_non_null(strstr(error_message(e), end));
        assert_null(strstr(error_message(e), "auth.c"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_login_errors),
    };
    return cmocka_run_group_tests(tests, clean_environment, NULL);
}
