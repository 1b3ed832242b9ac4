#include "repo/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "repo/repo_internal.h"

#define FOLDER "ledger/"
#define ATTEMPTS 5 /* to find all notes that were listed */

typedef struct Entry {
    PackId pack;
    Instant when;
} Entry;

struct Ledger {
    Entry *items; /* sorted by pack, each once */
    size_t count, cap;
    StrList names; /* of the notes that it was read from */
    Instant now;
};

void ledger_free(Ledger *l)
{
    free(l->items);
    strlist_free(&l->names);
    free(l);
}

static int by_pack(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    int order = pack_id_compare(x->pack, y->pack);
    return order ? order : (x->when < y->when) - (x->when > y->when);
}

/* Of each pack the newest entry that is not of the future. */
static void settle(Ledger *l)
{
    size_t kept = 0;
    mem_sort(l->items, l->count, sizeof *l->items, by_pack);
    for (size_t i = 0; i < l->count; i++)
        if (!kept || !pack_id_equal(l->items[kept - 1].pack, l->items[i].pack))
            l->items[kept++] = l->items[i];
    l->count = kept;
}

/* -- one note --------------------------------------------------------------------------------- */

/* {"level": "data", "checks": [{"time": ..., "packs": ["<session>-<n>", ...]}]} */
static Error *parse_check(const char *name, const Doc *check, Ledger *to)
{
    const Doc *packs = doc_get(check, "packs");
    Instant when = 0;
    TRY(error_rekind(clock_parse(doc_str(check, "time", ""), &when), ERR_DAMAGED));
    for (size_t i = 0; i < doc_count(packs); i++) {
        const char *text = doc_text(doc_at(packs, i));
        PackId id;
        if (!text || !name_parse_pack_text(text, &id))
            FAIL(ERR_DAMAGED, "%s names a pack that is none", name);
        if (when > to->now)
            continue;
        mem_grow(to->items, to->count, to->cap);
        to->items[to->count++] = (Entry){id, when};
    }
    return NULL;
}

static Error *parse(const char *name, const Doc *d, Ledger *to)
{
    const Doc *checks = doc_get(d, "checks");
    if (!checks || strcmp(doc_str(d, "level", ""), "data") != 0)
        FAIL(ERR_DAMAGED, "%s is no note of packs that were checked", name);
    for (size_t i = 0; i < doc_count(checks); i++)
        TRY(parse_check(name, doc_at(checks, i), to));
    return NULL;
}

Error *ledger_check_note(Repo *r, const char *name)
{
    AUTO(Doc) d = NULL;
    Ledger sink = {.now = clock_now()};
    TRY(note_get(r, name, &d));
    Error *e = parse(name, d, &sink);
    free(sink.items);
    return e;
}

static void name_note(Instant when, char *out)
{
    uint8_t random[8];
    char text[2 * sizeof random + 1], time[CLOCK_TEXT];
    random_bytes(random, sizeof random);
    text_hex(random, sizeof random, text);
    snprintf(out, NAME_TEXT, FOLDER "%s-%s", clock_compact(when, time), text);
}

/* Entries that are sorted by time. */
static Error *put_note(Repo *r, const Entry *items, size_t count)
{
    AUTO(Doc) d = doc_object();
    Doc *checks = doc_array(), *packs = NULL;
    char name[NAME_TEXT], text[NAME_TEXT];
    for (size_t i = 0; i < count; i++) {
        if (!i || items[i - 1].when != items[i].when) {
            Doc *check = doc_object();
            doc_set_str(check, "time", clock_iso(items[i].when, text));
            doc_set(check, "packs", packs = doc_array());
            doc_push(checks, check);
        }
        doc_push_str(packs, name_pack_text(items[i].pack, text));
    }
    doc_set_str(d, "level", "data");
    doc_set(d, "checks", checks);
    name_note(count ? items[count - 1].when : 0, name);
    return note_put(r, name, d);
}

