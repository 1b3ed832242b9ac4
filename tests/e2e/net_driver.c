/* src/net, from a command line, for tests/e2e/test_net.py and test_link.py: one request, one mail,
 * or calls of one link.
 *
 *   net-driver http METHOD URL [-H NAME VALUE]... [-w NAME]... [OPTION]...
 *   net-driver mail HOST PORT none|starttls|tls FROM TO... [OPTION]...  (text on standard input)
 *   net-driver link METHOD URL TARGET [--from N --to N] [--retry MS] [--times N] [--repeatable 1]
 *              [--key TEXT] [--registration TEXT] [--count-only] [OPTION]...
 *
 * Prints "status N", "header NAME: VALUE" for each -w, "bytes N" and the body; or "error KIND:
 * MESSAGE" and "hint TEXT".
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/http.h"
#include "net/link.h"
#include "net/mail.h"

typedef struct Options {
    NetLimits limits;
    HttpHeader headers[16];
    size_t header_count;
    const char *wanted[16];
    size_t wanted_count;
    const char *ca, *body, *read, *user, *password, *subject;
    const char *key, *registration;
    int redirects, declared, counts, times, repeatable;
    uint64_t max, from, to;
    int64_t retry;
    int64_t cancel;
} Options;

static int64_t number(const char *s)
{
    return strtoll(s, NULL, 10);
}

/* Takes one option and its values; how many words it was, 0 where it is none. */
static int option(Options *o, char **a)
{
    const char *name = a[0], *v = a[1];
    if (!strcmp(name, "--count-only")) {
        o->counts = 1;
        return 1;
    }
    if (!v)
        return 0;
    if (!strcmp(name, "-H") && o->header_count < 16) {
        o->headers[o->header_count++] = (HttpHeader){v, a[2]};
        return 3;
    }
    if (!strcmp(name, "-w") && o->wanted_count < 16)
        o->wanted[o->wanted_count++] = v;
    else if (!strcmp(name, "--ca"))
        o->ca = v;
    else if (!strcmp(name, "--body"))
        o->body = v;
    else if (!strcmp(name, "--read"))
        o->read = v;
    else if (!strcmp(name, "--declare"))
        o->declared = (int)number(v);
    else if (!strcmp(name, "--user"))
        o->user = v;
    else if (!strcmp(name, "--password"))
        o->password = v;
    else if (!strcmp(name, "--subject"))
        o->subject = v;
    else if (!strcmp(name, "--redirects"))
        o->redirects = (int)number(v);
    else if (!strcmp(name, "--max"))
        o->max = (uint64_t)number(v);
    else if (!strcmp(name, "--connect"))
        o->limits.connect = number(v);
    else if (!strcmp(name, "--stall"))
        o->limits.stall = number(v);
    else if (!strcmp(name, "--whole"))
        o->limits.whole = number(v);
    else if (!strcmp(name, "--key"))
        o->key = v;
    else if (!strcmp(name, "--registration"))
        o->registration = v;
    else if (!strcmp(name, "--times"))
        o->times = (int)number(v);
    else if (!strcmp(name, "--repeatable"))
        o->repeatable = 1;
    else if (!strcmp(name, "--from"))
        o->from = (uint64_t)number(v);
    else if (!strcmp(name, "--to"))
        o->to = (uint64_t)number(v);
    else if (!strcmp(name, "--retry"))
        o->retry = number(v);
    else if (!strcmp(name, "--cancel"))
        o->cancel = number(v);
    else
        return 0;
    return 2;
}

typedef struct Later {
    Cancel *cancel;
    int64_t ms;
} Later;

static void *request_later(void *ctx)
{
    Later *l = ctx;
    clock_sleep_ms(l->ms);
    cancel_request(l->cancel);
    return NULL;
}

typedef struct Source {
    const char *at;
    size_t left;
} Source;

static Error *read_some(void *ctx, void *p, size_t room, size_t *n)
{
    Source *s = ctx;
    if (!strncmp(s->at, "fail", 4))
        FAIL(ERR_IO, "the source broke");
    *n = s->left < room ? s->left : room;
    *n = *n > 1000 ? 1000 : *n; /* in small portions */
    memcpy(p, s->at, *n);
    s->at += *n;
    s->left -= *n;
    return NULL;
}

static Error *count_some(void *ctx, const void *p, size_t n)
{
    (void)p;
    *(uint64_t *)ctx += n;
    return NULL;
}

