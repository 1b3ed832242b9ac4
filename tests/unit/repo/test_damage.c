/* Damage to every range of every kind of object: bits flipped, bytes lost, come in, turned to
 * nothing, and an end too early. verify names the object at the level that promises it, nothing
 * crashes, and what is read is what was backed up or an error. */
#include "objects.h"

#include "repo/check.h"
#include "repo/lineage.h"
#include "repo/merge_note.h"
#include "repo/origin.h"
#include "repo/pin.h"
#include "repo/prune.h"
#include "repo/repo_internal.h"
#include "repo/trash.h"

#define TABLES 2

typedef struct World {
    KitTable tables[2][TABLES]; /* of the two backups that stand */
    char *ids[2];
    Snapshot objects;
    size_t tried;
} World;

/* -- ranges ----------------------------------------------------------------------------------- */

typedef struct Range {
    const char *what;
    size_t begin, end;
    CheckLevel level; /* at which damage to it is found */
} Range;

typedef struct Ranges {
    Range items[400];
    size_t count, at;
} Ranges;

static void next(Ranges *r, const char *what, size_t n, CheckLevel level)
{
    if (n)
        r->items[r->count++] = (Range){what, r->at, r->at + n, level};
    r->at += n;
}

static uint64_t number(const Buf *b, size_t at, size_t n)
{
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | b->data[at + i];
    return v;
}

/* docs/format.md, "Manifest". */
static void manifest_ranges(const Buf *b, Ranges *r)
{
    size_t key = (size_t)number(b, 20, 2), table = 22 + key + 16;
    static const char *const sections[] = {"facts", "packs", "streams"};
    next(r, "magic", 8, CHECK_QUICK);
    next(r, "version", 2, CHECK_QUICK);
    next(r, "flags", 2, CHECK_QUICK);
    next(r, "key set", 8, CHECK_QUICK);
    next(r, "length of the key block", 2, CHECK_QUICK);
    next(r, "key block", key, CHECK_QUICK);
    next(r, "repository", 16, CHECK_QUICK);
    for (int i = 0; i < 3; i++) {
        next(r, "codec of a section", 1, CHECK_QUICK);
        next(r, "length of a section", 4, CHECK_QUICK);
        next(r, "stored length of a section", 4, CHECK_QUICK);
        next(r, "check of a section", 16, CHECK_QUICK);
    }
    next(r, "check of the header", 16, CHECK_QUICK);
    for (size_t i = 0; i < 3; i++)
        next(r, sections[i], (size_t)number(b, table + i * 25 + 5, 4), CHECK_QUICK);
    assert_int_equal(r->at, b->len);
}

/* "Pack". What verify looks at quickly is all but the frames. */
static void pack_ranges(Repo *repo, const char *name, const Buf *b, Ranges *r)
{
    PackId id;
    PackInfo info;
    FrameInfo *frames;
    size_t count, key = (size_t)number(b, 36, 2);
    assert_true(name_parse_pack(name, &id));
    OK(pack_read_footer(repo_packs(repo), id, &info, &frames, &count));
    next(r, "magic", 8, CHECK_QUICK);
    next(r, "version", 2, CHECK_QUICK);
    next(r, "kind", 1, CHECK_QUICK);
    next(r, "hash", 1, CHECK_QUICK);
    next(r, "session", 12, CHECK_QUICK);
    next(r, "number", 4, CHECK_QUICK);
    next(r, "key set", 8, CHECK_QUICK);
    next(r, "length of the key block", 2, CHECK_QUICK);
    next(r, "key block", key, CHECK_QUICK);
    next(r, "check of the header", 16, CHECK_QUICK);
    for (size_t i = 0; i < count; i++) {
        const FrameInfo *f = &frames[i];
        assert_int_equal(f->offset, r->at);
        next(r, "length of a frame's header", 4, CHECK_DATA);
        next(r, "frame's header", f->header, CHECK_DATA);
        next(r, "check of a frame's header", 16, CHECK_DATA);
        next(r, "payload", f->stored - 4 - f->header - 16 - 16, CHECK_DATA);
        next(r, "check of a payload", 16, CHECK_DATA);
    }
    free(frames);
    next(r, "footer", b->len - r->at - 28, CHECK_QUICK);
    next(r, "check of the footer", 16, CHECK_QUICK);
    next(r, "length of the footer", 4, CHECK_QUICK);
    next(r, "last magic", 8, CHECK_QUICK);
}

