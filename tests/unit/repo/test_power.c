/* The power fails after every event of a writer's life, and whatever the disk had not been told to
 * keep is there or not: every backup that was committed is whole, nothing half is to be seen, and
 * the next backup works. */
#include "survive.h"

#include "../store/power.h"
#include "repo/prune.h"
#include "repo/repo_internal.h"
#include "repo/trash.h"
#include "store/faulty.h"

#define LUCKS 5 /* ways in which what is not durable may be there: all, nothing, and some */

/* -- what was done, and when ------------------------------------------------------------------ */

typedef struct Story {
    Power *power;
    Told told[8];
    size_t count;
    size_t begin; /* cuts from here on */
} Story;

static void story_clear(Story *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->told[i].id);
    power_free(s->power);
}

static Repo *open_repo(Story *s)
{
    Repo *r = NULL;
    OK(kit_open(power_open(s->power), &r));
    return r;
}

static Told *tell(Story *s, const char *id, const KitTable *tables, size_t count)
{
    Told *t = &s->told[s->count++];
    *t = (Told){mem_strdup(id), tables, count, s->power->count, SIZE_MAX};
    return t;
}

static void back_up(Story *s, const KitTable *tables, size_t count)
{
    AUTO(Repo) r = open_repo(s);
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, tables, count, &info);
    tell(s, info.id, tables, count);
}

/* -- what is found ---------------------------------------------------------------------------- */

static size_t cuts, undecided_most;

static void cut_at(const Story *s, size_t cut, int luck, const KitTable *next, size_t next_count)
{
    size_t undecided;
    Store *found = power_cut(s->power, cut, luck < 2 ? (PowerLuck)luck : POWER_SOME, (uint64_t)luck,
                             &undecided);
    if (luck > 1 && undecided < 2) { /* there is nothing in between */
        store_free(found);
        return;
    }
    cuts++;
    undecided_most = undecided > undecided_most ? undecided : undecided_most;
    survive(found, s->told, s->count, cut, luck, next, next_count);
}

static void cut_everywhere(const Story *s, int lucks, const KitTable *next, size_t count)
{
    for (size_t cut = s->begin; cut <= s->power->count; cut++)
        for (int luck = 0; luck < lucks; luck++)
            cut_at(s, cut, luck, next, count);
}

/* -- stories ---------------------------------------------------------------------------------- */

typedef struct World {
    KitTable first[2], second[2];
} World;

static int setup(void **state)
{
    World *w = mem_new(World);
    for (int i = 0; i < 2; i++) {
        KitTable *t = i ? w->second : w->first;
        /* A piece with so many chunks that its recipe is a page in a pack, and a small one. */
        t[0] = kit_table("orders", 20001, 2, 2400, 0);
        t[0].pieces[1].len = 0;
        for (uint64_t row = 0; row < 40; row++)
            kit_row(&t[0].pieces[1], 2400 + row, 0);
        t[1] = kit_table("notes", 20002, 1, 20, 7);
        for (uint64_t row = 0; i && row < 30; row++)
            kit_row(&t[0].pieces[row % 2], 50000 + row, 3);
    }
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    World *w = *state;
    for (int i = 0; i < 2; i++) {
        kit_free(&w->first[i]);
        kit_free(&w->second[i]);
    }
    free(w);
    print_message("# %zu states of the disk, up to %zu events undecided\n", cuts, undecided_most);
    return 0;
}

static void test_first(void **state)
{
    World *w = *state;
    Story s = {.power = power_new()};
    back_up(&s, w->first, 2);
    cut_everywhere(&s, LUCKS, w->second, 2);
    story_clear(&s);
}

static void test_with_parent(void **state)
{
    World *w = *state;
    Story s = {.power = power_new()};
    back_up(&s, w->first, 2);
    s.begin = s.power->count;
    back_up(&s, w->second, 2);
    back_up(&s, w->second, 2); /* nothing new at all */
    cut_everywhere(&s, LUCKS, w->first, 2);
    story_clear(&s);
}

static void test_deleted(void **state)
{
    World *w = *state;
    Story s = {.power = power_new()};
    back_up(&s, w->first, 2);
    back_up(&s, w->second, 2);
    s.begin = s.told[0].deleted = s.power->count;
    AUTO(Repo) r = open_repo(&s);
    OK(trash_put(r, s.told[0].id));
    back_up(&s, w->second, 2);
    cut_everywhere(&s, LUCKS, w->first, 2);
    story_clear(&s);
}

