#include "repo/manifest.h"

#include <string.h>

#include "repo/repo_internal.h"

static const char magic_manifest[8] = "PGSTOWMF";
static const char magic_tombstone[8] = "PGSTOWTS";

enum { FACTS, PACKS, STREAMS, SECTIONS };
static const char *const section_names[SECTIONS] = {"facts", "packs", "streams"};
static const uint32_t section_max[SECTIONS] = {1u << 20, 64u << 20, 1u << 30};

#define SECTION_LEVEL 3
#define REPOSITORY_ID_BYTES 16
#define MANIFEST_LABEL "pgstow manifest"
/* Bytes before the key block, and of the rest of a header: repository, three sections, check. */
#define HEADER_START (8 + 2 + 2 + 8 + 2)
#define HEADER_REST (REPOSITORY_ID_BYTES + SECTIONS * (1 + 4 + 4 + CHECK_BYTES) + CHECK_BYTES)
#define HEADER_MAX (HEADER_START + KEY_BLOCK_MAX + HEADER_REST)

typedef struct Section {
    uint8_t codec;
    uint32_t raw, stored;
    uint8_t check[CHECK_BYTES];
} Section;

typedef struct Header {
    uint8_t repository[REPOSITORY_ID_BYTES];
    Section sections[SECTIONS];
    size_t length;
    ObjectKeys *keys; /* NULL: plain */
} Header;

static void header_clear(Header *h)
{
    object_keys_free(h->keys);
    *h = (Header){0};
}
DEFINE_AUTO_VALUE(Header, header_clear)

/* -- the value ------------------------------------------------------------------------------- */

Manifest *manifest_new(void)
{
    return mem_new(Manifest);
}

void manifest_free(Manifest *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->stream_count; i++) {
        Stream *s = &m->streams[i];
        for (size_t k = 0; k < s->piece_count; k++)
            piece_clear(&s->pieces[k]);
        free(s->pieces);
        free(s->schema);
        free(s->name);
    }
    free(m->streams);
    free(m->by_dump_id);
    free(m->packs);
    backup_info_clear(&m->info);
    free(m);
}

Stream *manifest_add_stream(Manifest *m)
{
    mem_grow(m->streams, m->stream_count, m->stream_cap);
    m->streams[m->stream_count] = (Stream){0};
    return &m->streams[m->stream_count++];
}

static int by_id(const void *key, const void *pack)
{
    return pack_id_compare(*(const PackId *)key, ((const PackInfo *)pack)->id);
}

const PackInfo *manifest_find_pack(const Manifest *m, PackId id)
{
    return m->pack_count ? bsearch(&id, m->packs, m->pack_count, sizeof *m->packs, by_id) : NULL;
}

static int compare_key(const Stream *s, StreamKind kind, uint32_t dump_id)
{
    if (s->kind != kind)
        return s->kind < kind ? -1 : 1;
    return (s->dump_id > dump_id) - (s->dump_id < dump_id);
}

static int by_dump_id(const void *a, const void *b)
{
    const Stream *x = *(const Stream *const *)a, *y = *(const Stream *const *)b;
    int order = compare_key(x, y->kind, y->dump_id);
    return order ? order : (x > y) - (x < y);
}

static void index_streams(Manifest *m)
{
    m->by_dump_id = mem_calloc(m->stream_count, sizeof(Stream *));
    for (size_t i = 0; i < m->stream_count; i++)
        m->by_dump_id[i] = &m->streams[i];
    mem_sort(m->by_dump_id, m->stream_count, sizeof *m->by_dump_id, by_dump_id);
}

