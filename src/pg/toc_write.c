#include "pg/toc_write.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "pg/large_object.h"
#include "pg/sql_words.h"

#define TOC_MAX ((size_t)1 << 30) /* as toc_parse allows */
#define TABLEAM_MINOR 14
#define BYTE_COMPRESSION_MINOR 15
#define GROUPS_MINOR 16
#define FORMAT_CUSTOM 1
#define FORMAT_TAR 3 /* stands in toc.dat too: pg_dump's directory format shares it */
#define CLASS_LARGE_OBJECT 2613u

/* The large objects of a group that becomes an entry each. */
typedef struct Group {
    int dump_id;   /* of the group's entry; the first object keeps it */
    int second_id; /* the others follow from here on */
    uint32_t *oids;
    size_t count;
} Group;

typedef struct Writing {
    const Toc *t;
    int minor;
    Buf *out;
    int written; /* entries */
    int next_id; /* the first number that no entry has */
    Group *groups;
    size_t group_count, group_cap;
    bool blobs; /* the one BLOBS entry of an older archive is written */
} Writing;

static void writing_clear(Writing *w)
{
    for (size_t i = 0; i < w->group_count; i++)
        free(w->groups[i].oids);
    free(w->groups);
}
DEFINE_AUTO_VALUE(Writing, writing_clear)

int toc_minor_for(int restore_major)
{
    return restore_major >= 17 ? 16 : restore_major == 16 ? 15 : 14;
}

bool toc_groups_objects(const Toc *t)
{
    return t->minor >= GROUPS_MINOR;
}

/* -- numbers and strings ---------------------------------------------------------------------- */

static void put_int(Writing *w, int v)
{
    uint64_t magnitude = (uint64_t)(v < 0 ? -(int64_t)v : v);
    buf_u8(w->out, v < 0);
    for (int i = 0; i < w->t->int_size; i++)
        buf_u8(w->out, (uint8_t)(magnitude >> (8 * i)));
}

static void put_str(Writing *w, const char *s)
{
    put_int(w, s ? (int)strlen(s) : -1);
    buf_add_str(w->out, s ? s : "");
}

static void put_decimal(Writing *w, uint32_t v)
{
    char text[16];
    snprintf(text, sizeof text, "%u", v);
    put_str(w, text);
}

static void copy(Writing *w, size_t from, size_t to)
{
    buf_add(w->out, w->t->raw.data + from, to - from);
}

/* -- the parts of an entry -------------------------------------------------------------------- */

static void put_relkind(Writing *w, int relkind)
{
    if (w->minor >= GROUPS_MINOR)
        put_int(w, relkind);
}

static void put_no_data(Writing *w)
{
    buf_u8(w->out, TOC_OFFSET_NO_DATA);
    for (int i = 0; i < w->t->off_size; i++)
        buf_u8(w->out, 0);
}

/* All of an entry but its Offset, in the version wanted. */
static void put_body(Writing *w, const TocEntry *e)
{
    copy(w, e->at, e->relkind_at);
    if (w->t->minor < TABLEAM_MINOR)
        put_str(w, NULL);
    put_relkind(w, e->relkind);
    copy(w, e->owner_at, e->offset_at);
}

static Error *room(Writing *w, size_t n)
{
    return buf_reserve(w->out, n + 4096, TOC_MAX);
}

/* An entry made here. first_dep stands for the first of like's dependencies, where it is not 0. */
typedef struct NewEntry {
    int dump_id;
    uint32_t oid;
    const char *tag, *desc, *defn, *drop;
    TocSection section;
    const TocEntry *like; /* owner and dependencies */
    int first_dep;
} NewEntry;

