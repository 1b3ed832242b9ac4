#include "op/notify_send.h"

#include <string.h>

#include "base/log.h"
#include "net/http.h"
#include "op/notify_shape.h"
#include "state/state_event.h"

static const NetLimits limits = {.connect = 15000, .stall = 30000, .whole = NOTIFY_SEND_MAX_MS};

/* A secret as a C string in memory that is wiped; an address is handed to libcurl as one. */
typedef struct Wiped {
    char *text;
} Wiped;
static void wiped_clear(Wiped *w)
{
    if (w->text)
        secret_wipe(w->text, strlen(w->text));
    free(w->text);
}
DEFINE_AUTO_VALUE(Wiped, wiped_clear)

static Error *secret_text(const SecretInput *i, const char *what, const Cancel *c, Wiped *out)
{
    AUTO(Secret) s = NULL;
    TRY(secret_input_get(i, &(SecretWords){what, ERR_CONFIG}, c, &s));
    out->text = mem_strndup((const char *)secret_look(s), secret_length(s));
    return NULL;
}

/* -- by HTTP --------------------------------------------------------------------------------------
 */

/* A receiver's words are not shown: a page that says "not found" tells the address, too. */
static Error *judge(int status, Channel channel, const char *url)
{
    if (status / 100 == 2)
        return NULL;
    AUTO(char) origin = net_origin(url);
    bool later = status == 408 || status == 429 || status >= 500;
    const char *hint = status == 401 || status == 403   ? "is the secret right?"
                       : status == 404 || status == 410 ? "is the address right?"
                       : status / 100 == 3              ? "give the address that it leads to"
                       : later                          ? "it is tried again"
                                                        : "does it expect something else?";
    return error_hint(ERROR_NEW(later ? ERR_NETWORK : ERR_REFUSED,
                                "%s (%s) answered with status %d", channel_name(channel), origin,
                                status),
                      "%s", hint);
}

static Error *post(const NotifyTarget *t, Channel channel, const char *url, const char *body,
                   const HttpHeader *headers, size_t header_count, const Cancel *c)
{
    AUTO_VALUE(HttpResponse) response = {0};
    HttpRequest q = {.method = "POST",
                     .url = url,
                     .headers = headers,
                     .header_count = header_count,
                     .body = body,
                     .body_bytes = strlen(body),
                     .limits = limits,
                     .ca_file = t->ca_file};
    TRY(http_request(&q, c, &response));
    return judge(response.status, channel, url);
}

#define JSON                                                                                       \
    {                                                                                              \
        "Content-Type", "application/json; charset=utf-8"                                          \
    }

static Error *send_webhook(const NotifyTarget *t, const Doc *note, int64_t delivery, Instant now,
                           const char *url, const Cancel *c)
{
    AUTO(char) body = shape_body(CHANNEL_WEBHOOK, note, NULL);
    AUTO(char) number = mem_printf("%lld", (long long)delivery);
    AUTO(char) timestamp = mem_printf("%lld", (long long)(now / 1000));
    char signature[SHAPE_SIGNATURE];
    HttpHeader headers[] = {JSON,
                            {"X-Pgstow-Event", doc_str(note, "event", "")},
                            {"X-Pgstow-Delivery", number},
                            {"X-Pgstow-Timestamp", timestamp},
                            {"X-Pgstow-Signature", signature}};
    size_t count = sizeof headers / sizeof *headers;
    if (!secret_input_given(&t->secret[CHANNEL_WEBHOOK]))
        return post(t, CHANNEL_WEBHOOK, url, body, headers, count - 1, c);
    AUTO(Secret) key = NULL;
    TRY(secret_input_get(&t->secret[CHANNEL_WEBHOOK],
                         &(SecretWords){"the webhook's secret", ERR_CONFIG}, c, &key));
    shape_sign(key, timestamp, body, signature);
    return post(t, CHANNEL_WEBHOOK, url, body, headers, count, c);
}

