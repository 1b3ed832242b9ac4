#include "net/mail.h"
#include "net/mail_text.h"
#include "net/net_internal.h"

#include <string.h>
#include <sys/random.h>

#define REPLY_MAX 160

typedef struct Outgoing {
    Buf text;
    size_t sent;
    const char *who;
    bool needs_login, logged_in;
    char reply[REPLY_MAX + 1]; /* the last line by which the server refused something */
    Error *error;              /* of a callback */
} Outgoing;

static void outgoing_clear(Outgoing *o)
{
    buf_free(&o->text);
    error_drop(o->error);
}
DEFINE_AUTO_VALUE(Outgoing, outgoing_clear)

static size_t on_read(char *p, size_t size, size_t count, void *ctx)
{
    Outgoing *o = ctx;
    size_t n = o->text.len - o->sent;
    /* libcurl goes on without where the server offers no login. */
    if (o->needs_login && !o->logged_in) {
        o->error = error_hint(ERROR_NEW(ERR_REFUSED, "%s takes no login", o->who),
                              "leave user and password away if it is to be so");
        return CURL_READFUNC_ABORT;
    }
    if (n > size * count)
        n = size * count;
    memcpy(p, o->text.data + o->sent, n);
    o->sent += n;
    return n;
}

static size_t on_reply(char *p, size_t size, size_t count, void *ctx)
{
    Outgoing *o = ctx;
    size_t n = size * count, kept = n > REPLY_MAX ? REPLY_MAX : n;
    if (n >= 3 && !memcmp(p, "235", 3))
        o->logged_in = true;
    if (!n || (*p != '4' && *p != '5'))
        return n;
    memcpy(o->reply, p, kept);
    o->reply[kept] = '\0';
    o->reply[strcspn(o->reply, "\r\n")] = '\0';
    return n;
}

/* Passwords are handed over as strings, which libcurl copies. */
static Error *set_login(CURL *h, const MailServer *s)
{
    if (!s->user)
        return NULL;
    if (s->tls == MAIL_PLAIN)
        return error_hint(ERROR_NEW(ERR_CONFIG, "a login at %s would go unencrypted", s->host),
                          "use starttls or tls, or no login");
    size_t n = s->password ? secret_length(s->password) : 0;
    if (!*s->user || !n || memchr(secret_look(s->password), '\0', n))
        FAIL(ERR_CONFIG, "a login at %s needs a user and a password", s->host);
    for (const char *p = s->user; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            FAIL(ERR_CONFIG, "the user for %s has a control character", s->host);
    NET_SET(h, CURLOPT_USERNAME, s->user);
    char *text = mem_strndup((const char *)secret_look(s->password), n);
    CURLcode code = curl_easy_setopt(h, CURLOPT_PASSWORD, text);
    secret_wipe(text, n);
    free(text);
    if (code != CURLE_OK)
        FAIL(ERR_MEMORY, "no memory for a request");
    return NULL;
}

static Error *set_server(CURL *h, const MailServer *s, char **who)
{
    static const int ports[] = {[MAIL_PLAIN] = 25, [MAIL_STARTTLS] = 587, [MAIL_TLS] = 465};
    const char *scheme = s->tls == MAIL_TLS ? "smtps" : "smtp";
    size_t n = strlen(s->host);
    bool ip6 = strchr(s->host, ':') != NULL;
    if (!n || n > 255 || s->port < 0 || s->port > 65535 ||
        strspn(s->host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:") != n)
        return error_hint(ERROR_NEW(ERR_CONFIG, "the mail server's name or port is none"),
                          "a name such as mail.example.com, and a port beside it");
    int port = s->port ? s->port : ports[s->tls];
    AUTO(char)
    url = mem_printf("%s://%s%s%s:%d", scheme, ip6 ? "[" : "", s->host, ip6 ? "]" : "", port);
    *who = mem_printf("the mail server %s:%d", s->host, port);
    NET_SET(h, CURLOPT_URL, url);
    NET_SET(h, CURLOPT_PROTOCOLS_STR, scheme);
    if (s->tls == MAIL_STARTTLS)
        NET_SET(h, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    return NULL;
}

static Error *set_envelope(CURL *h, const Mail *m, CurlList **list)
{
    AUTO(char) from = mem_printf("<%s>", m->from);
    NET_SET(h, CURLOPT_MAIL_FROM, from);
    for (size_t i = 0; i < m->to.count; i++) {
        AUTO(char) to = mem_printf("<%s>", m->to.items[i]);
        TRY(net_list_add(list, to));
    }
    NET_SET(h, CURLOPT_MAIL_RCPT, *list);
    return NULL;
}

/* What the server said decides: 4xx is for now, 5xx for good. Its words are shown unless they are
 * of the login: a server may repeat what it was sent. */
static Error *judged(Error *e, CURL *h, const Outgoing *o)
{
    long status = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    if (error_kind(e) == ERR_REFUSED && status / 100 == 5)
        return error_hint(e, "are user and password right?");
    if (error_kind(e) == ERR_REFUSED && status / 100 == 4)
        return error_rekind(e, ERR_NETWORK);
    if (error_kind(e) != ERR_NETWORK || status < 400 || status > 599)
        return e;
    AUTO(char) reply = text_printable(o->reply);
    return error_hint(status >= 500 ? error_rekind(e, ERR_REFUSED) : e, "the server said: %s",
                      reply);
}

Error *mail_send(const MailServer *s, const Mail *m, const Cancel *c)
{
    AUTO(NetLine) line = NULL;
    AUTO(CURL) h = NULL;
    AUTO(CurlList) list = NULL;
    AUTO(char) who = NULL;
    AUTO_VALUE(Outgoing) o = {0};
    uint8_t random[16];
    char unique[2 * sizeof random + 1];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_errno(ERR_INTERNAL, ERR_INTERNAL, "no random bytes for a mail");
    text_hex(random, sizeof random, unique);
    TRY(mail_text(m, clock_now(), unique, &o.text));
    TRY(net_handle(&s->limits, s->ca_file, &h));
    TRY(set_server(h, s, &who));
    TRY(set_login(h, s));
    o.who = who;
    o.needs_login = s->user != NULL;
    TRY(set_envelope(h, m, &list));
    NET_SET(h, CURLOPT_UPLOAD, 1L);
    NET_SET(h, CURLOPT_READFUNCTION, on_read);
    NET_SET(h, CURLOPT_READDATA, &o);
    NET_SET(h, CURLOPT_HEADERFUNCTION, on_reply);
    NET_SET(h, CURLOPT_HEADERDATA, &o);
    NET_SET(h, CURLOPT_WRITEFUNCTION, on_reply);
    NET_SET(h, CURLOPT_WRITEDATA, &o);
    TRY(net_line_new(&line));
    Error *e = net_run(line, h, who, c, &o.error);
    return e ? judged(e, h, &o) : NULL;
}
