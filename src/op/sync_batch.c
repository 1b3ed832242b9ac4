#include "op/sync_batch.h"

#include <string.h>

#define NAME_MAX_BYTES 255 /* 63 in the database's encoding */
#define NESTING 64         /* of what is no row */

void sync_batch_clear(SyncBatch *b)
{
    doc_free(b->head);
    *b = (SyncBatch){0};
}

/* -- where things stand ------------------------------------------------------------------------ */

typedef struct Scan {
    const char *start, *p, *end;
} Scan;

static Error *expected(const Scan *s, const char *what)
{
    FAIL(ERR_USAGE, "the batch is not in the format: %s is expected at its byte %zu", what,
         (size_t)(s->p - s->start));
}

/* The next byte that is no white space; 0 at the end. */
static char peek(Scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
    return s->p < s->end ? *s->p : 0;
}

static Error *take(Scan *s, char c, const char *what)
{
    if (peek(s) != c)
        return expected(s, what);
    s->p++;
    return NULL;
}

/* What is in it is looked at by whoever reads it. */
static Error *skip_string(Scan *s)
{
    TRY(take(s, '"', "a text"));
    for (; s->p < s->end && *s->p != '"'; s->p++)
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
    return take(s, '"', "the end of a text");
}

static Error *skip_value(Scan *s)
{
    unsigned depth = 0;
    do {
        char c = peek(s);
        if (c == '"') {
            TRY(skip_string(s));
            continue;
        }
        if (!c || (!depth && (c == ',' || c == '}' || c == ']')))
            return expected(s, "a value");
        s->p++;
        if (c == '{' || c == '[') {
            if (++depth > NESTING)
                FAIL(ERR_USAGE, "the batch is nested too deeply");
        } else if (c == '}' || c == ']') {
            depth--;
        } else {
            while (s->p < s->end && !strchr(",]}[{\": \t\r\n", *s->p))
                s->p++;
        }
    } while (depth);
    return NULL;
}

/* Rows are kept out of the document: they would become an object for each value. */
static Error *part(Scan *s, Buf *head, SyncBatch *out)
{
    bool first = true;
    TRY(take(s, '{', "{"));
    buf_u8(head, '{');
    while (peek(s) != '}') {
        if (!first)
            TRY(take(s, ',', "a comma"));
        first = false;
        peek(s);
        const char *member = s->p;
        TRY(skip_string(s));
        bool rows = s->p - member == 6 && !memcmp(member, "\"rows\"", 6);
        TRY(take(s, ':', "a colon"));
        peek(s);
        const char *value = s->p;
        TRY(skip_value(s));
        if (!rows) {
            if (head->len > 1)
                buf_u8(head, ',');
            buf_add(head, member, (size_t)(s->p - member));
        } else if (out->rows_n) {
            FAIL(ERR_USAGE, "the batch has \"rows\" twice");
        } else {
            out->rows_at = value;
            out->rows_n = (size_t)(s->p - value);
        }
    }
    s->p++;
    buf_u8(head, '}');
    if (peek(s))
        return expected(s, "the end");
    return s->p == s->end ? NULL : expected(s, "the end");
}

/* -- the members ------------------------------------------------------------------------------- */

typedef struct Member {
    const char *name;
    DocType type;
    bool needed;
    size_t most; /* bytes of a text; members of a list: 0 means no limit of its own */
} Member;

static Error *wrong(const char *where, const char *name, const char *why)
{
    AUTO(char) shown = text_printable(name);
    AUTO(char) cut = text_cut(shown, 60);
    FAIL(ERR_USAGE, "the batch is not in the format: %s%s\"%s\" %s", where, *where ? ": " : "", cut,
         why);
}

static Error *check_member(const char *where, const Member *m, const Doc *value)
{
    if (doc_type(value) != m->type)
        return wrong(where, m->name, "is of another type");
    if (m->type == DOC_TEXT && m->most && strlen(doc_text(value)) > m->most)
        return wrong(where, m->name, "is too long");
    if (m->type == DOC_INTEGER && doc_number(value) < 0)
        return wrong(where, m->name, "is negative");
    return NULL;
}

/* Exactly these; the list ends with a name of NULL. */
static Error *check(const Doc *d, const char *where, const Member *members)
{
    if (doc_type(d) != DOC_OBJECT)
        FAIL(ERR_USAGE, "the batch is not in the format: %s: an object is expected", where);
    for (size_t i = 0; i < doc_count(d); i++) {
        const char *key = doc_key_at(d, i);
        const Member *m = members;
        while (m->name && strcmp(m->name, key))
            m++;
        if (!m->name)
            return wrong(where, key, "is not known");
        TRY(check_member(where, m, doc_get(d, key)));
    }
    for (const Member *m = members; m->name; m++)
        if (m->needed && !doc_has(d, m->name))
            return wrong(where, m->name, "is missing");
    return NULL;
}

