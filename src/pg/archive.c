#include "pg/archive.h"

#include <limits.h>
#include <string.h>

#include "base/text.h"

#define STRING_MAX ((size_t)256 << 20)
#define TOC_MAX ((size_t)1 << 30)
#define ENTRIES_MAX 10000000
#define READ_SIZE ((size_t)64 << 10)
#define MINOR_OLDEST 12
#define MINOR_NEWEST 16
enum { FORMAT_CUSTOM = 1, FORMAT_TAR = 3, FORMAT_DIRECTORY = 5 }; /* toc.dat says tar */

/* The bytes, and where we are in them. The parser runs twice over the same bytes: first with a
 * source that brings them, building nothing, so that every count is proven by bytes that are really
 * there; then over the whole, building. */
typedef struct Source {
    Toc *toc;
    TocRead read; /* NULL: all there is stands in toc->raw */
    void *ctx;
    size_t at;
    int entry, entries; /* for messages; entry counts from 1 */
    bool build;
    StrList *files; /* directory format: where each entry's data lie, instead of a position; filled
                       by the building run */
    bool directory;
    char *string_end; /* in the arena */
    size_t dep_count; /* of all entries */
} Source;

static Error *broken(const Source *s, const char *what) MUST_CHECK;
static Error *broken(const Source *s, const char *what)
{
    if (s->entry)
        return ERROR_NEW(ERR_ARCHIVE, "pg_dump's archive: at byte %zu, in entry %d of %d: %s",
                         s->at, s->entry, s->entries, what);
    return ERROR_NEW(ERR_ARCHIVE, "pg_dump's archive: at byte %zu, in the header: %s", s->at, what);
}

/* Makes n bytes from `at` on available. */
static Error *need(Source *s, size_t n)
{
    Buf *raw = &s->toc->raw;
    if (n > TOC_MAX || s->at > TOC_MAX - n)
        return broken(s, "the table of contents is larger than 1 GiB");
    while (raw->len < s->at + n) {
        size_t got = 0;
        if (s->read) {
            TRY(buf_reserve(raw, READ_SIZE, TOC_MAX + READ_SIZE));
            TRY(s->read(s->ctx, raw->data + raw->len, READ_SIZE, &got));
        }
        if (!got)
            return broken(s, "it ends too early");
        raw->len += got;
    }
    return NULL;
}

static Error *read_byte(Source *s, int *out)
{
    TRY(need(s, 1));
    *out = s->toc->raw.data[s->at++];
    return NULL;
}

static uint64_t little_endian(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static Error *read_int(Source *s, int *out)
{
    TRY(need(s, 1 + (size_t)s->toc->int_size));
    const uint8_t *p = s->toc->raw.data + s->at;
    uint64_t v = little_endian(p + 1, s->toc->int_size);
    if (p[0] > 1 || v > INT_MAX)
        return broken(s, "a number out of range");
    *out = p[0] ? -(int)v : (int)v;
    s->at += 1 + (size_t)s->toc->int_size;
    return NULL;
}

/* Each string stands behind a length of 2 bytes or more, so an arena as large as the whole has room
 * for all of them with a NUL. While nothing is built *out is not NUL-terminated, but *n says. */
static Error *read_str(Source *s, const char **out, size_t *n)
{
    int length;
    TRY(read_int(s, &length));
    *out = NULL;
    *n = 0;
    if (length < -1 || (length > 0 && (size_t)length > STRING_MAX))
        return broken(s, "a string of impossible length");
    if (length < 0)
        return NULL;
    *n = (size_t)length;
    TRY(need(s, *n));
    const char *p = (const char *)s->toc->raw.data + s->at;
    if (memchr(p, 0, *n))
        return broken(s, "a string with a zero byte in it");
    *out = p;
    if (s->build) {
        memcpy(s->string_end, p, *n);
        s->string_end[*n] = 0;
        *out = s->string_end;
        s->string_end += *n + 1;
    }
    s->at += *n;
    return NULL;
}

static Error *read_text(Source *s, const char **out)
{
    size_t n;
    TRY(read_str(s, out, &n));
    *out = *out ? *out : "";
    return NULL;
}

/* A number in decimal; *null says that the string was NULL. */
static Error *read_decimal(Source *s, uint64_t max, uint64_t *out, bool *null)
{
    const char *p;
    size_t n;
    TRY(read_str(s, &p, &n));
    *null = !p;
    *out = 0;
    if (n > 10 || (p && !n))
        return broken(s, "not a number");
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return broken(s, "not a number");
        *out = *out * 10 + (uint64_t)(p[i] - '0');
    }
    if (*out > max)
        return broken(s, "a number out of range");
    return NULL;
}