const Stream *manifest_find_stream(const Manifest *m, StreamKind kind, uint32_t dump_id)
{
    size_t low = 0, high = m->stream_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_key(m->by_dump_id[middle], kind, dump_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < m->stream_count && !compare_key(m->by_dump_id[low], kind, dump_id);
    return found ? m->by_dump_id[low] : NULL;
}

/* -- the object ------------------------------------------------------------------------------ */

/* Section -1 is the header. Every key may read which packs there are: whoever frees space must. */
static Part section_part(int section, const char *id, Buf *name)
{
    buf_u8(name, (uint8_t)(section + 1));
    buf_block_str(name, id);
    PartUse use = section < 0 ? PART_LEGIBLE : section == PACKS ? PART_COMMON : PART_INDEX;
    return (Part){use, OBJECT_MANIFEST, (uint32_t)(section + 1), name};
}

static void close_section(const ObjectKeys *keys, Hash *hash, const char *id, int section,
                          uint8_t *p, size_t n, uint8_t check[CHECK_BYTES])
{
    AUTO_VALUE(Buf) name = {0};
    Part part = section_part(section, id, &name);
    part_close(keys, &part, hash, p, n, check);
}

static Error *open_section(const ObjectKeys *keys, Hash *hash, const char *id, int section,
                           uint8_t *p, size_t n, const uint8_t *check, const char *what)
{
    AUTO_VALUE(Buf) name = {0};
    Part part = section_part(section, id, &name);
    return part_open(keys, &part, hash, p, n, check, what);
}

static Error *encode_section(Codec *codec, Hash *hash, const ObjectKeys *keys, const char *id,
                             int section, const Buf *raw, Buf *header, Buf *body)
{
    AUTO_VALUE(Buf) stored = {0};
    uint8_t check[CHECK_BYTES];
    CodecId used;
    if (raw->len > section_max[section])
        FAIL(ERR_LIMIT, "the manifest's section of %s would have %zu bytes, %u are allowed",
             section_names[section], raw->len, section_max[section]);
    TRY(codec_encode(codec, SECTION_LEVEL, raw->data, raw->len, &stored, &used));
    close_section(keys, hash, id, section, stored.data, stored.len, check);
    buf_u8(header, (uint8_t)used);
    buf_u32(header, (uint32_t)raw->len);
    buf_u32(header, (uint32_t)stored.len);
    buf_add(header, check, CHECK_BYTES);
    buf_add(body, stored.data, stored.len);
    return NULL;
}

Error *manifest_encode(const Manifest *m, const char *repository_id, const Keyring *k, Buf *out)
{
    AUTO(ObjectKeys) keys = NULL;
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO(Doc) facts = backup_info_facts(&m->info);
    AUTO(char) text = doc_print(facts, false);
    AUTO_VALUE(Buf) facts_raw = {0};
    AUTO_VALUE(Buf) packs = {0};
    AUTO_VALUE(Buf) streams = {0};
    AUTO_VALUE(Buf) body = {0};
    uint8_t repository[REPOSITORY_ID_BYTES], check[CHECK_BYTES];
    const char *id = m->info.id;
    size_t start = out->len;
    if (!text_unhex(repository_id, repository, sizeof repository))
        FAIL(ERR_INTERNAL, "\"%s\" is no repository id", repository_id);
    buf_add_str(&facts_raw, text);
    TRY(object_keys_new(k, m->info.database, MANIFEST_LABEL, false, &keys));
    TRY(manifest_encode_packs(m, &packs));
    TRY(manifest_encode_streams(m, &streams));
    buf_add(out, magic_manifest, sizeof magic_manifest);
    buf_u16(out, FORMAT_VERSION);
    buf_u16(out, 0); /* flags */
    object_keys_write(keys, out);
    buf_add(out, repository, sizeof repository);
    TRY(encode_section(codec, hash, keys, id, FACTS, &facts_raw, out, &body));
    TRY(encode_section(codec, hash, keys, id, PACKS, &packs, out, &body));
    TRY(encode_section(codec, hash, keys, id, STREAMS, &streams, out, &body));
    close_section(keys, hash, id, -1, out->data + start, out->len - start, check);
    buf_add(out, check, CHECK_BYTES);
    buf_add(out, body.data, body.len);
    return NULL;
}

static const Buf no_name;
static const Part tombstone_part = {PART_LEGIBLE, OBJECT_TOMBSTONE, 0, &no_name};

void manifest_tombstone(const char *id, SessionId by, Buf *out)
{
    AUTO(Hash) hash = hash_new();
    uint8_t check[CHECK_BYTES];
    size_t start = out->len;
    buf_add(out, magic_tombstone, sizeof magic_tombstone);
    buf_u16(out, FORMAT_VERSION);
    buf_block_str(out, id);
    buf_add(out, by.b, SESSION_BYTES);
    part_close(NULL, &tombstone_part, hash, out->data + start, out->len - start, check);
    buf_add(out, check, CHECK_BYTES);
}

/* A sound tombstone is ERR_FENCED, a broken one ERR_DAMAGED. */
static Error *decode_tombstone(const void *p, size_t n, const char *id)
{
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) copy = {0};
    AUTO(char) found = NULL;
    const uint8_t *at;
    uint16_t version;
    Reader r = reader_over(p, n, "the tombstone");
    TRY(reader_bytes(&r, sizeof magic_tombstone, &at));
    TRY(reader_u16(&r, &version));
    TRY(reader_block_str(&r, &found));
    TRY(reader_bytes(&r, SESSION_BYTES, &at));
    buf_add(&copy, p, (size_t)(r.at - (const uint8_t *)p));
    TRY(reader_bytes(&r, CHECK_BYTES, &at));
    TRY(reader_end(&r));
    TRY(part_open(NULL, &tombstone_part, hash, copy.data, copy.len, at, "the tombstone's"));
    if (version != FORMAT_VERSION || strcmp(found, id) != 0)
        FAIL(ERR_DAMAGED, "the tombstone is that of another backup");
    FAIL(ERR_FENCED, "the backup %s was never completed: its run ended early, or was declared dead",
         id);
}

