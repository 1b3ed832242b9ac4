#include "repo/names.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"

#define ORIGIN_REPOSITORY 32 /* digits of a repository's id */

SessionId session_id_new(void)
{
    SessionId id;
    random_bytes(id.b, sizeof id.b);
    return id;
}

bool pack_id_equal(PackId a, PackId b)
{
    return a.n == b.n && memcmp(a.session.b, b.session.b, SESSION_BYTES) == 0;
}

int pack_id_compare(PackId a, PackId b)
{
    int order = memcmp(a.session.b, b.session.b, SESSION_BYTES);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

void pack_id_write(Buf *b, PackId id)
{
    buf_add(b, id.session.b, SESSION_BYTES);
    buf_u32(b, id.n);
}

Error *pack_id_read(Reader *r, PackId *out)
{
    const uint8_t *session;
    TRY(reader_bytes(r, SESSION_BYTES, &session));
    memcpy(out->session.b, session, SESSION_BYTES);
    return reader_u32(r, &out->n);
}

static char *session_text(SessionId id, char out[SESSION_TEXT])
{
    text_hex(id.b, SESSION_BYTES, out);
    return out;
}

char *name_pack(PackId id, char *out)
{
    char session[SESSION_TEXT];
    snprintf(out, NAME_TEXT, "packs/%02x/%s-%u", (unsigned)(id.n & 255),
             session_text(id.session, session), (unsigned)id.n);
    return out;
}

/* "<session>-<number>", up to `end`. */
static bool parse_pack(const char *text, const char *end, PackId *out)
{
    if (end - text <= 2 * SESSION_BYTES + 1 || text[2 * SESSION_BYTES] != '-')
        return false;
    AUTO(char) session = mem_strndup(text, 2 * SESSION_BYTES);
    const char *digits = text + 2 * SESSION_BYTES + 1;
    AUTO(char) number = mem_strndup(digits, (size_t)(end - digits));
    int64_t n;
    AUTO(Error) bad = text_parse_int(number, 0, UINT32_MAX, &n);
    if (bad || !text_unhex(session, out->session.b, SESSION_BYTES))
        return false;
    out->n = (uint32_t)n;
    return true;
}

/* Both compare with the name made again: there is only one spelling of each. */
bool name_parse_pack(const char *name, PackId *out)
{
    const char *slash = strrchr(name, '/');
    char again[NAME_TEXT];
    return slash && parse_pack(slash + 1, name + strlen(name), out) &&
           strcmp(name_pack(*out, again), name) == 0;
}

char *name_pack_text(PackId id, char *out)
{
    char session[SESSION_TEXT];
    snprintf(out, NAME_TEXT, "%s-%u", session_text(id.session, session), (unsigned)id.n);
    return out;
}

bool name_parse_pack_text(const char *text, PackId *out)
{
    char again[NAME_TEXT];
    return parse_pack(text, text + strlen(text), out) &&
           strcmp(name_pack_text(*out, again), text) == 0;
}

bool name_parse_damage(const char *name, PackId *id, uint32_t *frame)
{
    const char *slash = strrchr(name, '/'), *dash = strrchr(name, '-');
    if (!slash || !dash || dash < slash || !parse_pack(slash + 1, dash, id))
        return false;
    int64_t n;
    AUTO(Error) bad = text_parse_int(dash + 1, 0, UINT32_MAX, &n);
    if (bad)
        return false;
    *frame = (uint32_t)n;
    char again[NAME_TEXT];
    return strcmp(name_damage(*id, *frame, again), name) == 0;
}

char *name_manifest(const char *backup_id, char *out)
{
    snprintf(out, NAME_TEXT, "backups/%s.manifest", backup_id);
    return out;
}

char *name_metadata(const char *backup_id, char *out)
{
    snprintf(out, NAME_TEXT, "backups/%s.metadata.json", backup_id);
    return out;
}

char *name_session(SessionId id, char *out)
{
    char session[SESSION_TEXT];
    snprintf(out, NAME_TEXT, "sessions/%s", session_text(id, session));
    return out;
}

char *name_trash(const char *backup_id, char *out)
{
    snprintf(out, NAME_TEXT, "trash/%s", backup_id);
    return out;
}

char *name_decision(const char *by, char *out)
{
    snprintf(out, NAME_TEXT, "purges/%s", by);
    return out;
}

char *name_pin(const char *backup_id, char *out)
{
    snprintf(out, NAME_TEXT, "pins/%s", backup_id);
    return out;
}

char *name_damage(PackId id, uint32_t frame, char *out)
{
    char session[SESSION_TEXT];
    snprintf(out, NAME_TEXT, "proofs/damage/%s-%u-%u", session_text(id.session, session),
             (unsigned)id.n, (unsigned)frame);
    return out;
}

char *name_proof(const char *backup_id, Instant when, const char *level, bool good, char *out)
{
    uint8_t random[8];
    char text[2 * sizeof random + 1], time[CLOCK_TEXT];
    random_bytes(random, sizeof random);
    text_hex(random, sizeof random, text);
    snprintf(out, NAME_TEXT, "proofs/%s/%s-%s-%s-%s", backup_id, clock_compact(when, time), level,
             good ? "good" : "bad", text);
    return out;
}

char *name_origin(const char *repository, PackId source, PackId target, char *out)
{
    char from[SESSION_TEXT], to[SESSION_TEXT];
    snprintf(out, NAME_TEXT, "origins/%s/%s-%u.%s-%u", repository,
             session_text(source.session, from), (unsigned)source.n,
             session_text(target.session, to), (unsigned)target.n);
    return out;
}

bool name_parse_origin(const char *name, PackId *source, PackId *target)
{
    static const char folder[] = "origins/";
    const char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    if (strncmp(name, folder, sizeof folder - 1) != 0 || !dot || dot < slash ||
        slash - name != (int)sizeof folder - 1 + ORIGIN_REPOSITORY ||
        !parse_pack(slash + 1, dot, source) || !parse_pack(dot + 1, name + strlen(name), target))
        return false;
    AUTO(char) repository = mem_strndup(name + sizeof folder - 1, ORIGIN_REPOSITORY);
    char again[NAME_TEXT];
    return strcmp(name_origin(repository, *source, *target, again), name) == 0;
}

#define PART ".part"

char *name_origin_part(const char *repository, PackId source, PackId target, char *out)
{
    size_t n = strlen(name_origin(repository, source, target, out));
    snprintf(out + n, NAME_TEXT - n, PART);
    return out;
}

bool name_parse_origin_part(const char *name, PackId *source, PackId *target)
{
    size_t n = strlen(name), ending = sizeof PART - 1;
    if (n < ending || strcmp(name + n - ending, PART) != 0)
        return false;
    AUTO(char) whole = mem_strndup(name, n - ending);
    return name_parse_origin(whole, source, target);
}

char *backup_id_make(const char *database, Instant t)
{
    char time[CLOCK_TEXT];
    AUTO(char) escaped = text_escape_name(database);
    return mem_printf("%s-%s", escaped, clock_compact(t, time));
}