/* Deleted, taken back, deleted again and purged, and its packs go. */
static void test_pruned(void **state)
{
    World *w = *state;
    Story s = {.power = power_new()};
    AUTO_VALUE(PruneResult) pruned = {0};
    back_up(&s, w->first, 2);
    back_up(&s, w->second, 2);
    AUTO(Repo) r = open_repo(&s);
    s.begin = s.told[0].deleted = s.power->count;
    OK(trash_put(r, s.told[0].id));
    OK(trash_undelete(r, s.told[0].id));
    s.told[2] = s.told[0]; /* and from here on it must be there once more */
    s.told[2].id = mem_strdup(s.told[0].id);
    s.told[2].from = s.power->count;
    s.count = 3;
    s.told[2].deleted = s.power->count;
    OK(trash_put(r, s.told[0].id));
    PruneOptions o = {.now = clock_now() + 1000};
    OK(prune_run(r, &o, NULL, &pruned));
    assert_int_equal(pruned.purged.count, 1);
    assert_true(pruned.packs > 0);
    cut_everywhere(&s, LUCKS, w->first, 2);
    story_clear(&s);
}

static Error *try_backup(Repo *r, const KitTable *tables, size_t count, BackupInfo *out)
{
    AUTO(Writer) w = NULL;
    AUTO(PieceWriter) p = NULL;
    WriterOptions o = kit_options();
    TRY(writer_open(r, &o, NULL, &w));
    TRY(piece_writer_new(w, &p));
    for (size_t i = 0; i < count; i++) {
        uint32_t stream = kit_add(w, &tables[i]);
        for (uint32_t k = 0; k < tables[i].count; k++) {
            const Buf *b = &tables[i].pieces[k];
            TRY(piece_begin(p, stream, k));
            TRY(piece_write(p, b->data, b->len));
            TRY(piece_end(p, kit_count_rows(b)));
        }
    }
    TRY(piece_writer_finish(p));
    BackupInfo facts = {.started = 1705314600000};
    return writer_commit(w, &facts, out);
}

/* The process that wrote the sessions so far is gone, as the disk has them. */
static void die(Story *s)
{
    Power *d = s->power;
    size_t before = d->count;
    AUTO(Repo) r = open_repo(s);
    all_dead(r);
    for (size_t i = before; i < d->count; i++) {
        PowerEvent *now = &d->events[i];
        for (size_t k = 0; k < before && now->what == POWER_PUT; k++)
            if (d->events[k].what == POWER_PUT && !strcmp(d->events[k].name, now->name)) {
                Buf other = d->events[k].bytes;
                d->events[k].bytes = now->bytes;
                now->bytes = other;
            }
    }
    while (d->count > before) {
        free(d->events[--d->count].name);
        buf_free(&d->events[d->count].bytes);
    }
}

/* A backup that dies at one of its calls, before or after it was carried out, and one that
 * continues it; then both lose power. *events: what the disk had seen of the first one and the one
 * before it; where that is no more than it was, this was seen already. False where it did not get
 * so far. */
static bool resume(World *w, uint64_t at, StoreFaultKind how, size_t *events)
{
    Story s = {.power = power_new()};
    AUTO(Repo) r = NULL;
    AUTO_VALUE(BackupInfo) info = {0};
    back_up(&s, w->first, 2);
    Store *faulty = store_faulty(power_open(s.power), at, how);
    Error *e = kit_open(faulty, &r);
    bool reached = e != NULL;
    if (!e) {
        e = try_backup(r, w->second, 2, &info);
        reached = store_faulty_reached(faulty);
    }
    if (!e)
        tell(&s, info.id, w->second, 2);
    error_free(e);
    s.begin = s.power->count;
    if (s.begin > *events) {
        *events = s.begin;
        die(&s);
        back_up(&s, w->second, 2);
        cut_everywhere(&s, 3, w->first, 2);
    }
    story_clear(&s);
    return reached;
}

static void test_resumed(void **state)
{
    size_t events = 0, before = 0, moments = 0;
    for (uint64_t at = 1; resume(*state, at, STORE_FAULT_LOST, &events); at++) {
        moments += events > before;
        before = events;
    }
    assert_true(moments > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),   cmocka_unit_test(test_with_parent),
        cmocka_unit_test(test_deleted), cmocka_unit_test(test_pruned),
        cmocka_unit_test(test_resumed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