/* What a manifest's first bytes must be. config says which features there are, so anything unknown
 * here is damage and not a newer version. */
static Error *decode_header(const Keyring *k, const void *p, size_t n, const char *id, Hash *hash,
                            Header *out, size_t *need_more)
{
    Reader r = reader_over(p, n, "the header");
    uint16_t version, flags, key_length;
    uint64_t key_set;
    const uint8_t *at, *block;
    uint8_t copy[HEADER_MAX];
    *need_more = HEADER_START + HEADER_REST;
    if (n >= sizeof magic_tombstone && !memcmp(p, magic_tombstone, sizeof magic_tombstone)) {
        *need_more = 0;
        return decode_tombstone(p, n, id);
    }
    if (n < *need_more)
        return NULL;
    TRY(reader_bytes(&r, sizeof magic_manifest, &at));
    if (memcmp(at, magic_manifest, sizeof magic_manifest) != 0)
        FAIL(ERR_DAMAGED, "it does not begin as a manifest does");
    TRY(reader_u16(&r, &version));
    TRY(reader_u16(&r, &flags));
    TRY(reader_u64(&r, &key_set));
    TRY(reader_u16(&r, &key_length));
    if (version != FORMAT_VERSION || flags || key_length > KEY_BLOCK_MAX)
        FAIL(ERR_DAMAGED, "its header has version %u, flags %u and a key block of %u bytes",
             version, flags, key_length);
    out->length = HEADER_START + key_length + HEADER_REST;
    *need_more = out->length;
    if (n < out->length)
        return NULL;
    *need_more = 0;
    TRY(reader_bytes(&r, key_length, &block));
    TRY(object_keys_open(k, key_set, block, key_length, MANIFEST_LABEL, &out->keys));
    TRY(reader_bytes(&r, REPOSITORY_ID_BYTES, &at));
    memcpy(out->repository, at, REPOSITORY_ID_BYTES);
    for (int i = 0; i < SECTIONS; i++) {
        Section *s = &out->sections[i];
        TRY(reader_u8(&r, &s->codec));
        TRY(reader_u32(&r, &s->raw));
        TRY(reader_u32(&r, &s->stored));
        TRY(reader_bytes(&r, CHECK_BYTES, &at));
        memcpy(s->check, at, CHECK_BYTES);
    }
    memcpy(copy, p, out->length - CHECK_BYTES);
    TRY(reader_bytes(&r, CHECK_BYTES, &at));
    TRY(open_section(out->keys, hash, id, -1, copy, out->length - CHECK_BYTES, at, "the header's"));
    for (int i = 0; i < SECTIONS; i++)
        if (out->sections[i].raw > section_max[i] || out->sections[i].stored > section_max[i])
            FAIL(ERR_DAMAGED, "the section of %s has %u bytes", section_names[i],
                 out->sections[i].raw);
    return NULL;
}