static void tombstone_ranges(const Buf *b, Ranges *r)
{
    size_t id = b->data[10];
    next(r, "magic", 8, CHECK_QUICK);
    next(r, "version", 2, CHECK_QUICK);
    next(r, "length of the id", 1, CHECK_QUICK);
    next(r, "id", id, CHECK_QUICK);
    next(r, "the rest", b->len - r->at - 16, CHECK_QUICK);
    next(r, "check", 16, CHECK_QUICK);
}

/* A note, plain or sealed, and metadata.json: a few parts. */
static void small_ranges(const Buf *b, Ranges *r)
{
    const uint8_t *newline = memchr(b->data, '\n', b->len);
    size_t line = newline ? (size_t)(newline - b->data) : b->len / 2;
    next(r, "beginning", 1, CHECK_QUICK);
    next(r, "first line", line - 1, CHECK_QUICK);
    next(r, "end of the line", 1, CHECK_QUICK);
    next(r, "what follows it", b->len - r->at - 1, CHECK_QUICK);
    next(r, "last byte", 1, CHECK_QUICK);
}

static void ranges_of(Repo *repo, const Object *o, Ranges *r)
{
    *r = (Ranges){.count = 0};
    if (text_starts(o->name, "packs/"))
        pack_ranges(repo, o->name, &o->bytes, r);
    else if (!text_ends(o->name, ".manifest"))
        small_ranges(&o->bytes, r);
    else if (!memcmp(o->bytes.data, "PGSTOWTS", 8))
        tombstone_ranges(&o->bytes, r);
    else
        manifest_ranges(&o->bytes, r);
    assert_int_equal(r->at, o->bytes.len);
}

/* What of the name says of which kind an object is; one of each is damaged. */
static char *kind_of(const Object *o)
{
    if (text_starts(o->name, "packs/"))
        return mem_strdup(o->bytes.data[10] == PACK_DATA ? "data pack" : "recipe pack");
    if (text_ends(o->name, ".manifest"))
        return mem_strdup(memcmp(o->bytes.data, "PGSTOWTS", 8) ? "manifest" : "tombstone");
    if (text_starts(o->name, "keys/"))
        return mem_strdup(strstr(o->name, "epoch") ? "epoch" : strrchr(o->name, '.'));
    if (text_starts(o->name, "proofs/damage/"))
        return mem_strdup("damage");
    const char *slash = strchr(o->name, '/');
    return slash ? mem_strndup(o->name, (size_t)(slash - o->name)) : mem_strdup(o->name);
}

/* -- what must be true ------------------------------------------------------------------------ */

/* Reads a backup to its end: the rows are the right ones, or there is an error. */
static Error *read_back(Repo *r, const char *id, const KitTable *tables)
{
    AUTO(Manifest) m = NULL;
    TRY(catalog_load(r, id, &m));
    assert_int_equal(m->stream_count, TABLES);
    for (size_t i = 0; i < TABLES; i++) {
        AUTO_VALUE(Buf) got = {0};
        AUTO_VALUE(Buf) whole = {0};
        TRY(stream_read_all(r, m, &m->streams[i], 64u << 20, &got));
        for (uint32_t k = 0; k < tables[i].count; k++)
            buf_add(&whole, tables[i].pieces[k].data, tables[i].pieces[k].len);
        assert_int_equal(got.len, whole.len);
        assert_true(!got.len || !memcmp(got.data, whole.data, got.len));
    }
    return NULL;
}