static Error *read_oid(Source *s, uint32_t *out)
{
    uint64_t v;
    bool null;
    TRY(read_decimal(s, UINT32_MAX, &v, &null));
    *out = (uint32_t)v;
    return NULL;
}

static Error *read_deps(Source *s, TocEntry *e)
{
    size_t first = s->dep_count;
    for (;;) {
        uint64_t v;
        bool null;
        TRY(read_decimal(s, INT_MAX, &v, &null));
        if (null)
            break;
        if (s->build)
            s->toc->deps[s->dep_count] = (int)v;
        s->dep_count++;
    }
    e->deps = s->build && s->dep_count > first ? s->toc->deps + first : NULL;
    e->dep_count = s->dep_count - first;
    return NULL;
}

static Error *read_offset(Source *s, TocEntry *e)
{
    int flag;
    e->offset_at = s->at;
    TRY(read_byte(s, &flag));
    TRY(need(s, (size_t)s->toc->off_size));
    e->offset = little_endian(s->toc->raw.data + s->at, s->toc->off_size);
    s->at += (size_t)s->toc->off_size;
    if (flag < TOC_OFFSET_UNSET || flag > TOC_OFFSET_NO_DATA)
        return broken(s, "an unknown kind of data position");
    e->offset_flag = (TocOffset)flag;
    return NULL;
}

static Error *read_file_name(Source *s, TocEntry *e)
{
    const char *name; /* ends with a NUL in the building run only */
    size_t n;
    e->offset_at = s->at;
    TRY(read_str(s, &name, &n));
    e->offset_flag = name && n ? TOC_OFFSET_UNSET : TOC_OFFSET_NO_DATA;
    if (s->build)
        strlist_own(s->files, mem_strndup(name ? name : "", n));
    return NULL;
}

static Error *read_entry(Source *s, TocEntry *e)
{
    int number, relkind = 0;
    size_t n;
    const char *with_oids;
    e->at = s->at;
    TRY(read_int(s, &e->dump_id));
    if (e->dump_id <= 0)
        return broken(s, "an entry's number is not positive");
    TRY(read_int(s, &number));
    e->had_dumper = number != 0;
    TRY(read_oid(s, &e->table_oid));
    TRY(read_oid(s, &e->oid));
    TRY(read_text(s, &e->tag));
    TRY(read_text(s, &e->desc));
    TRY(read_int(s, &number));
    if (number < TOC_NONE || number > TOC_POST_DATA)
        return broken(s, "an unknown section");
    e->section = (TocSection)number;
    TRY(read_text(s, &e->defn));
    TRY(read_text(s, &e->drop));
    TRY(read_str(s, &e->copy_stmt, &n));
    TRY(read_text(s, &e->schema));
    TRY(read_text(s, &e->tablespace));
    e->tableam = "";
    if (s->toc->minor >= 14)
        TRY(read_text(s, &e->tableam));
    e->relkind_at = s->at;
    if (s->toc->minor >= 16)
        TRY(read_int(s, &relkind));
    if (relkind < 0 || relkind > 127)
        return broken(s, "an impossible kind of relation");
    e->relkind = (char)relkind;
    e->owner_at = s->at;
    TRY(read_text(s, &e->owner));
    TRY(read_text(s, &with_oids));
    TRY(read_deps(s, e));
    return s->directory ? read_file_name(s, e) : read_offset(s, e);
}