static Error *decode_section(Codec *codec, Hash *hash, const Header *h, const char *id, int section,
                             const uint8_t *stored, Buf *raw)
{
    const Section *s = &h->sections[section];
    AUTO_VALUE(Buf) bytes = {0};
    AUTO(char) what = mem_printf("the section of %s", section_names[section]);
    TRY(buf_reserve(&bytes, s->stored, section_max[section]));
    buf_add(&bytes, stored, s->stored);
    TRY(open_section(h->keys, hash, id, section, bytes.data, s->stored, s->check, what));
    Error *e = codec_decode(codec, s->codec, bytes.data, s->stored, s->raw, raw);
    return error_context(e, "%s", what);
}

/* A key for one database must not make up backups of another: the header's tag says by whose keys
 * the manifest is sealed. (Ids tell nothing: an imported one may be any.) */
static Error *check_owner(const Keyring *k, const ObjectKeys *keys, const char *database)
{
    uint8_t tag[LINEAGE_TAG_BYTES], wanted[LINEAGE_TAG_BYTES];
    if (!k)
        return NULL;
    Error *e = keyring_tag(k, database, wanted);
    bool good = !e;
    if (e && error_kind(e) != ERR_KEY)
        return e;
    error_drop(e);
    object_keys_tag(keys, tag);
    if (!good || memcmp(tag, wanted, sizeof tag) != 0)
        FAIL(ERR_DAMAGED, "it says that it is of database %s, and is sealed by keys of another",
             database);
    return NULL;
}

static Error *decode_facts(const Keyring *k, Codec *codec, Hash *hash, const Header *h,
                           const char *id, const uint8_t *stored, Doc **out)
{
    AUTO_VALUE(Buf) raw = {0};
    TRY(decode_section(codec, hash, h, id, FACTS, stored, &raw));
    TRY(doc_parse((const char *)raw.data, raw.len, "the section of facts", out));
    if (strcmp(doc_str(*out, "id", ""), id) != 0)
        FAIL(ERR_DAMAGED, "the facts are those of backup %s", doc_str(*out, "id", "(none)"));
    return check_owner(k, h->keys, doc_str(*out, "database", ""));
}

static Error *decode_info(const Keyring *k, const uint8_t *p, size_t n, const char *id,
                          Codec *codec, Hash *hash, BackupInfo *out, Header *h, size_t *need_more)
{
    AUTO(Doc) facts = NULL;
    TRY(decode_header(k, p, n, id, hash, h, need_more));
    if (!*need_more && n < h->length + h->sections[FACTS].stored)
        *need_more = h->length + h->sections[FACTS].stored;
    if (*need_more)
        return NULL;
    TRY(decode_facts(k, codec, hash, h, id, p + h->length, &facts));
    TRY(backup_info_parse(facts, out));
    text_hex(h->repository, REPOSITORY_ID_BYTES, out->repository);
    return NULL;
}