static bool is_named(const CheckReport *report, const char *name)
{
    for (size_t i = 0; i < report->count; i++)
        if (!strcmp(report->problems[i].object, name))
            return true;
    return false;
}

/* One damage. */
static void suffer(World *w, size_t object, const Range *range, const char *how, const Buf *bytes)
{
    const Object *o = &w->objects.items[object];
    Change change = {object, bytes};
    AUTO(Repo) r = NULL;
    AUTO_VALUE(CheckReport) report = {0};
    AUTO_VALUE(BackupList) list = {0};
    w->tried++;
    Error *e = kit_open(rebuild_store(&w->objects, &change, 1), &r);
    if (e) { /* found before anything else */
        bool opening = !strcmp(o->name, "config") || text_starts(o->name, "keys/");
        if (!opening)
            print_error("%s, %s %s: %s\n", o->name, range->what, how, error_message(e));
        assert_true(opening);
        error_free(e);
        return;
    }
    for (int i = 0; i < 2; i++)
        error_free(read_back(r, w->ids[i], w->tables[i]));
    error_free(catalog_list(r, NULL, &list));
    OK(check_run(r, NULL, range->level, 1, NULL, &report));
    if (!is_named(&report, o->name))
        print_error("%s: %s, bytes %zu to %zu, %s: not found at level %s\n", o->name, range->what,
                    range->begin, range->end, how, check_level_name(range->level));
    assert_true(is_named(&report, o->name));
}

static void flip(World *w, size_t object, const Range *range, size_t at)
{
    const Buf *whole = &w->objects.items[object].bytes;
    AUTO_VALUE(Buf) b = {0};
    buf_add(&b, whole->data, whole->len);
    b.data[at] ^= (uint8_t)(1u << (at * 5 % 8));
    suffer(w, object, range, "a bit flipped", &b);
}

static void damage_range(World *w, size_t object, const Range *range)
{
    const Buf *whole = &w->objects.items[object].bytes;
    size_t n = range->end - range->begin, flips = n < 8 ? n : 5;
    AUTO_VALUE(Buf) zero = {0};
    AUTO_VALUE(Buf) lost = {0};
    AUTO_VALUE(Buf) more = {0};
    for (size_t i = 0; i < flips; i++)
        flip(w, object, range, range->begin + (flips > 1 ? (n - 1) * i / (flips - 1) : 0));
    /* Sizes are looked at before all else. */
    Range quick = *range;
    quick.level = CHECK_QUICK;
    Buf cut = {whole->data, range->begin, 0};
    suffer(w, object, &quick, "cut off before it", &cut);
    cut.len = range->begin + n / 2;
    if (n > 1)
        suffer(w, object, &quick, "cut off within it", &cut);
    buf_add(&lost, whole->data, range->begin);
    buf_add(&lost, whole->data + range->begin + 1, whole->len - range->begin - 1);
    suffer(w, object, &quick, "its first byte lost", &lost);
    buf_add(&more, whole->data, range->begin);
    buf_u8(&more, 0);
    buf_add(&more, whole->data + range->begin, whole->len - range->begin);
    suffer(w, object, &quick, "a byte before it", &more);
    buf_add(&zero, whole->data, whole->len);
    memset(zero.data + range->begin, 0, n);
    if (memcmp(zero.data, whole->data, whole->len) != 0)
        suffer(w, object, range, "turned to nothing", &zero);
}

/* -- the repository --------------------------------------------------------------------------- */

