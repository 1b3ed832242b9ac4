#include "op/notify_shape.h"

#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"

#define CHAT_MAX 3500    /* bytes; Telegram, Discord and ntfy take about 4,000 characters */
#define HEADLINE_MAX 240 /* Discord takes 256 */
#define RED 0xd62728
#define GREEN 0x2ca02c

static char *one_line(const char *text, size_t max)
{
    AUTO(char) cut = text_cut(text, max);
    return text_printable(cut);
}

char *shape_subject(const Doc *note)
{
    AUTO(char) title = one_line(doc_str(note, "title", ""), HEADLINE_MAX);
    return mem_printf("[pgstow] %s", title);
}

/* -- for people -----------------------------------------------------------------------------------
 */

static void add_line(Buf *b, const char *name, const char *text)
{
    if (text && *text)
        buf_printf(b, "%-9s %s\n", name, text);
}

static void add_time(Buf *b, const char *name, const char *iso)
{
    Instant t;
    char text[CLOCK_TEXT];
    AUTO(Error) bad = iso ? clock_parse(iso, &t) : NULL;
    if (iso && !bad)
        add_line(b, name, clock_human(t, text));
}

static void add_part(Buf *b, const char *name, const char *text)
{
    if (text && *text)
        buf_printf(b, "\n%s:\n%s\n", name, text);
}

static void add_facts(Buf *b, const Doc *note)
{
    const Doc *job = doc_get(note, "job"), *error = doc_get(note, "error");
    const Doc *more = doc_get(note, "more");
    char took[32];
    add_line(b, "database", doc_str(note, "database", NULL));
    add_line(b, "entry", doc_str(note, "entry", NULL));
    add_line(b, "server", doc_str(note, "server", NULL));
    add_line(b, "backup", doc_str(note, "backup", NULL));
    if (job) {
        add_time(b, "began", doc_str(job, "startedAt", NULL));
        if (doc_has(job, "duration"))
            add_line(b, "took", text_duration(doc_int(job, "duration", 0), took));
    }
    add_time(b, "since", doc_str(note, "since", NULL));
    for (size_t i = 0; more && i < doc_count(more); i++)
        buf_printf(b, "%s%s\n", i ? "          " : "more      ", doc_text(doc_at(more, i)));
    if (!error)
        return;
    add_line(b, "error", doc_str(error, "message", NULL));
    add_line(b, "hint", doc_str(error, "hint", NULL));
}

char *shape_text(const Doc *note)
{
    Buf b = {0};
    char at[CLOCK_TEXT] = "";
    Instant t = 0;
    AUTO(Error) bad = clock_parse(doc_str(note, "at", ""), &t);
    if (!bad)
        clock_human(t, at);
    buf_printf(&b, "%s\n\n", doc_str(note, "title", ""));
    size_t head = b.len;
    add_facts(&b, note);
    if (b.len == head) /* no second empty line where there are no facts */
        b.len--;
    add_part(&b, "What to do", doc_str(note, "next", NULL));
    add_part(&b, "Where to look", doc_str(note, "look", NULL));
    buf_printf(&b, "\npgstow %s on %s, %s\n", doc_str(note, "version", ""),
               doc_str(note, "host", ""), at);
    return buf_steal_str(&b);
}

/* -- for chats ------------------------------------------------------------------------------------
 */

/* Without the title, which stands above it; no backtick may end the block that it stands in. */
static char *chat_text(const Doc *note)
{
    AUTO(char) text = shape_text(note);
    const char *facts = strstr(text, "\n\n");
    char *cut = text_cut(facts ? facts + 2 : text, CHAT_MAX);
    for (char *p = cut; *p; p++)
        if (*p == '`')
            *p = '\'';
    return cut;
}

/* Slack's three. */
static char *escaped(const char *text)
{
    Buf b = {0};
    for (; *text; text++)
        if (*text == '&')
            buf_add_str(&b, "&amp;");
        else if (*text == '<')
            buf_add_str(&b, "&lt;");
        else if (*text == '>')
            buf_add_str(&b, "&gt;");
        else
            buf_u8(&b, (uint8_t)*text);
    return buf_steal_str(&b);
}

static Doc *slack(const Doc *note)
{
    AUTO(char) subject = shape_subject(note);
    AUTO(char) text = chat_text(note);
    AUTO(char) safe_subject = escaped(subject);
    AUTO(char) safe = escaped(text);
    AUTO(char) whole = mem_printf("%s\n```%s```", safe_subject, safe);
    Doc *d = doc_object();
    doc_set_str(d, "text", whole);
    return d;
}