static Error *check_texts(const Doc *list, const char *where, size_t most_items)
{
    if (doc_count(list) > most_items)
        FAIL(ERR_USAGE, "the batch is not in the format: %s: too many", where);
    for (size_t i = 0; i < doc_count(list); i++) {
        const char *text = doc_text(doc_at(list, i));
        if (!text || !*text || strlen(text) > NAME_MAX_BYTES)
            FAIL(ERR_USAGE, "the batch is not in the format: %s: names are texts of 1 to %d bytes",
                 where, NAME_MAX_BYTES);
    }
    return NULL;
}

static Error *check_name(const Doc *d, const char *where)
{
    if (!*doc_str(d, "schema", "") || !*doc_str(d, "name", ""))
        FAIL(ERR_USAGE, "the batch is not in the format: %s: a name is empty", where);
    return NULL;
}

static Error *check_table(const Doc *table, SyncBatch *b)
{
    static const Member members[] = {{"schema", DOC_TEXT, true, NAME_MAX_BYTES},
                                     {"name", DOC_TEXT, true, NAME_MAX_BYTES},
                                     {"columns", DOC_ARRAY, true, 0},
                                     {0}};
    TRY(check(table, "table", members));
    TRY(check_name(table, "table"));
    TRY(check_texts(doc_get(table, "columns"), "columns", SYNC_BATCH_COLUMNS));
    b->columns = doc_count(doc_get(table, "columns"));
    return NULL;
}

static Error *check_tables(const Doc *list)
{
    static const Member members[] = {{"schema", DOC_TEXT, true, NAME_MAX_BYTES},
                                     {"name", DOC_TEXT, true, NAME_MAX_BYTES},
                                     {"columns", DOC_ARRAY, false, 0},
                                     {"rows", DOC_INTEGER, true, 0},
                                     {"sha256", DOC_TEXT, true, 64},
                                     {0}};
    uint8_t hash[32];
    for (size_t i = 0; i < doc_count(list); i++) {
        const Doc *t = doc_at(list, i);
        TRY(check(t, "tables", members));
        TRY(check_name(t, "tables"));
        TRY(check_texts(doc_get(t, "columns"), "columns", SYNC_BATCH_COLUMNS));
        if (!text_unhex(doc_str(t, "sha256", ""), hash, sizeof hash))
            return wrong("tables", "sha256", "is no hash of 64 hex digits");
    }
    return NULL;
}

static Error *check_sequences(const Doc *list)
{
    static const Member name[] = {{"schema", DOC_TEXT, true, NAME_MAX_BYTES},
                                  {"name", DOC_TEXT, true, NAME_MAX_BYTES},
                                  {"called", DOC_BOOL, true, 0},
                                  {0}};
    for (size_t i = 0; i < doc_count(list); i++) {
        AUTO(Doc) d = doc_copy(doc_at(list, i));
        const Doc *value = doc_get(d, "value");
        if (!value || doc_type(value) != DOC_INTEGER) /* it may be negative */
            return wrong("sequences", "value", "is no whole number");
        doc_remove(d, "value");
        TRY(check(d, "sequences", name));
        TRY(check_name(d, "sequences"));
    }
    return NULL;
}

static Error *check_source(const Doc *source)
{
    static const Member members[] = {{"database", DOC_TEXT, false, NAME_MAX_BYTES},
                                     {"databaseVersion", DOC_TEXT, false, 1024},
                                     {"encoding", DOC_TEXT, false, 64},
                                     {"server", DOC_TEXT, false, 1024},
                                     {"systemIdentifier", DOC_TEXT, false, 64},
                                     {"databaseOid", DOC_INTEGER, false, 0},
                                     {"timestamp", DOC_TEXT, false, 64},
                                     {"filter", DOC_TEXT, false, 65536},
                                     {"masked", DOC_ARRAY, false, 0},
                                     {0}};
    TRY(check(source, "source", members));
    const Doc *masked = doc_get(source, "masked");
    for (size_t i = 0; i < doc_count(masked); i++)
        if (!doc_text(doc_at(masked, i)))
            return wrong("source", "masked", "has something else than texts");
    return NULL;
}

