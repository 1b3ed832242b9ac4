#include "net/mail_text.h"

#include <string.h>
#include <time.h>

#define ADDRESS_MAX 254
#define LINE_MAX 76   /* of quoted-printable, with the = at its end */
#define WORD_BYTES 39 /* of an encoded word: 73 characters after the header's name */
#define PLAIN_SUBJECT_MAX 60

/* -- checks ----------------------------------------------------------------------------------- */

/* What a server reads between < and >; quoted names and comments are not for us. */
static bool is_address(const char *s)
{
    const char *at = strchr(s, '@');
    if (!at || at == s || !at[1] || strchr(at + 1, '@') || strlen(s) > ADDRESS_MAX)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~' || strchr("<>()[]\\,;:\"", *s))
            return false;
    return true;
}

static Error *check_address(const char *what, const char *address)
{
    if (is_address(address))
        return NULL;
    AUTO(char) shown = text_printable(address);
    return error_hint(ERROR_NEW(ERR_CONFIG, "%s is not a mail address: \"%.80s\"", what, shown),
                      "write it bare, as dba@example.com");
}

static Error *check(const Mail *m)
{
    TRY(check_address("the sender", m->from));
    if (!m->to.count)
        FAIL(ERR_CONFIG, "the mail is for nobody");
    if (m->to.count > MAIL_TO_MAX)
        FAIL(ERR_LIMIT, "the mail is for %zu addresses; %d are allowed", m->to.count, MAIL_TO_MAX);
    for (size_t i = 0; i < m->to.count; i++)
        TRY(check_address("whom the mail is for", m->to.items[i]));
    if (strlen(m->subject) > MAIL_SUBJECT_MAX)
        FAIL(ERR_LIMIT, "the mail's subject is longer than %d bytes", MAIL_SUBJECT_MAX);
    if (strlen(m->text) > MAIL_TEXT_MAX)
        FAIL(ERR_LIMIT, "the mail's text is longer than %u bytes", MAIL_TEXT_MAX);
    for (const char *p = m->subject; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            FAIL(ERR_CONFIG, "the mail's subject has a control character or a line break");
    return NULL;
}

/* -- UTF-8 ------------------------------------------------------------------------------------ */

/* Bytes of the character that begins here, 0 where none does. */
static size_t character(const unsigned char *p)
{
    size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : 0;
    if (*p >= 0xf0 && *p < 0xf5)
        n = 4;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Written longer than need be, halves of a pair, beyond the last. */
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) ||
        (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] >= 0x90))
        return 0;
    return n;
}

/* The next character, or U+FFFD for a byte that begins none. */
static const char *next_character(const char **at, size_t *n)
{
    const char *start = *at;
    *n = character((const unsigned char *)start);
    *at += *n ? *n : 1;
    if (*n)
        return start;
    *n = 3;
    return "\xef\xbf\xbd";
}

/* -- headers ---------------------------------------------------------------------------------- */

static void add_base64(Buf *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_u8(out, i + k > n ? '=' : (uint8_t)digits[v >> (18 - 6 * k) & 63]);
    }
}

static void add_subject(Buf *out, const char *subject)
{
    bool plain = strlen(subject) <= PLAIN_SUBJECT_MAX && !strstr(subject, "=?");
    for (const char *p = subject; *p && plain; p++)
        plain = *p > 0;
    buf_add_str(out, "Subject:");
    if (plain) {
        buf_printf(out, " %s\r\n", subject);
        return;
    }
    do { /* each word whole characters */
        AUTO_VALUE(Buf) word = {0};
        while (*subject) {
            size_t n;
            const char *rest = subject, *text = next_character(&rest, &n);
            if (word.len + n > WORD_BYTES)
                break;
            buf_add(&word, text, n);
            subject = rest;
        }
        buf_add_str(out, " =?UTF-8?B?");
        add_base64(out, word.data, word.len);
        buf_add_str(out, "?=\r\n");
    } while (*subject);
}

static void add_headers(Buf *out, const Mail *m, Instant date, const char *unique)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(date / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    buf_printf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\r\n", days + 3 * tm.tm_wday,
               tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
               tm.tm_sec);
    buf_printf(out, "From: <%s>\r\n", m->from);
    for (size_t i = 0; i < m->to.count; i++)
        buf_printf(out, "%s <%s>%s\r\n", i ? "" : "To:", m->to.items[i],
                   i + 1 < m->to.count ? "," : "");
    add_subject(out, m->subject);
    buf_printf(out, "Message-ID: <%s.pgstow@%s>\r\n", unique, strchr(m->from, '@') + 1);
    /* Nobody's absence note is wanted. */
    buf_add_str(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

/* -- text ------------------------------------------------------------------------------------- */

/* A piece of a line: one character of ASCII, or bytes as =XX. */
static void add_piece(Buf *out, size_t *column, const char *p, size_t n, bool plain)
{
    size_t width = plain ? n : 3 * n;
    if (*column + width > LINE_MAX - 1) {
        buf_add_str(out, "=\r\n");
        *column = 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (plain)
            buf_u8(out, (uint8_t)p[i]);
        else
            buf_printf(out, "=%02X", (unsigned)(uint8_t)p[i]);
    }
    *column += width;
}

static void add_text(Buf *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t n;
        if (*text == '\n' || (*text == '\r' && text[1] == '\n')) {
            text += *text == '\r' ? 2 : 1;
            buf_add_str(out, "\r\n");
            column = 0;
            continue;
        }
        const char *p = next_character(&text, &n);
        bool space = *p == ' ' && *text != '\n' && *text != '\r' && *text;
        add_piece(out, &column, p, n, space || (*p > ' ' && *p <= '~' && *p != '='));
    }
    if (column)
        buf_add_str(out, "\r\n");
}

Error *mail_text(const Mail *m, Instant date, const char *unique, Buf *out)
{
    TRY(check(m));
    /* At worst each byte becomes nine, and each line an end of three. */
    TRY(buf_reserve(out, strlen(m->text) * 10 + 65536 + m->to.count * (ADDRESS_MAX + 16),
                    SIZE_MAX));
    add_headers(out, m, date, unique);
    add_text(out, m->text);
    return NULL;
}