/* One of every kind of object. */
static void fill(World *w, Repo *r)
{
    WriterOptions o = kit_options();
    for (int i = 0; i < 2; i++) {
        KitTable *t = w->tables[i];
        t[0] = kit_table("orders", 20001, 1, 2400, 0);
        t[1] = kit_table("notes", 20002, 1, 20, 7);
        for (uint64_t row = 0; i && row < 30; row++)
            kit_row(&t[0].pieces[0], 50000 + row, 3);
        AUTO_VALUE(BackupInfo) info = {0};
        kit_backup(r, &o, t, TABLES, &info);
        w->ids[i] = mem_strdup(info.id);
    }
    AUTO_VALUE(BackupInfo) gone = {0};
    AUTO_VALUE(PruneResult) pruned = {0};
    o.database = "gone";
    kit_backup(r, &o, w->tables[0], TABLES, &gone);
    OK(trash_put(r, gone.id));
    PruneOptions prune = {.now = clock_now() + 1000}; /* leaves its number behind */
    OK(prune_run(r, &prune, NULL, &pruned));
    kit_backup(r, &o, w->tables[0], TABLES, &gone);
    OK(trash_put(r, gone.id));
    OK(pin_put(r, w->ids[0]));
    MergeNote note = {.backup = w->ids[0], .all = true};
    OK(merge_note_put(r, "7300000000000000001", "16384", "shop", &note));
    PackId pack = {.session = session_id_new(), .n = 4};
    OK(damage_put(r, pack, 3, "a test"));
    OK(origin_put(r, "00112233445566778899aabbccddeeff", pack, pack));
    AUTO_VALUE(SessionInfo)
    s = {.kind = SESSION_READER, .backup_id = mem_strdup(w->ids[0]), .what = mem_strdup("restore")};
    session_info_here(&s);
    OK(session_put(r, &s));
    AUTO_VALUE(SessionInfo)
    dead = {.kind = SESSION_WRITER,
            .database = mem_strdup("shop"),
            .backup_id = mem_strdup("shop-20250115T103000Z"),
            .what = mem_strdup("backup")};
    bool committed;
    session_info_here(&dead);
    OK(session_fence(r, &dead, session_id_new(), &committed));
    AUTO_VALUE(CheckReport) report = {0};
    OK(check_run(r, NULL, CHECK_REBUILD, 1, NULL, &report));
    for (size_t i = 0; i < report.count; i++)
        print_error("%s: %s\n", report.problems[i].object, report.problems[i].what);
    assert_int_equal(report.count, 0);
}

/* Packs that no standing backup names are nobody's business. */
static bool is_used(const World *w, Repo *r, const char *name)
{
    PackId id;
    bool used = !name_parse_pack(name, &id);
    for (int i = 0; i < 2 && !used; i++) {
        AUTO(Manifest) m = NULL;
        OK(catalog_load(r, w->ids[i], &m));
        used = manifest_find_pack(m, id) != NULL;
    }
    return used;
}

static void test_every_range(void **state)
{
    (void)state;
    World w = {.tried = 0};
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(StrList) kinds = {0};
    static Ranges ranges;
    size_t classes = 0;
    fill(&w, r);
    snapshot(r, &w.objects);
    for (size_t i = 0; i < w.objects.count; i++) {
        const Object *o = &w.objects.items[i];
        AUTO(char) kind = kind_of(o);
        bool ignored = strstr(o->name, "gone-") && text_starts(o->name, "backups/");
        if (ignored || strlist_has(&kinds, kind) || !is_used(&w, r, o->name))
            continue;
        strlist_add(&kinds, kind);
        ranges_of(r, o, &ranges);
        classes += ranges.count;
        /* A frame in the middle is like the first: three are enough of many. */
        for (size_t k = 0; k < ranges.count; k++)
            if (ranges.count < 40 || k < 25 || k + 10 > ranges.count)
                damage_range(&w, i, &ranges.items[k]);
    }
    static const char *const all[] = {"config",    "manifest",    "tombstone", "backups",
                                      "data pack", "recipe pack", "sessions",  "trash",
                                      "proofs",    "damage",      "ledger",    "merges",
                                      "origins",   "pins",        "lineages"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strlist_has(&kinds, all[i]))
            fail_msg("there is no %s", all[i]);
    print_message("# %zu damages to %zu ranges of %zu kinds of objects\n", w.tried, classes,
                  kinds.count);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < TABLES; k++)
            kit_free(&w.tables[i][k]);
        free(w.ids[i]);
    }
    snapshot_free(&w.objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