static Doc *discord(const Doc *note)
{
    AUTO(char) subject = shape_subject(note);
    AUTO(char) text = chat_text(note);
    AUTO(char) block = mem_printf("```\n%s```", text);
    Doc *d = doc_object(), *embed = doc_object(), *embeds = doc_array(), *mentions = doc_object();
    doc_set_str(embed, "title", subject);
    doc_set_str(embed, "description", block);
    doc_set_int(embed, "color", doc_bool(note, "bad", false) ? RED : GREEN);
    doc_set_str(embed, "timestamp", doc_str(note, "at", NULL));
    doc_push(embeds, embed);
    doc_set_str(d, "username", "pgstow");
    doc_set(d, "embeds", embeds);
    /* A database may be called @everyone. */
    doc_set(mentions, "parse", doc_array());
    doc_set(d, "allowed_mentions", mentions);
    return d;
}

static Doc *telegram(const Doc *note, const char *chat)
{
    AUTO(char) text = shape_text(note);
    AUTO(char) cut = text_cut(text, CHAT_MAX);
    Doc *d = doc_object();
    doc_set_str(d, "chat_id", chat);
    doc_set_str(d, "text", cut); /* without a parse_mode nothing in it has a meaning */
    doc_set_bool(d, "disable_web_page_preview", true);
    return d;
}

static Doc *ntfy(const Doc *note, const char *topic)
{
    AUTO(char) subject = shape_subject(note);
    AUTO(char) text = chat_text(note);
    bool bad = doc_bool(note, "bad", false);
    Doc *d = doc_object(), *tags = doc_array();
    doc_set_str(d, "topic", topic);
    doc_set_str(d, "title", subject);
    doc_set_str(d, "message", text);
    doc_set_int(d, "priority", bad ? 4 : 3);
    doc_push_str(tags, bad ? "warning" : "white_check_mark");
    doc_set(d, "tags", tags);
    return d;
}

char *shape_body(Channel channel, const Doc *note, const char *place)
{
    AUTO(Doc) d = NULL;
    switch (channel) {
    case CHANNEL_SLACK:
        d = slack(note);
        break;
    case CHANNEL_DISCORD:
        d = discord(note);
        break;
    case CHANNEL_TELEGRAM:
        d = telegram(note, place);
        break;
    case CHANNEL_NTFY:
        d = ntfy(note, place);
        break;
    case CHANNEL_WEBHOOK:
        d = doc_copy(note);
        break;
    case CHANNEL_EMAIL:
    case CHANNEL_PING:
    case CHANNELS:
        return shape_text(note);
    }
    return doc_print(d, false);
}

/* -- addresses and signatures ---------------------------------------------------------------------
 */

void shape_sign(const Secret *secret, const char *timestamp, const char *body,
                char out[SHAPE_SIGNATURE])
{
    AUTO(char) text = mem_printf("%s.%s", timestamp, body);
    uint8_t sum[HASH_BYTES];
    hash_sign(secret_look(secret), secret_length(secret), text, strlen(text), sum);
    strcpy(out, "sha256=");
    text_hex(sum, sizeof sum, out + 7);
}

char *shape_ping_url(const char *url, const char *event)
{
    NotifyEvent what = NOTIFY_TEST;
    notify_event_of(event, &what);
    const char *suffix = what == NOTIFY_STARTED      ? "/start"
                         : what == NOTIFY_SUCCESS    ? ""
                         : notify_event_is_bad(what) ? "/fail"
                                                     : "/log";
    size_t n = strcspn(url, "?#");
    const char *rest = url + n;
    while (n && url[n - 1] == '/')
        n--;
    return mem_printf("%.*s%s%s", (int)n, url, suffix, rest);
}

bool shape_ntfy(const char *url, char **root, char **topic)
{
    size_t n = strcspn(url, "?#");
    while (n && url[n - 1] == '/')
        n--;
    const char *host = strstr(url, "://"), *slash = memrchr(url, '/', n);
    if (!host || !slash || slash < host + 3)
        return false;
    *root = mem_strndup(url, (size_t)(slash + 1 - url));
    *topic = mem_strndup(slash + 1, n - (size_t)(slash + 1 - url));
    return true;
}