static Error *check_relations(const Doc *list)
{
    for (size_t i = 0; i < doc_count(list); i++)
        if (doc_type(doc_at(list, i)) != DOC_OBJECT)
            return wrong("", "relations", "has something else than objects");
    return NULL;
}

static Error *check_head(SyncBatch *b)
{
    static const Member members[] = {{"sessionId", DOC_TEXT, true, 255},
                                     {"attempt", DOC_INTEGER, false, 0},
                                     {"seq", DOC_INTEGER, true, 0},
                                     {"source", DOC_OBJECT, false, 0},
                                     {"relations", DOC_ARRAY, false, 0},
                                     {"table", DOC_OBJECT, false, 0},
                                     {"more", DOC_BOOL, false, 0},
                                     {"tables", DOC_ARRAY, false, 0},
                                     {"sequences", DOC_ARRAY, false, 0},
                                     {"last", DOC_BOOL, false, 0},
                                     {0}};
    const Doc *d = b->head;
    TRY(check(d, "", members));
    b->session = doc_str(d, "sessionId", "");
    b->attempt = (uint64_t)doc_int(d, "attempt", 1);
    b->seq = (uint64_t)doc_int(d, "seq", 0);
    b->table = doc_get(d, "table");
    b->more = doc_bool(d, "more", false);
    b->last = doc_bool(d, "last", false);
    if (!b->attempt || !b->seq)
        return wrong("", b->seq ? "attempt" : "seq", "begins at 1");
    if (b->table)
        TRY(check_table(b->table, b));
    if (doc_has(d, "source"))
        TRY(check_source(doc_get(d, "source")));
    TRY(check_relations(doc_get(d, "relations")));
    TRY(check_tables(doc_get(d, "tables")));
    TRY(check_sequences(doc_get(d, "sequences")));
    if (doc_has(d, "source") && b->seq != 1)
        return wrong("", "source", "belongs into the batch with seq 1");
    if (!b->table != !b->rows_n)
        FAIL(ERR_USAGE, "the batch is not in the format: \"table\" and \"rows\" belong together");
    if (b->more && (!b->columns || b->last))
        return wrong("", "more", "needs a value that goes on in the next batch");
    return NULL;
}

Error *sync_batch_read(const void *p, size_t n, SyncBatch *out)
{
    AUTO_VALUE(SyncBatch) b = {0};
    AUTO_VALUE(Buf) head = {0};
    if (n > SYNC_BATCH_MAX)
        FAIL(ERR_LIMIT, "a batch has at most %zu bytes", SYNC_BATCH_MAX);
    if (!n || !text_is_utf8(p, n))
        FAIL(ERR_USAGE, "the batch is no JSON in UTF-8");
    Scan s = {.start = p, .p = p, .end = (const char *)p + n};
    TRY(buf_reserve(&head, n + 2, SYNC_BATCH_MAX + 2));
    TRY(part(&s, &head, &b));
    Error *e = doc_parse((const char *)head.data, head.len, "the batch", &b.head);
    if (e)
        return error_rekind(e, ERR_USAGE);
    TRY(check_head(&b));
    *out = b;
    b = (SyncBatch){0};
    return NULL;
}

/* -- rows -------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits behind \u. */
static Error *take_unit(Scan *s, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        int digit = s->p < s->end ? hex_digit(*s->p) : -1;
        if (digit < 0)
            return expected(s, "a hex digit");
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return NULL;
}

static Error *take_code(Scan *s, uint32_t *code)
{
    uint32_t low;
    TRY(take_unit(s, code));
    if (!*code)
        FAIL(ERR_USAGE, "the batch has \\u0000 in a value, which no text in PostgreSQL can have");
    if (*code < 0xd800 || *code > 0xdfff)
        return NULL;
    if (*code > 0xdbff || s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
        return expected(s, "the other half of a character");
    s->p += 2;
    TRY(take_unit(s, &low));
    if (low < 0xdc00 || low > 0xdfff)
        return expected(s, "the other half of a character");
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return NULL;
}

static void put_utf8(Buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_u8(out, (uint8_t)c);
        return;
    }
    unsigned further = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    buf_u8(out, (uint8_t)(lead[further] | c >> 6 * further));
    while (further--)
        buf_u8(out, (uint8_t)(0x80 | (c >> 6 * further & 0x3f)));
}

/* As COPY writes it. */
static void put_char(Buf *out, uint32_t c)
{
    static const char special[] = "\b\f\n\r\t\v\\", letters[] = "bfnrtv\\";
    const char *found = c < 0x80 ? strchr(special, (int)c) : NULL;
    if (found) {
        buf_u8(out, '\\');
        buf_u8(out, (uint8_t)letters[found - special]);
    } else {
        put_utf8(out, c);
    }
}

