/* A repository with one backup of a database of any size, without its rows, for bench/parent.py:
 *
 *   parent_make DIR GIGABYTES
 *
 * Manifest, recipes and the footers of all packs are what the real code writes for so many rows.
 * The packs of rows are files of the right size with a hole where their frames would be: a backup
 * looks at their sizes and footers and never at their bytes. Prints what it made as JSON. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "parent_rows.h"
#include "repo/catalog.h"
#include "repo/frame.h"

#define SHRUNK 4 /* a frame's rows to their stored bytes */

/* The packs of rows that one backup wrote. */
typedef struct Layer {
    PackInfo pack; /* the one that is being filled */
    FrameInfo *frames;
    size_t count, cap;
    uint64_t end;   /* of the last frame in it */
    FrameInfo open; /* the frame that is being filled; chunks 0: none */
} Layer;

typedef struct Maker {
    const char *dir;
    Hash *hash;
    Codec *codec;
    Manifest *manifest;
    Packer *recipes;
    Layer layers[LAYERS];
    uint64_t stored; /* bytes of recipes */
    uint64_t chunks, footers;
    ChunkRef refs[PIECE_CHUNKS];
} Maker;

static SessionId session_at(uint64_t i)
{
    SessionId id;
    uint64_t words[2] = {rows_mix(i), rows_mix(i + 1000)};
    memcpy(id.b, words, sizeof id.b);
    return id;
}

static PackInfo *list_pack(Maker *m, const PackInfo *pack)
{
    mem_grow(m->manifest->packs, m->manifest->pack_count, m->manifest->pack_cap);
    PackInfo *p = &m->manifest->packs[m->manifest->pack_count++];
    *p = *pack;
    return p;
}

static Error *recipe_pack_done(void *ctx, const PackInfo *pack)
{
    PackInfo *p = list_pack(ctx, pack);
    p->used = p->raw;
    return NULL;
}

/* -- packs of rows ---------------------------------------------------------------------------- */