static int by_time(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    return x->when != y->when ? (x->when > y->when ? 1 : -1) : by_pack(a, b);
}

static Error *put_all(Repo *r, Entry *items, size_t count)
{
    mem_sort(items, count, sizeof *items, by_time);
    for (size_t done = 0; done < count; done += LEDGER_NOTE_PACKS) {
        size_t left = count - done;
        TRY(put_note(r, items + done, left < LEDGER_NOTE_PACKS ? left : LEDGER_NOTE_PACKS));
    }
    return NULL;
}

Error *ledger_put(Repo *r, PackId *packs, size_t count, Instant when)
{
    Entry *items = mem_calloc(count ? count : 1, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (Entry){packs[i], when};
    Error *e = put_all(r, items, count);
    free(items);
    return e;
}

/* -- all of them ------------------------------------------------------------------------------ */

/* *again: it was listed and is gone. */
static Error *read_note(Repo *r, Ledger *l, const char *name, bool *again)
{
    AUTO(Doc) d = NULL;
    size_t before = l->count;
    Error *e = note_get(r, name, &d);
    if (!e)
        e = parse(name, d, l);
    if (!e) {
        strlist_add(&l->names, name);
        return NULL;
    }
    l->count = before;
    *again = error_kind(e) == ERR_NOT_FOUND;
    if (!*again && error_kind(e) != ERR_DAMAGED && error_kind(e) != ERR_LIMIT)
        return e;
    if (!*again)
        log_warning("what it says of packs that were checked is passed over: %s", error_message(e));
    error_free(e);
    return NULL;
}

static Error *read_all(Repo *r, Ledger *l, bool *again)
{
    AUTO_VALUE(StrList) names = {0};
    size_t settled = 0;
    TRY(note_names(repo_store(r), FOLDER, &names));
    for (size_t i = 0; i < names.count && !*again; i++) {
        TRY(read_note(r, l, names.items[i], again));
        /* So that many notes about the same packs take no more memory than few. */
        if (l->count > 2 * settled + LEDGER_NOTE_PACKS) {
            settle(l);
            settled = l->count;
        }
    }
    settle(l);
    return NULL;
}

Error *ledger_read(Repo *r, Ledger **out)
{
    AUTO(Ledger) l = NULL;
    for (int i = 0; i < ATTEMPTS; i++) {
        bool again = false;
        if (l)
            ledger_free(STEAL(l));
        l = mem_new(Ledger);
        l->now = clock_now();
        TRY(read_all(r, l, &again));
        if (!again)
            break;
    }
    *out = STEAL(l);
    return NULL;
}

static int compare_key(const void *key, const void *entry)
{
    return pack_id_compare(*(const PackId *)key, ((const Entry *)entry)->pack);
}

Instant ledger_when(const Ledger *l, PackId pack)
{
    const Entry *e =
        l->count ? bsearch(&pack, l->items, l->count, sizeof *l->items, compare_key) : NULL;
    return e ? e->when : 0;
}

size_t ledger_packs(const Ledger *l)
{
    return l->count;
}

size_t ledger_notes(const Ledger *l)
{
    return l->names.count;
}

Error *ledger_compact(Repo *r, Ledger *l, bool (*keep)(void *ctx, PackId pack), void *ctx)
{
    if (l->names.count <= LEDGER_NOTES_MAX)
        return NULL;
    Entry *kept = mem_calloc(l->count ? l->count : 1, sizeof *kept);
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (!keep || keep(ctx, l->items[i].pack))
            kept[count++] = l->items[i];
    /* First the new ones, durable by the put itself; whoever dies in between leaves both. */
    Error *e = put_all(r, kept, count);
    free(kept);
    TRY(e);
    for (size_t i = 0; i < l->names.count; i++) {
        e = store_delete(repo_store(r), l->names.items[i]);
        /* Somebody else does the same: both have written all that they read. */
        if (e && error_kind(e) != ERR_NOT_FOUND)
            return e;
        error_drop(e);
    }
    return NULL;
}