static Error *send_telegram(const NotifyTarget *t, const Doc *note, const Cancel *c)
{
    AUTO_VALUE(Wiped) token = {0};
    AUTO_VALUE(Wiped) url = {0};
    AUTO(char) body = shape_body(CHANNEL_TELEGRAM, note, t->chat);
    const HttpHeader headers[] = {JSON};
    TRY(secret_text(&t->secret[CHANNEL_TELEGRAM], "the Telegram bot's token", c, &token));
    if (strspn(token.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_-") !=
        strlen(token.text))
        FAIL(ERR_CONFIG, "the Telegram bot's token has characters that no token has");
    url.text = mem_printf("%s/bot%s/sendMessage", t->chat_server, token.text);
    return post(t, CHANNEL_TELEGRAM, url.text, body, headers, 1, c);
}

static Error *send_ntfy(const NotifyTarget *t, const Doc *note, const char *url, const Cancel *c)
{
    AUTO_VALUE(Wiped) token = {0};
    AUTO_VALUE(Wiped) bearer = {0};
    AUTO(char) root = NULL;
    AUTO(char) topic = NULL;
    if (!shape_ntfy(url, &root, &topic))
        return error_hint(ERROR_NEW(ERR_CONFIG, "the address for ntfy names no topic"),
                          "as in https://ntfy.sh/mytopic");
    AUTO(char) body = shape_body(CHANNEL_NTFY, note, topic);
    HttpHeader headers[] = {JSON, {"Authorization", NULL}};
    if (!secret_input_given(&t->secret[CHANNEL_NTFY]))
        return post(t, CHANNEL_NTFY, root, body, headers, 1, c);
    TRY(secret_text(&t->secret[CHANNEL_NTFY], "ntfy's token", c, &token));
    bearer.text = mem_printf("Bearer %s", token.text);
    headers[1].value = bearer.text;
    return post(t, CHANNEL_NTFY, root, body, headers, 2, c);
}

static Error *send_ping(const NotifyTarget *t, const Doc *note, const char *url, const Cancel *c)
{
    AUTO_VALUE(Wiped) whole = {shape_ping_url(url, doc_str(note, "event", ""))};
    AUTO(char) text = shape_text(note);
    const HttpHeader headers[] = {{"Content-Type", "text/plain; charset=utf-8"}};
    return post(t, CHANNEL_PING, whole.text, text, headers, 1, c);
}

/* -- any channel ----------------------------------------------------------------------------------
 */

static Error *send_mail(const NotifyTarget *t, const Doc *note, const Cancel *c)
{
    AUTO(Secret) password = NULL;
    AUTO(char) subject = shape_subject(note);
    AUTO(char) text = shape_text(note);
    if (t->user)
        TRY(secret_input_get(&t->secret[CHANNEL_EMAIL],
                             &(SecretWords){"the mail server's password", ERR_CONFIG}, c,
                             &password));
    MailServer server = {.host = t->host,
                         .port = t->port,
                         .tls = t->tls,
                         .user = t->user,
                         .password = password,
                         .ca_file = t->ca_file,
                         .limits = limits};
    return mail_send(&server,
                     &(Mail){.from = t->from, .to = t->to, .subject = subject, .text = text}, c);
}

Error *notify_send(const NotifyTarget *t, Channel channel, const Doc *note, int64_t delivery,
                   Instant now, const Cancel *c)
{
    AUTO_VALUE(Wiped) url = {0};
    const HttpHeader json[] = {JSON};
    if (channel >= CHANNELS || !t->on[channel])
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "the channel %s is not set up", channel_name(channel)),
            "its settings are under notify: in the file");
    if (channel == CHANNEL_EMAIL)
        return send_mail(t, note, c);
    if (channel == CHANNEL_TELEGRAM)
        return send_telegram(t, note, c);
    AUTO(char) what = mem_printf("the address for %s", channel_name(channel));
    TRY(secret_text(&t->address[channel], what, c, &url));
    if (channel == CHANNEL_WEBHOOK)
        return send_webhook(t, note, delivery, now, url.text, c);
    if (channel == CHANNEL_NTFY)
        return send_ntfy(t, note, url.text, c);
    if (channel == CHANNEL_PING)
        return send_ping(t, note, url.text, c);
    AUTO(char) body = shape_body(channel, note, NULL);
    return post(t, channel, url.text, body, json, 1, c);
}

/* -- what waits -----------------------------------------------------------------------------------
 */

int64_t notify_backoff(int attempts)
{
    static const int minutes[] = {1, 1, 2, 5, 15, 30};
    size_t n = sizeof minutes / sizeof *minutes;
    size_t i = attempts < 0 ? 0 : (size_t)attempts;
    return (i < n ? minutes[i] : 60) * 60000ll;
}