static Error *read_header(Source *s)
{
    Toc *t = s->toc;
    int format;
    TRY(need(s, 5));
    if (memcmp(t->raw.data, "PGDMP", 5))
        return broken(s, "it is not an archive in pg_dump's custom format");
    s->at = 5;
    TRY(read_byte(s, &t->major));
    TRY(read_byte(s, &t->minor));
    TRY(read_byte(s, &t->rev));
    if (t->major != 1 || t->minor < MINOR_OLDEST || t->minor > MINOR_NEWEST)
        return error_hint(ERROR_NEW(ERR_ARCHIVE,
                                    "pg_dump's archive has version %d.%d; 1.%d to 1.%d are known",
                                    t->major, t->minor, MINOR_OLDEST, MINOR_NEWEST),
                          "use a pg_dump of PostgreSQL 9.2 to 18");
    TRY(read_byte(s, &t->int_size));
    TRY(read_byte(s, &t->off_size));
    if (t->int_size < 1 || t->int_size > 8 || t->off_size < 1 || t->off_size > 8)
        return broken(s, "impossible sizes of numbers");
    TRY(read_byte(s, &format));
    if (s->directory ? format != FORMAT_TAR && format != FORMAT_DIRECTORY : format != FORMAT_CUSTOM)
        return broken(s, s->directory ? "it is not in the directory format"
                                      : "it is not in the custom format");
    t->format_at = s->at - 1;
    t->compression_at = s->at;
    if (t->minor >= 15)
        TRY(read_byte(s, &t->compression));
    else
        TRY(read_int(s, &t->compression));
    t->time_at = s->at;
    for (int i = 0; i < 7; i++)
        TRY(read_int(s, &t->time[i]));
    TRY(read_text(s, &t->dbname));
    TRY(read_text(s, &t->server_version));
    TRY(read_text(s, &t->dump_version));
    t->count_at = s->at;
    TRY(read_int(s, &s->entries));
    if (s->entries < 0 || s->entries > ENTRIES_MAX)
        return broken(s, "an impossible number of entries");
    return NULL;
}

static Error *parse(Source *s)
{
    TRY(read_header(s));
    for (s->entry = 1; s->entry <= s->entries; s->entry++) {
        TocEntry unused = {0};
        TRY(read_entry(s, s->build ? &s->toc->entries[s->entry - 1] : &unused));
    }
    return NULL;
}

static int by_dump_id(const void *a, const void *b)
{
    int x = (*(TocEntry *const *)a)->dump_id, y = (*(TocEntry *const *)b)->dump_id;
    return (x > y) - (x < y);
}

static Error *index_ids(Toc *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->by_id[i] = &t->entries[i];
    mem_sort(t->by_id, t->count, sizeof *t->by_id, by_dump_id);
    for (size_t i = 1; i < t->count; i++)
        if (t->by_id[i - 1]->dump_id == t->by_id[i]->dump_id)
            FAIL(ERR_ARCHIVE, "pg_dump's archive: two entries have the number %d",
                 t->by_id[i]->dump_id);
    return NULL;
}

/* The second run, over bytes that the first has found whole: `seen` is where that one ended. */
static Error *build(Toc *t, const Source *seen, StrList *files)
{
    t->count = (size_t)seen->entries;
    t->entries = calloc(t->count + 1, sizeof *t->entries);
    t->by_id = calloc(t->count + 1, sizeof(TocEntry *));
    t->deps = calloc(seen->dep_count + 1, sizeof *t->deps);
    t->arena = malloc(t->raw.len + 1);
    if (!t->entries || !t->by_id || !t->deps || !t->arena)
        FAIL(ERR_MEMORY, "not enough memory for a table of contents of %zu entries", t->count);
    Source s = {.toc = t,
                .build = true,
                .string_end = t->arena,
                .directory = seen->directory,
                .files = files};
    TRY(parse(&s));
    return index_ids(t);
}

Error *toc_read(TocRead read, void *ctx, Toc **out)
{
    AUTO(Toc) t = mem_new(Toc);
    Source s = {.toc = t, .read = read, .ctx = ctx};
    TRY(parse(&s));
    buf_add(&t->rest, t->raw.data + s.at, t->raw.len - s.at);
    t->raw.len = s.at;
    TRY(build(t, &s, NULL));
    *out = STEAL(t);
    return NULL;
}