static Error *close_pack(Maker *m, Layer *l)
{
    AUTO_VALUE(Buf) header = {0};
    AUTO_VALUE(Buf) footer = {0};
    char name[NAME_TEXT];
    if (!l->count)
        return NULL;
    PackSeal seal = {l->pack.id, PACK_DATA, NULL};
    pack_header_encode(&seal, m->hash, &header);
    footer_encode(&seal, l->frames, l->count, m->hash, &footer);
    AUTO(char) path = mem_printf("%s/%s", m->dir, name_pack(l->pack.id, name));
    AUTO_VALUE(Fd) fd = {open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (fd.n < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot create %s", path);
    TRY(file_write_all(fd.n, header.data, header.len, path));
    if (lseek(fd.n, (off_t)l->end, SEEK_SET) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot seek in %s", path);
    TRY(file_write_all(fd.n, footer.data, footer.len, path));
    l->pack.size = l->end + footer.len;
    m->footers += footer.len;
    hash_once(m->hash, name, strlen(name), l->pack.sha256); /* nobody reads what it is of */
    list_pack(m, &l->pack);
    l->pack = (PackInfo){.id = {l->pack.id.session, l->pack.id.n + 2}, .kind = PACK_DATA};
    l->count = 0;
    l->end = PACK_HEADER_BYTES;
    return NULL;
}

static Error *close_frame(Maker *m, Layer *l)
{
    FrameInfo *f = &l->open;
    if (!f->chunks)
        return NULL;
    f->number = (uint32_t)l->count;
    f->offset = l->end;
    f->header = 16 + f->chunks * 22;
    f->stored = 4 + f->header + 2 * 16 + f->raw / SHRUNK;
    mem_grow(l->frames, l->count, l->cap);
    l->frames[l->count++] = *f;
    l->end += f->stored;
    l->pack.raw += f->raw;
    *f = (FrameInfo){0};
    return l->end >= PACK_TARGET ? close_pack(m, l) : NULL;
}

/* `used`: the backup still refers to it. */
static Error *put_chunk(Maker *m, Layer *l, uint32_t oid, uint32_t piece, uint32_t length,
                        bool used, ChunkRef *ref)
{
    ref->pack = l->pack.id;
    ref->frame = (uint32_t)l->count;
    ref->index = l->open.chunks++;
    l->open.oid = oid;
    l->open.piece = piece;
    l->open.raw += length;
    l->pack.used += used ? length : 0;
    return l->open.raw >= FRAME_TARGET ? close_frame(m, l) : NULL;
}

/* -- pieces ----------------------------------------------------------------------------------- */

static Error *make_piece(Maker *m, uint32_t table, uint32_t oid, uint32_t number, Piece *out)
{
    for (uint32_t k = 0; k < PIECE_CHUNKS; k++) {
        ChunkRef *ref = &m->refs[k], old;
        rows_chunk(table, (uint64_t)number * PIECE_CHUNKS + k, 0, &ref->id, &ref->length);
        unsigned layer = rows_layer(&ref->id);
        if (layer)
            TRY(put_chunk(m, &m->layers[0], oid, number, ref->length, false, &old));
        TRY(put_chunk(m, &m->layers[layer], oid, number, ref->length, true, ref));
        out->bytes += ref->length;
    }
    for (int i = 0; i < LAYERS; i++)
        TRY(close_frame(m, &m->layers[i]));
    out->chunks = PIECE_CHUNKS;
    out->rows = out->bytes / 100;
    hash_once(m->hash, m->refs, sizeof m->refs, out->digest);
    RecipeWriter w = {m->recipes, m->codec, m->hash, &m->stored, NULL, NULL};
    TRY(recipe_write(&w, m->refs, PIECE_CHUNKS, NULL, NULL, &out->recipe));
    m->chunks += PIECE_CHUNKS;
    return NULL;
}

static Error *make_streams(Maker *m, const Rows *rows)
{
    for (uint32_t t = 0; t < ROWS_TABLES; t++) {
        Stream *s = manifest_add_stream(m->manifest);
        s->kind = STREAM_TABLE;
        s->dump_id = t + 1;
        s->oid = rows->tables[t].oid;
        s->schema = mem_strdup("public");
        s->name = mem_strdup(rows->tables[t].name);
        s->piece_pages = PIECE_CHUNKS;
        s->mean_bits = CHUNK_MEAN_BITS;
        s->rows_framed = true;
        s->piece_count = s->piece_cap = rows->tables[t].pieces;
        s->pieces = mem_calloc(s->piece_count, sizeof *s->pieces);
        for (uint32_t i = 0; i < s->piece_count; i++) {
            TRY(make_piece(m, t, s->oid, i, &s->pieces[i]));
            s->rows += s->pieces[i].rows;
            s->bytes += s->pieces[i].bytes;
        }
        piece_digest_all(s->pieces, s->piece_count, s->digest);
        m->manifest->info.logical_size += s->bytes;
        m->manifest->info.rows += s->rows;
    }
    for (int i = 0; i < LAYERS; i++)
        TRY(close_pack(m, &m->layers[i]));
    return packer_finish(m->recipes);
}

/* -- the manifest ----------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return pack_id_compare(((const PackInfo *)a)->id, ((const PackInfo *)b)->id);
}

static Error *put_manifest(Maker *m, Repo *r)
{
    AUTO_VALUE(Buf) bytes = {0};
    char name[NAME_TEXT], hex[2 * HASH_BYTES + 1];
    uint8_t whole[HASH_BYTES];
    BackupInfo *b = &m->manifest->info;
    char **const texts[] = {&b->predecessor_hash, &b->filter, &b->parent, &b->collate, &b->ctype};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = mem_strdup("");
    b->timestamp = b->started = b->finished = 1700000000000;
    b->id = backup_id_make(ROWS_DATABASE, b->timestamp);
    b->key = mem_strdup("20231114221320");
    b->database = mem_strdup(ROWS_DATABASE);
    b->server = mem_strdup(ROWS_SERVER);
    b->system_identifier = mem_strdup(ROWS_SYSTEM);
    b->database_oid = ROWS_DATABASE_OID;
    b->database_version = mem_strdup("PostgreSQL 15.14");
    b->tool_version = mem_strdup("pg_dump (PostgreSQL) 15.14");
    b->pgstow_version = mem_strdup(PGSTOW_VERSION);
    b->encoding = mem_strdup("UTF8");
    b->sequence = LAYERS;
    b->tables = ROWS_TABLES;
    b->compressed = true;
    mem_sort(m->manifest->packs, m->manifest->pack_count, sizeof(PackInfo), by_id);
    for (size_t i = 0; i < m->manifest->pack_count; i++)
        b->size += m->manifest->packs[i].size;
    b->new_bytes = b->size / 100;
    TRY(manifest_encode(m->manifest, repo_id(r), NULL, &bytes));
    hash_once(m->hash, bytes.data, bytes.len, whole);
    text_hex(whole, HASH_BYTES, hex);
    b->checksum = mem_strdup(hex);
    b->manifest_size = bytes.len;
    TRY(store_put(repo_store(r), name_manifest(b->id, name), bytes.data, bytes.len));
    return catalog_put_metadata(r, b);
}

static Error *make(Maker *m, const Rows *rows)
{
    AUTO(Repo) r = NULL;
    Store *s;
    RepoOptions options = {.create = true};
    TRY(store_open_dir(m->dir, true, &s));
    TRY(repo_open(s, &options, &r));
    for (int i = 0; i < 256; i++) {
        AUTO(char) folder = mem_printf("%s/packs/%02x", m->dir, i);
        TRY(file_make_dir(folder, 0700));
    }
    for (uint64_t i = 0; i < LAYERS; i++) {
        m->layers[i].pack = (PackInfo){.id = {session_at(i), 0}, .kind = PACK_DATA};
        m->layers[i].end = PACK_HEADER_BYTES;
    }
    TRY(packer_new(repo_store(r), NULL, ROWS_DATABASE, session_at(0), PACK_RECIPE, 1,
                   recipe_pack_done, m, &m->recipes));
    TRY(make_streams(m, rows));
    TRY(store_barrier(repo_store(r)));
    TRY(put_manifest(m, r));
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    AUTO(Manifest) manifest = manifest_new();
    AUTO(Hash) hash = hash_new();
    AUTO(Codec) codec = codec_new();
    Maker *m = mem_new(Maker);
    m->dir = argv[1];
    m->hash = hash;
    m->codec = codec;
    m->manifest = manifest;
    Rows rows = rows_of(strtoul(argv[2], NULL, 10));
    AUTO(Error) e = make(m, &rows);
    if (e)
        fprintf(stderr, "parent_make: %s\n", error_message(e));
    else
        printf("{\"bytes\": %llu, \"pieces\": %llu, \"chunks\": %llu, \"packs\": %zu, \"stored\": "
               "%llu, \"recipes\": %llu, \"footers\": %llu, \"manifest\": %llu}\n",
               (unsigned long long)manifest->info.logical_size, (unsigned long long)rows.pieces,
               (unsigned long long)m->chunks, manifest->pack_count,
               (unsigned long long)manifest->info.size, (unsigned long long)m->stored,
               (unsigned long long)m->footers, (unsigned long long)manifest->info.manifest_size);
    packer_free(m->recipes);
    for (int i = 0; i < LAYERS; i++)
        free(m->layers[i].frames);
    free(m);
    return e ? 1 : 0;
}
