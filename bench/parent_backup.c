/* A backup over the repository of parent_make, without rows: chunks come as ids. For
 * bench/parent.py:
 *
 *   parent_backup DIR GIGABYTES same|changed|moved
 *
 * Opening, looking up, recipes and commit are the writer's own; what is missing is COPY, cutting
 * and hashing, which do not depend on the parent. Two hands take the pieces in turns, as two
 * threads would. same: all chunks are the parent's; changed: one in 1000 is new (its frame is
 * written, with zeros for rows); moved: the table was packed by VACUUM FULL, so that pieces hold a
 * seventh more and begin elsewhere, and samples alone say where; that is looked up and not written.
 * Prints what it took as JSON. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "parent_rows.h"
#include "repo/writer_parts.h"

#define HANDS 2
#define NEW_ONE_IN 1000
#define PACKED(chunks) ((uint64_t)(chunks)*115 / 100)
#define PACKED_CHUNKS PACKED(PIECE_CHUNKS + 1)

typedef enum Plan { PLAN_SAME, PLAN_CHANGED, PLAN_MOVED } Plan;

typedef struct Cost {
    double processor, worst; /* milliseconds; of all pieces, of the worst of them */
    uint64_t read;           /* bytes, by the system's count */
    uint64_t pieces, chunks, fresh, samples, hands, footers;
    uint64_t open_peak, pieces_peak; /* of memory, of the whole process until then */
} Cost;

typedef struct Run {
    Plan plan;
    Writer *w;
    Codec *codec;
    Hash *hash;
    DedupHand *hands[HANDS];
    Cost cost;
    uint64_t stored;
    ChunkRef refs[PACKED_CHUNKS];
    size_t count;
    /* The new frame of the piece. */
    Buf raw;
    ChunkId ids[FRAME_CHUNKS_MAX];
    uint32_t lengths[FRAME_CHUNKS_MAX];
    size_t frame_chunks;
    PackId frame_pack;
    uint32_t frame;
} Run;