/* A ping that comes late must not undo what a later run has said. */
static Error *is_overtaken(State *s, const StateNote *waiting, const Doc *note, bool *yes)
{
    AUTO_VALUE(StateJobs) newer = {0};
    const Doc *job = doc_get(note, "job");
    StateJobFilter f = {.kind = "backup", .entry = doc_str(note, "entry", NULL), .limit = 1};
    *yes = false;
    if (strcmp(waiting->channel, channel_name(CHANNEL_PING)) != 0 || !job)
        return NULL;
    f.database = doc_str(note, "database", NULL);
    TRY(state_job_list(s, &f, &newer));
    if (!newer.count)
        return NULL;
    const StateJob *j = &newer.items[0];
    *yes = j->id > doc_int(job, "id", 0) && (j->started || j->ended);
    /* Of the same run its end says more than its start. */
    *yes = *yes || (j->id == doc_int(job, "id", 0) && j->ended &&
                    !strcmp(waiting->event, notify_event_name(NOTIFY_STARTED)));
    return NULL;
}

static Error *give_up(State *s, const StateNote *waiting, const char *why, NotifySent *out)
{
    AUTO(Doc) body = doc_object();
    doc_set_int(body, "notification", waiting->id);
    doc_set_str(body, "channel", waiting->channel);
    doc_set_str(body, "event", waiting->event);
    doc_set_str(body, "error", why);
    AUTO(char) text = doc_print(body, false);
    Instant now = clock_now();
    out->given_up++;
    log_warning("the notification %lld (%s) by %s is given up: %s", (long long)waiting->id,
                waiting->event, waiting->channel, why);
    TRY(state_outbox_give_up(s, waiting->id, why, now));
    return state_event_add(
        s, &(StateEventNew){.kind = "notification.given-up", .body = text, .now = now}, NULL);
}

static Error *failed(State *s, const StateNote *waiting, const Error *e, NotifySent *out)
{
    Instant now = clock_now();
    bool ping = !strcmp(waiting->channel, channel_name(CHANNEL_PING));
    int64_t life = ping ? NOTIFY_PING_GIVE_UP_MS : NOTIFY_GIVE_UP_MS;
    int64_t next = now + notify_backoff(waiting->attempts);
    const char *hint = error_hint_text(e);
    AUTO(char)
    why = mem_printf("%s%s%s%s", error_message(e), hint ? " (" : "", hint ? hint : "",
                     hint ? ")" : "");
    if (next > waiting->created + life)
        return give_up(s, waiting, why, out);
    out->failed++;
    /* Once is enough for whoever looks for what is wrong. */
    log_write(waiting->attempts <= 1 ? LOG_WARNING : LOG_INFO,
              "the notification %lld by %s was not sent, and is tried again: %s",
              (long long)waiting->id, waiting->channel, why);
    return state_outbox_failed(s, waiting->id, why, next);
}

static Error *send_one(State *s, const Notifier *n, const StateNote *waiting, const Cancel *c,
                       NotifySent *out)
{
    AUTO(Doc) note = NULL;
    AUTO(Error) e = doc_parse(waiting->payload, strlen(waiting->payload), "a notification", &note);
    Channel channel = CHANNELS;
    const NotifyTarget *t = e ? NULL : notifier_find(n, doc_str(note, "entry", ""));
    bool overtaken = false;
    if (!e)
        TRY(is_overtaken(s, waiting, note, &overtaken));
    if (overtaken)
        return state_outbox_give_up(s, waiting->id, "a later run has told more", clock_now());
    if (!e && (!t || !channel_of(waiting->channel, &channel) || !t->on[channel]))
        e = ERROR_NEW(ERR_CONFIG, "the channel %s is no longer set up", waiting->channel);
    if (e)
        return give_up(s, waiting, error_message(e), out);
    e = notify_send(t, channel, note, waiting->id, clock_now(), c);
    if (e && error_kind(e) == ERR_CANCELLED) { /* as if it had not begun */
        error_drop(state_outbox_failed(s, waiting->id, NULL, waiting->created));
        return STEAL(e);
    }
    if (e)
        return failed(s, waiting, e, out);
    out->sent++;
    return state_outbox_sent(s, waiting->id, clock_now());
}

Error *notify_send_due(State *s, const Notifier *n, const Cancel *c, NotifySent *out)
{
    *out = (NotifySent){0};
    for (;;) {
        AUTO_VALUE(StateOutbox) due = {0};
        TRY(cancel_check(c));
        TRY(state_outbox_take(s, clock_now(), NOTIFY_LEASE_MS, 1, &due));
        if (!due.count)
            break;
        TRY(send_one(s, n, &due.items[0], c, out));
    }
    return state_outbox_next(s, &out->next);
}