static Error *put_new(Writing *w, const NewEntry *n)
{
    TRY(room(w,
             strlen(n->defn) + strlen(n->drop) + strlen(n->like->owner) + 24 * n->like->dep_count));
    put_int(w, n->dump_id);
    put_int(w, 0);
    put_decimal(w, CLASS_LARGE_OBJECT);
    put_decimal(w, n->oid);
    put_str(w, n->tag);
    put_str(w, n->desc);
    put_int(w, n->section);
    put_str(w, n->defn);
    put_str(w, n->drop);
    put_str(w, NULL); /* COPY statement, schema, tablespace, access method */
    put_str(w, NULL);
    put_str(w, NULL);
    put_str(w, NULL);
    put_relkind(w, 0);
    put_str(w, n->like->owner);
    put_str(w, "false");
    for (size_t i = 0; i < n->like->dep_count; i++)
        put_decimal(w, (uint32_t)(i == 0 && n->first_dep ? n->first_dep : n->like->deps[i]));
    put_str(w, NULL);
    put_no_data(w);
    w->written++;
    return NULL;
}

/* -- groups of large objects, for readers before 1.16 ------------------------------------------ */

static Error *take_ids(Writing *w, size_t count, int *first)
{
    if (count > (size_t)(INT_MAX - w->next_id))
        FAIL(ERR_LIMIT, "the archive would have more than %d entries", INT_MAX);
    *first = w->next_id;
    w->next_id += (int)count;
    return NULL;
}

static int object_id(const Group *g, size_t i)
{
    return i ? g->second_id + (int)i - 1 : g->dump_id;
}

static Error *put_group(Writing *w, const TocEntry *e)
{
    size_t cap = 0;
    mem_grow(w->groups, w->group_count, w->group_cap);
    Group *g = &w->groups[w->group_count++];
    *g = (Group){.dump_id = e->dump_id};
    large_object_oids(e->defn, &g->oids, &g->count, &cap);
    TRY(take_ids(w, g->count, &g->second_id));
    for (size_t i = 0; i < g->count; i++) {
        AUTO(char) tag = mem_printf("%u", g->oids[i]);
        AUTO(char) defn = mem_printf("SELECT pg_catalog.lo_create('%u');\n", g->oids[i]);
        AUTO(char) drop = mem_printf("SELECT pg_catalog.lo_unlink('%u');\n", g->oids[i]);
        TRY(put_new(w, &(NewEntry){.dump_id = object_id(g, i),
                                   .oid = g->oids[i],
                                   .tag = tag,
                                   .desc = "BLOB",
                                   .section = TOC_PRE_DATA,
                                   .defn = defn,
                                   .drop = drop,
                                   .like = e}));
    }
    return NULL;
}

static const Group *group_of(const Writing *w, const TocEntry *e)
{
    for (size_t i = 0; e->dep_count && i < w->group_count; i++)
        if (w->groups[i].dump_id == e->deps[0])
            return &w->groups[i];
    return NULL;
}

/* The statements with another object's number behind each LARGE OBJECT. */
static char *for_object(const char *statements, uint32_t oid)
{
    AUTO_VALUE(Buf) b = {0};
    const char *at = statements, *copied = statements;
    bool large = false;
    for (SqlWord w = sql_word_next(&at); w.kind != SQL_END; w = sql_word_next(&at)) {
        if (large && sql_word_is(&w, "object")) {
            const char *number = at + strspn(at, " ");
            buf_add(&b, copied, (size_t)(number - copied));
            buf_printf(&b, "%u", oid);
            at = copied = number + strspn(number, "0123456789");
        }
        large = sql_word_is(&w, "large");
    }
    buf_add_str(&b, copied);
    return buf_steal_str(&b);
}

/* "LARGE OBJECTS 50001..50004": one copy of the statements, meant for each of the group. */
static Error *put_group_acl(Writing *w, const TocEntry *e, const Group *g)
{
    int second_id;
    TRY(take_ids(w, g->count, &second_id));
    for (size_t i = 0; i < g->count; i++) {
        AUTO(char) tag = mem_printf("LARGE OBJECT %u", g->oids[i]);
        AUTO(char) defn = for_object(e->defn, g->oids[i]);
        TRY(put_new(w, &(NewEntry){.dump_id = i ? second_id + (int)i - 1 : e->dump_id,
                                   .oid = g->oids[i],
                                   .tag = tag,
                                   .desc = "ACL",
                                   .section = e->section,
                                   .defn = defn,
                                   .drop = "",
                                   .like = e,
                                   .first_dep = object_id(g, i)}));
    }
    return NULL;
}

/* -- the whole --------------------------------------------------------------------------------- */