static double processor_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* A number that /proc tells of this process. */
static uint64_t told(const char *file, const char *key)
{
    AUTO_VALUE(Buf) text = {0};
    AUTO(Error) e = file_read(file, 1 << 16, &text);
    const char *at = e ? NULL : strstr((const char *)text.data, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static uint64_t peak(void)
{
    return told("/proc/self/status", "VmHWM:") * 1024;
}

static uint64_t bytes_read(void)
{
    return told("/proc/self/io", "rchar:");
}

/* -- one piece -------------------------------------------------------------------------------- */

static void next_chunk(const Run *r, uint32_t table, uint64_t piece, uint64_t k, ChunkId *id,
                       uint32_t *length)
{
    uint64_t number = piece * PIECE_CHUNKS + k;
    bool fresh = r->plan == PLAN_CHANGED && rows_mix(number) % NEW_ONE_IN == 0;
    if (r->plan == PLAN_MOVED) {
        number = PACKED(piece * PIECE_CHUNKS) + k;
        uint64_t at = number % PIECE_CHUNKS; /* near the parent's bounds, chunks were cut short */
        fresh = at == 0 || at == PIECE_CHUNKS - 1 || k == 0;
    }
    rows_chunk(table, number, fresh, id, length);
}

static Error *flush_frame(Run *r, uint32_t oid, uint32_t piece)
{
    uint64_t stored;
    FrameBody body = {.raw = r->raw.data,
                      .n = r->raw.len,
                      .ids = r->ids,
                      .lengths = r->lengths,
                      .chunks = r->frame_chunks,
                      .oid = oid,
                      .piece = piece,
                      .level = 1};
    if (!r->frame_chunks)
        return NULL;
    TRY(packer_put(r->w->data, r->frame_pack, r->frame, &body, r->codec, r->hash, &stored));
    r->raw.len = 0;
    r->frame_chunks = 0;
    return NULL;
}

static Error *write_chunk(Run *r, uint32_t oid, uint32_t piece, ChunkRef *ref)
{
    static const uint8_t zeros[CHUNK_MAX];
    if (!r->frame_chunks)
        TRY(packer_reserve(r->w->data, &r->frame_pack, &r->frame));
    ref->pack = r->frame_pack;
    ref->frame = r->frame;
    ref->index = (uint32_t)r->frame_chunks;
    r->ids[r->frame_chunks] = ref->id;
    r->lengths[r->frame_chunks++] = ref->length;
    buf_add(&r->raw, zeros, ref->length);
    return r->raw.len >= FRAME_TARGET ? flush_frame(r, oid, piece) : NULL;
}

static Error *end_piece(Run *r, DedupHand *hand, StreamState *s, uint32_t number)
{
    AUTO_VALUE(RecipeIndex) known = {0};
    PackUses uses = {0};
    const RecipeRef *ref;
    Piece piece = {.chunks = (uint32_t)r->count};
    for (size_t i = 0; i < r->count; i++)
        piece.bytes += r->refs[i].length;
    piece.rows = piece.bytes / 100;
    hash_once(r->hash, r->refs, r->count * sizeof *r->refs, piece.digest);
    TRY(flush_frame(r, s->s.oid, number));
    dedup_recipe(hand, &known, &ref);
    RecipeWriter w = {r->w->recipes, r->codec, r->hash, &r->stored, pack_uses_add, &uses};
    TRY(recipe_write(&w, r->refs, r->count, &known, ref, &piece.recipe));
    pack_uses_add_refs(&uses, r->refs, r->count);
    Error *e = writer_add_piece(r->w, s, number, &piece, &uses, true);
    free(uses.items);
    return e;
}

static Error *look_up(Run *r, DedupHand *hand, StreamState *s, uint32_t table, uint32_t number)
{
    uint64_t count = r->plan == PLAN_MOVED ? PACKED(PIECE_CHUNKS) : PIECE_CHUNKS;
    TRY(dedup_begin(hand, s->dedup, number));
    r->count = 0;
    for (uint64_t k = 0; k < count; k++) {
        ChunkRef *ref = &r->refs[r->count++];
        const MapEntry *found;
        next_chunk(r, table, number, k, &ref->id, &ref->length);
        TRY(dedup_find(hand, &ref->id, ref->length, &found));
        bool again = found && found->sparse && writer_may_rewrite(r->w, found->sparse, ref->length);
        if (found && !again) {
            *ref = found->ref;
            continue;
        }
        r->cost.fresh++;
        if (r->plan != PLAN_MOVED)
            TRY(write_chunk(r, s->s.oid, number, ref));
    }
    r->cost.chunks += count;
    return NULL;
}

static void at_most(uint64_t *most, uint64_t value)
{
    if (value > *most)
        *most = value;
}

static Error *do_piece(Run *r, uint32_t table, uint32_t stream, uint32_t number)
{
    StreamState *s;
    DedupHand *hand = r->hands[number % HANDS];
    TRY(writer_find_piece(r->w, stream, number, &s));
    double start = processor_ms();
    TRY(look_up(r, hand, s, table, number));
    if (r->plan != PLAN_MOVED)
        TRY(end_piece(r, hand, s, number));
    double took = processor_ms() - start;
    r->cost.processor += took;
    r->cost.worst = took > r->cost.worst ? took : r->cost.worst;
    r->cost.pieces++;
    at_most(&r->cost.samples, dedup_stream_bytes(s->dedup));
    at_most(&r->cost.hands, dedup_hand_bytes(r->hands[0]) + dedup_hand_bytes(r->hands[1]));
    at_most(&r->cost.footers, pack_reader_bytes(repo_packs(r->w->repo)));
    return NULL;
}

static Error *do_tables(Run *r, const Rows *rows)
{
    for (uint32_t t = 0; t < ROWS_TABLES; t++) {
        uint32_t stream, pieces = rows->tables[t].pieces;
        if (r->plan == PLAN_MOVED) /* whose last piece goes no further than the parent's */
            pieces = (uint32_t)((uint64_t)pieces * 100 / 116);
        StreamSpec spec = {.kind = STREAM_TABLE,
                           .dump_id = t + 1,
                           .oid = rows->tables[t].oid,
                           .schema = "public",
                           .name = rows->tables[t].name,
                           .piece_pages = PIECE_CHUNKS,
                           .pieces = pieces,
                           .rows_framed = true};
        TRY(writer_add_stream(r->w, &spec, &stream));
        for (uint32_t i = 0; i < pieces; i++)
            TRY(do_piece(r, t, stream, i));
    }
    return NULL;
}

/* -- the whole -------------------------------------------------------------------------------- */

static void print_cost(const Run *r, const BackupInfo *done, double opened, double committed,
                       uint64_t open_read)
{
    const Cost *c = &r->cost;
    double pieces = c->pieces ? (double)c->pieces : 1;
    printf("{\"open_ms\": %.1f, \"open_read\": %llu, \"piece_ms\": %.3f, \"worst_ms\": %.1f, "
           "\"pieces_ms\": %.0f, \"piece_read\": %.0f, \"chunks\": %llu, \"fresh\": %llu, "
           "\"samples\": %llu, \"hands\": %llu, \"footers\": %llu, \"recipes\": %llu, "
           "\"commit_ms\": %.1f, \"manifest\": %llu, \"open_peak\": %llu, \"pieces_peak\": %llu, "
           "\"peak\": %llu}\n",
           opened, (unsigned long long)open_read, c->processor / pieces, c->worst, c->processor,
           (double)c->read / pieces, (unsigned long long)c->chunks, (unsigned long long)c->fresh,
           (unsigned long long)c->samples, (unsigned long long)c->hands,
           (unsigned long long)c->footers, (unsigned long long)r->stored, committed,
           (unsigned long long)done->manifest_size, (unsigned long long)c->open_peak,
           (unsigned long long)c->pieces_peak, (unsigned long long)peak());
}

static Error *run(const char *dir, const Rows *rows, Run *r)
{
    AUTO(Repo) repo = NULL;
    AUTO_VALUE(BackupInfo) done = {0};
    Store *s;
    RepoOptions options = {.writes = true};
    WriterOptions o = {.database = ROWS_DATABASE,
                       .server = ROWS_SERVER,
                       .system_identifier = ROWS_SYSTEM,
                       .database_oid = ROWS_DATABASE_OID,
                       .level = 1,
                       .timestamp = 1700086400000};
    BackupInfo facts = {.database_version = (char *)"PostgreSQL 15.14",
                        .tool_version = (char *)"15.14",
                        .encoding = (char *)"UTF8",
                        .collate = (char *)"C",
                        .ctype = (char *)"C",
                        .tables = ROWS_TABLES};
    double start = processor_ms();
    uint64_t read = bytes_read();
    TRY(store_open_dir(dir, false, &s));
    TRY(repo_open(s, &options, &repo));
    TRY(writer_open(repo, &o, NULL, &r->w));
    AUTO(Writer) w = r->w;
    if (!dedup_parent(w->dedup))
        FAIL(ERR_INTERNAL, "the backup was not taken as parent");
    for (int i = 0; i < HANDS; i++)
        r->hands[i] = dedup_hand_new(w->dedup, r->codec, r->hash);
    double opened = processor_ms() - start, committed = 0;
    uint64_t open_read = bytes_read() - read;
    r->cost.open_peak = peak();
    read = bytes_read();
    Error *e = do_tables(r, rows);
    r->cost.read = bytes_read() - read;
    r->cost.pieces_peak = peak();
    start = processor_ms();
    if (!e && r->plan != PLAN_MOVED)
        e = writer_commit(w, &facts, &done);
    committed = processor_ms() - start;
    for (int i = 0; i < HANDS; i++)
        dedup_hand_free(r->hands[i]);
    TRY(e);
    print_cost(r, &done, opened, committed, open_read);
    return NULL;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"same", "changed", "moved"};
    size_t plan = 0;
    while (argc == 4 && plan < 3 && strcmp(argv[3], names[plan]) != 0)
        plan++;
    if (argc != 4 || plan == 3)
        return 2;
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    Rows rows = rows_of(strtoul(argv[2], NULL, 10));
    Run *r = mem_new(Run);
    r->plan = (Plan)plan;
    r->codec = codec;
    r->hash = hash;
    AUTO(Error) e = run(argv[1], &rows, r);
    if (e)
        fprintf(stderr, "parent_backup: %s\n", error_message(e));
    buf_free(&r->raw);
    free(r);
    return e ? 1 : 0;
}