Error *toc_parse(const void *p, size_t n, Toc **out)
{
    AUTO(Toc) t = mem_new(Toc);
    TRY(buf_reserve(&t->raw, n, TOC_MAX));
    buf_add(&t->raw, p, n);
    Source s = {.toc = t};
    TRY(parse(&s));
    if (s.at != n)
        FAIL(ERR_ARCHIVE, "pg_dump's archive: %zu bytes behind its table of contents", n - s.at);
    TRY(build(t, &s, NULL));
    *out = STEAL(t);
    return NULL;
}

/* The bytes of a custom archive: a position that is not set instead of each file name. */
static void with_offsets(const Toc *t, Buf *out)
{
    buf_add(out, t->raw.data, t->count ? t->entries[0].at : t->raw.len);
    out->data[t->format_at] = FORMAT_CUSTOM;
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        buf_add(out, t->raw.data + e->at, e->offset_at - e->at);
        buf_u8(out, (uint8_t)e->offset_flag);
        for (int k = 0; k < t->off_size; k++)
            buf_u8(out, 0);
    }
}

Error *toc_parse_directory(const void *p, size_t n, StrList *files, Toc **out)
{
    AUTO(Toc) t = mem_new(Toc);
    AUTO_VALUE(Buf) custom = {0};
    TRY(buf_reserve(&t->raw, n, TOC_MAX));
    buf_add(&t->raw, p, n);
    Source s = {.toc = t, .directory = true};
    TRY(parse(&s));
    if (s.at != n)
        FAIL(ERR_ARCHIVE, "toc.dat: %zu bytes behind the table of contents", n - s.at);
    TRY(build(t, &s, files));
    with_offsets(t, &custom);
    return toc_parse(custom.data, custom.len, out);
}

void toc_forget_offsets(Toc *t)
{
    for (size_t i = 0; i < t->count; i++) {
        TocEntry *e = &t->entries[i];
        if (e->offset_flag == TOC_OFFSET_NO_DATA)
            continue;
        e->offset_flag = TOC_OFFSET_UNSET;
        e->offset = 0;
        memset(t->raw.data + e->offset_at, 0, 1 + (size_t)t->off_size);
        t->raw.data[e->offset_at] = TOC_OFFSET_UNSET;
    }
}

void toc_free(Toc *t)
{
    buf_free(&t->raw);
    buf_free(&t->rest);
    free(t->entries);
    free(t->by_id);
    free(t->deps);
    free(t->arena);
    free(t);
}

int toc_restore_major(const Toc *t)
{
    static const int majors[] = {9, 11, 12, 16, 17};
    return majors[t->minor - MINOR_OLDEST];
}

const TocEntry *toc_find(const Toc *t, int dump_id)
{
    TocEntry key = {.dump_id = dump_id}, *wanted = &key;
    TocEntry **found = bsearch(&wanted, t->by_id, t->count, sizeof *t->by_id, by_dump_id);
    return found ? *found : NULL;
}

const TocEntry *toc_first(const Toc *t, const char *desc)
{
    for (size_t i = 0; i < t->count; i++)
        if (toc_is(&t->entries[i], desc))
            return &t->entries[i];
    return NULL;
}

bool toc_is(const TocEntry *e, const char *desc)
{
    return !strcmp(e->desc, desc);
}

bool toc_is_table_data(const TocEntry *e)
{
    return toc_is(e, "TABLE DATA");
}

bool toc_has_block(const TocEntry *e)
{
    return e->had_dumper && e->offset_flag != TOC_OFFSET_NO_DATA;
}

char *toc_encoding(const Toc *t)
{
    const TocEntry *e = toc_first(t, "ENCODING"); /* SET client_encoding = 'UTF8'; */
    const char *open = e ? strchr(e->defn, '\'') : NULL;
    return open ? mem_strndup(open + 1, strcspn(open + 1, "'")) : NULL;
}

void toc_list(const Toc *t, TocWant want, void *ctx, Buf *out)
{
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        if (!want(ctx, e))
            continue;
        /* What follows the semicolon is for people: pg_restore reads the number alone. */
        AUTO(char) schema = text_printable(*e->schema ? e->schema : "-");
        AUTO(char) tag = text_printable(e->tag);
        buf_printf(out, "%d; %s %s %s\n", e->dump_id, e->desc, schema, tag);
    }
}