static Error *put_entry(Writing *w, const TocEntry *e)
{
    bool older = w->t->minor >= GROUPS_MINOR && w->minor < GROUPS_MINOR;
    const Group *g = older ? group_of(w, e) : NULL;
    if (older && toc_is(e, "BLOB METADATA"))
        return put_group(w, e);
    if (g && toc_is(e, "ACL") && text_starts(e->tag, "LARGE OBJECTS "))
        return put_group_acl(w, e, g);
    if (older && toc_is(e, "BLOBS")) {
        if (w->blobs)
            return NULL;
        w->blobs = true;
    }
    size_t tail = 1 + (size_t)w->t->off_size;
    TRY(room(w, e->offset_at + tail - e->at));
    put_body(w, e);
    copy(w, e->offset_at, e->offset_at + tail);
    w->written++;
    return NULL;
}

static void put_head(Writing *w, int format, bool gzip)
{
    const Toc *t = w->t;
    buf_add(w->out, "PGDMP", 5);
    buf_u8(w->out, 1);
    buf_u8(w->out, (uint8_t)w->minor);
    buf_u8(w->out, (uint8_t)(w->minor == t->minor ? t->rev : 0));
    buf_u8(w->out, (uint8_t)t->int_size);
    buf_u8(w->out, (uint8_t)t->off_size);
    buf_u8(w->out, (uint8_t)format);
    if (w->minor >= BYTE_COMPRESSION_MINOR)
        buf_u8(w->out, gzip);
    else
        put_int(w, gzip ? -1 : 0); /* -1: zlib's default level */
    copy(w, t->time_at, t->count_at);
}

static Error *begin(Writing *w, int format, bool gzip, size_t *count_at)
{
    if (w->t->int_size < 4)
        FAIL(ERR_ARCHIVE, "the archive's numbers have %d bytes, too few", w->t->int_size);
    TRY(room(w, w->t->count_at));
    put_head(w, format, gzip);
    *count_at = w->out->len;
    put_int(w, 0);
    return NULL;
}

static void set_count(Writing *w, size_t count_at)
{
    for (int i = 0; i < 4; i++)
        w->out->data[count_at + 1 + (size_t)i] = (uint8_t)((unsigned)w->written >> (8 * i));
}

Error *toc_rewrite(const Toc *t, const TocShape *shape, Toc **out)
{
    AUTO_VALUE(Buf) bytes = {0};
    AUTO_VALUE(Writing)
    w = {.t = t, .minor = shape->minor ? shape->minor : t->minor, .out = &bytes};
    size_t count_at;
    if (w.minor < TOC_MINOR_LEAST)
        w.minor = TOC_MINOR_LEAST;
    w.next_id = t->count ? t->by_id[t->count - 1]->dump_id : 0;
    if (w.next_id == INT_MAX)
        FAIL(ERR_LIMIT, "the archive's entries have numbers up to %d", INT_MAX);
    w.next_id++;
    TRY(begin(&w, FORMAT_CUSTOM, false, &count_at));
    for (size_t i = 0; i < t->count; i++)
        if (!shape->want || shape->want(shape->ctx, &t->entries[i]))
            TRY(put_entry(&w, &t->entries[i]));
    set_count(&w, count_at);
    return toc_parse(bytes.data, bytes.len, out);
}

char *toc_file_name(const Toc *t, const TocEntry *e)
{
    if (!toc_has_block(e))
        return NULL;
    if (toc_is_table_data(e))
        return mem_printf("%d.dat", e->dump_id);
    return t->minor >= GROUPS_MINOR ? mem_printf("blobs_%d.toc", e->dump_id)
                                    : mem_strdup("blobs.toc");
}

Error *toc_directory(const Toc *t, bool gzip, Buf *out)
{
    Writing w = {.t = t, .minor = t->minor, .out = out};
    size_t count_at;
    TRY(begin(&w, FORMAT_TAR, gzip, &count_at));
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        TRY(room(&w, e->offset_at - e->at));
        put_body(&w, e);
        AUTO(char) name = toc_file_name(t, e);
        put_str(&w, name ? name : "");
        w.written++;
    }
    set_count(&w, count_at);
    return NULL;
}