Error *manifest_decode_info_by(const Keyring *k, Codec *codec, Hash *hash, const void *p, size_t n,
                               const char *id, BackupInfo *out, size_t *need_more)
{
    AUTO_VALUE(Header) h = {0};
    return error_context(decode_info(k, p, n, id, codec, hash, out, &h, need_more),
                         "manifest of %s", id);
}

Error *manifest_decode_info(const Keyring *k, const void *p, size_t n, const char *id,
                            BackupInfo *out, size_t *need_more)
{
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    return manifest_decode_info_by(k, codec, hash, p, n, id, out, need_more);
}

static Error *decode_roots(const Keyring *k, const uint8_t *p, size_t n, const char *id,
                           Manifest *m, size_t *need_more)
{
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) raw = {0};
    AUTO_VALUE(Header) h = {0};
    TRY(decode_header(k, p, n, id, hash, &h, need_more));
    size_t packs = h.length + h.sections[FACTS].stored;
    if (!*need_more && n < packs + h.sections[PACKS].stored)
        *need_more = packs + h.sections[PACKS].stored;
    if (*need_more)
        return NULL;
    text_hex(h.repository, REPOSITORY_ID_BYTES, m->info.repository);
    TRY(decode_section(codec, hash, &h, id, PACKS, p + packs, &raw));
    Reader r = reader_over(raw.data, raw.len, "the section of packs");
    return manifest_decode_packs(&r, m);
}

Error *manifest_decode_roots(const Keyring *k, const void *p, size_t n, const char *id,
                             Manifest **out, size_t *need_more)
{
    AUTO(Manifest) m = manifest_new();
    TRY_CTX(decode_roots(k, p, n, id, m, need_more), "manifest of %s", id);
    if (!*need_more)
        *out = STEAL(m);
    return NULL;
}

static Error *decode_whole(const Keyring *k, const uint8_t *p, size_t n, const char *id,
                           Manifest *m)
{
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) raw = {0};
    AUTO_VALUE(Header) h = {0};
    size_t need_more, whole;
    uint8_t sum[HASH_BYTES];
    TRY(decode_info(k, p, n, id, codec, hash, &m->info, &h, &need_more));
    whole = h.length;
    for (int i = 0; !need_more && i < SECTIONS; i++)
        whole += h.sections[i].stored;
    if (need_more || whole != n)
        FAIL(ERR_DAMAGED, "it has %zu bytes where it should have %zu", n,
             need_more ? need_more : whole);
    const uint8_t *at = p + h.length + h.sections[FACTS].stored;
    TRY(decode_section(codec, hash, &h, id, PACKS, at, &raw));
    Reader r = reader_over(raw.data, raw.len, "the section of packs");
    TRY(manifest_decode_packs(&r, m));
    TRY(decode_section(codec, hash, &h, id, STREAMS, at + h.sections[PACKS].stored, &raw));
    r = reader_over(raw.data, raw.len, "the section of streams");
    TRY(manifest_decode_streams(&r, m));
    hash_once(hash, p, n, sum);
    m->info.checksum = mem_zalloc(2 * HASH_BYTES + 1);
    text_hex(sum, HASH_BYTES, m->info.checksum);
    m->info.manifest_size = n;
    return NULL;
}

Error *manifest_decode(const Keyring *k, const void *p, size_t n, const char *id, Manifest **out)
{
    AUTO(Manifest) m = manifest_new();
    TRY_CTX(decode_whole(k, p, n, id, m), "manifest of %s", id);
    index_streams(m);
    *out = STEAL(m);
    return NULL;
}

Error *manifest_facts(const Keyring *k, const void *p, size_t n, const char *id, Doc **out)
{
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Header) h = {0};
    size_t need_more;
    TRY(decode_header(k, p, n, id, hash, &h, &need_more));
    if (need_more || n < h.length + h.sections[FACTS].stored)
        FAIL(ERR_DAMAGED, "manifest of %s ends too early", id);
    return decode_facts(k, codec, hash, &h, id, (const uint8_t *)p + h.length, out);
}