static Error *http(const Options *o, char **a, const Cancel *c)
{
    AUTO_VALUE(HttpResponse) r = {0};
    Source source = {o->read, o->read ? strlen(o->read) : 0};
    uint64_t counted = 0;
    HttpRequest q = {.method = a[0],
                     .url = a[1],
                     .headers = o->headers,
                     .header_count = o->header_count,
                     .body = o->body,
                     .body_bytes = o->body ? strlen(o->body) : 0,
                     .read = o->read ? read_some : NULL,
                     .read_ctx = &source,
                     .read_bytes = o->declared ? o->declared : -1,
                     .write = o->counts ? count_some : NULL,
                     .write_ctx = &counted,
                     .max_bytes = o->max,
                     .redirects = o->redirects,
                     .limits = o->limits,
                     .ca_file = o->ca};
    TRY(http_request(&q, c, &r));
    printf("status %d\n", r.status);
    for (size_t i = 0; i < o->wanted_count; i++) {
        const char *value = http_header(&r, o->wanted[i]);
        printf("header %s: %s\n", o->wanted[i], value ? value : "(none)");
    }
    printf("bytes %llu\n", (unsigned long long)(o->counts ? counted : r.body.len));
    if (r.body.len && (counted || r.bytes != r.body.len))
        FAIL(ERR_INTERNAL, "counts differ");
    fwrite(r.body.data, 1, r.body.len, stdout);
    return NULL;
}

static Error *mail(const Options *o, char **a, const Cancel *c)
{
    static const char *const modes[] = {"none", "starttls", "tls"};
    AUTO_VALUE(Buf) text = {0};
    AUTO(Secret) secret = o->password ? secret_copy(o->password, strlen(o->password)) : NULL;
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, stdin));)
        buf_add(&text, part, n);
    AUTO(char) words = buf_steal_str(&text);
    MailServer s = {.host = a[0],
                    .port = (int)number(a[1]),
                    .user = o->user,
                    .password = secret,
                    .ca_file = o->ca,
                    .limits = o->limits};
    while (strcmp(modes[s.tls], a[2]) != 0)
        s.tls++;
    Mail m = {.from = a[3], .subject = o->subject ? o->subject : "a test", .text = words};
    for (char **to = a + 4; *to; to++)
        strlist_add(&m.to, *to);
    Error *e = mail_send(&s, &m, c);
    strlist_free(&m.to);
    if (!e)
        printf("sent\n");
    return e;
}

static void count_anew(void *ctx)
{
    *(uint64_t *)ctx = 0;
}

static Error *call(const Options *o, char **a, Link *l, const Cancel *c)
{
    AUTO_VALUE(HttpResponse) r = {0};
    uint64_t counted = 0;
    LinkCall q = {.method = a[0],
                  .target = a[2],
                  .headers = o->headers,
                  .header_count = o->header_count,
                  .body = o->body,
                  .body_bytes = o->body ? strlen(o->body) : 0,
                  .write = o->counts ? count_some : NULL,
                  .again = o->counts ? count_anew : NULL,
                  .write_ctx = &counted,
                  .max_bytes = o->max,
                  .ranged = o->to > 0,
                  .from = o->from,
                  .to = o->to,
                  .repeatable = o->repeatable};
    TRY(link_call(l, &q, c, &r));
    printf("status %d\nbytes %llu\n", r.status,
           (unsigned long long)(o->counts ? counted : r.body.len));
    fwrite(r.body.data, 1, r.body.len, stdout);
    return NULL;
}

static Error *call_link(const Options *o, char **a, const Cancel *c)
{
    AUTO(Link) l = NULL;
    AUTO(Secret) key = o->key ? secret_copy(o->key, strlen(o->key)) : NULL;
    AUTO(Secret)
    old = o->registration ? secret_copy(o->registration, strlen(o->registration)) : NULL;
    TRY(link_open(&(LinkOptions){.name = "berlin",
                                 .url = a[1],
                                 .node = "hamburg",
                                 .key = key,
                                 .registration = old,
                                 .ca_file = o->ca,
                                 .limits = o->limits,
                                 .retry_ms = o->retry ? o->retry : -1},
                  &l));
    for (int i = 0; i < (o->times ? o->times : 1); i++)
        TRY(call(o, a, l, c));
    printf("\nsent %llu\nreceived %llu\n", (unsigned long long)link_sent(l),
           (unsigned long long)link_received(l));
    return NULL;
}

int main(int argc, char **argv)
{
    AUTO(Cancel) cancel = NULL;
    Options o = {0};
    char *words[64] = {0};
    int count = 0;
    for (int i = 1; i < argc && count < 60;) {
        int used = option(&o, argv + i);
        if (!used)
            words[count++] = argv[i++];
        i += used;
    }
    if (count < 3 || cancel_new(NULL, &cancel))
        return 2;
    Later later = {cancel, o.cancel};
    pthread_t thread;
    bool waits = o.cancel && !pthread_create(&thread, NULL, request_later, &later);
    AUTO(Error)
    e = !strcmp(words[0], "http")   ? http(&o, words + 1, cancel)
        : !strcmp(words[0], "link") ? call_link(&o, words + 1, cancel)
                                    : mail(&o, words + 1, cancel);
    if (waits)
        pthread_join(thread, NULL);
    if (!e)
        return 0;
    printf("error %s: %s\n", error_kind_info(error_kind(e))->name, error_message(e));
    if (error_hint_text(e))
        printf("hint %s\n", error_hint_text(e));
    return 1;
}