/* Behind a backslash. */
static Error *take_escape(Scan *s, Buf *out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    char c = s->p < s->end ? *s->p : 0;
    const char *found = c ? strchr(letters, c) : NULL;
    if (!found && c != 'u')
        return expected(s, "an escape");
    s->p++;
    if (found) {
        put_char(out, (uint32_t)meanings[found - letters]);
        return NULL;
    }
    TRY(take_code(s, &code));
    put_char(out, code);
    return NULL;
}

static Error *take_text(Scan *s, Buf *out)
{
    TRY(take(s, '"', "a text"));
    for (;;) {
        const char *plain = s->p;
        while (s->p < s->end && *s->p != '"' && *s->p != '\\' && (unsigned char)*s->p >= 0x20)
            s->p++;
        buf_add(out, plain, (size_t)(s->p - plain));
        if (s->p == s->end || (unsigned char)*s->p < 0x20)
            return expected(s, "the end of a text");
        if (*s->p++ == '"')
            return NULL;
        TRY(take_escape(s, out));
    }
}

/* *text: it is no null. */
static Error *take_value(Scan *s, Buf *out, bool *text)
{
    *text = peek(s) == '"';
    if (*text)
        return take_text(s, out);
    if (s->end - s->p < 4 || memcmp(s->p, "null", 4))
        return expected(s, "a text or null");
    s->p += 4;
    buf_add(out, "\\N", 2);
    return NULL;
}

/* From column *open on; *open: that of its last value. */
static Error *take_row(Scan *s, size_t columns, bool goes_on, uint32_t *open, bool *text, Buf *out)
{
    size_t column = goes_on ? *open : 0;
    *text = false;
    TRY(take(s, '[', "a row"));
    for (bool first = true; peek(s) != ']'; first = false, column++) {
        if (!first)
            TRY(take(s, ',', "a comma"));
        if (column >= columns)
            FAIL(ERR_USAGE, "the batch has a row of more than its %zu columns", columns);
        if (column && !(goes_on && first))
            buf_u8(out, '\t');
        TRY(take_value(s, out, text));
        if (goes_on && first && !*text)
            FAIL(ERR_USAGE, "the batch goes on with null in a value");
    }
    s->p++;
    /* Whoever goes on gives the rest of the value first. */
    if (goes_on && column == *open)
        FAIL(ERR_USAGE, "the batch does not go on with the value that is open");
    *open = column ? (uint32_t)column - 1 : SYNC_BATCH_CLOSED;
    return NULL;
}

static Error *end_of_rows(Scan *s)
{
    TRY(take(s, ']', "the end of the rows"));
    return s->p == s->end ? NULL : expected(s, "the end of the rows");
}

Error *sync_batch_rows(const SyncBatch *b, uint32_t *open, Buf *text, uint64_t *rows)
{
    *rows = 0;
    bool goes_on = *open != SYNC_BATCH_CLOSED, ended = true, last_is_text = false;
    if (!b->table) {
        if (goes_on)
            FAIL(ERR_USAGE, "the batch before it ends inside a value, which does not go on here");
        return NULL;
    }
    Scan s = {.start = b->rows_at, .p = b->rows_at, .end = b->rows_at + b->rows_n};
    /* No value is longer as COPY writes it than in JSON. */
    TRY(buf_reserve(text, b->rows_n + 16, SYNC_BATCH_MAX + 16));
    TRY(take(&s, '[', "a list of rows"));
    while (peek(&s) != ']') {
        uint32_t last = goes_on ? *open : SYNC_BATCH_CLOSED;
        if (*rows || !ended)
            TRY(take(&s, ',', "a comma"));
        TRY(take_row(&s, b->columns, goes_on, &last, &last_is_text, text));
        ended = last == SYNC_BATCH_CLOSED ? !b->columns : last + 1u == b->columns;
        if (b->more && peek(&s) == ']') {
            if (!last_is_text)
                FAIL(ERR_USAGE, "the batch has no value that could go on in the next one");
            *open = last;
            return end_of_rows(&s);
        }
        if (!ended)
            FAIL(ERR_USAGE, "the batch has a row of %u of its %zu columns",
                 last == SYNC_BATCH_CLOSED ? 0 : last + 1, b->columns);
        buf_u8(text, '\n');
        (*rows)++;
        goes_on = false;
    }
    if (goes_on || b->more)
        FAIL(ERR_USAGE, "the batch has no row in which a value goes on");
    *open = SYNC_BATCH_CLOSED;
    return end_of_rows(&s);
}
