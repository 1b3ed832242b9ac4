#include <pthread.h>
#include <string.h>

#include "repo/frame.h"

/* Of footers: so many at most, and of their frames so many bytes (the one in use is kept always). A
 * pack of recipes has ten thousand frames. */
#define FOOTERS_KEPT 128
#define FOOTERS_BYTES (16u << 20)

typedef struct Footer {
    PackInfo info;
    PackSeal seal;
    FrameInfo *frames;
    size_t count;
    uint64_t used_at; /* by the reader's clock of uses */
} Footer;

/* Footers are read outside the lock; two threads may then both read one, and the second one's is
 * dropped. */
struct PackReader {
    Store *store;
    const Keyring *keys;
    pthread_mutex_t lock;
    Footer kept[FOOTERS_KEPT];
    size_t count, bytes;
    uint64_t clock;
};

static void footer_clear(Footer *f)
{
    free(f->frames);
    object_keys_free(f->seal.keys);
    *f = (Footer){0};
}
DEFINE_AUTO_VALUE(Footer, footer_clear)

PackReader *pack_reader_new(Store *store, const Keyring *keys)
{
    PackReader *r = mem_new(PackReader);
    r->store = store;
    r->keys = keys;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void pack_reader_free(PackReader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        footer_clear(&r->kept[i]);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void frame_clear(Frame *f)
{
    buf_free(&f->raw);
    free(f->ids);
    free(f->lengths);
    *f = (Frame){0};
}

/* What a pack lacks is damage here, whatever the store calls it. */
static Error *as_damage(Error *e)
{
    return e && error_kind(e) == ERR_NOT_FOUND ? error_rekind(e, ERR_DAMAGED) : e;
}

static Error *load_footer(PackReader *r, PackId pack, Hash *hash, Footer *out)
{
    char name[NAME_TEXT];
    name_pack(pack, name);
    uint8_t head[PACK_HEADER_MAX], trailer[TRAILER_BYTES];
    size_t start = r->keys ? PACK_HEADER_MAX : PACK_HEADER_BYTES;
    uint64_t size;
    TRY(as_damage(store_size(r->store, name, &size)));
    if (size < PACK_HEADER_BYTES + sizeof trailer || size > PACK_LIMIT)
        FAIL(ERR_DAMAGED, "a pack cannot be %llu bytes long", (unsigned long long)size);
    if (size < start)
        start = (size_t)size;
    TRY(as_damage(store_get(r->store, name, 0, head, start)));
    out->info = (PackInfo){.id = pack, .size = size};
    TRY(pack_header_decode(head, start, pack, r->keys, hash, &out->seal, &start));
    out->info.kind = out->seal.kind;
    TRY(as_damage(store_get(r->store, name, size - sizeof trailer, trailer, sizeof trailer)));
    size_t length;
    TRY(trailer_decode(trailer, size, &length));
    AUTO_VALUE(Buf) footer = {0};
    TRY(buf_reserve(&footer, length, length));
    uint64_t end = size - sizeof trailer - length;
    TRY(as_damage(store_get(r->store, name, end, footer.data, length)));
    TRY(footer_decode(&out->seal, footer.data, length, start, end, hash, &out->frames,
                      &out->count));
    for (size_t i = 0; i < out->count; i++)
        out->info.raw += out->frames[i].raw;
    return NULL;
}

/* With the lock held. */
static Footer *find_kept(PackReader *r, PackId pack)
{
    for (size_t i = 0; i < r->count; i++)
        if (pack_id_equal(r->kept[i].info.id, pack)) {
            r->kept[i].used_at = ++r->clock;
            return &r->kept[i];
        }
    return NULL;
}

static size_t footer_bytes(const Footer *f)
{
    return f->count * sizeof *f->frames;
}

/* With the lock held: the one that was used longest ago goes. */
static void drop_oldest(PackReader *r)
{
    Footer *oldest = &r->kept[0];
    for (size_t i = 1; i < r->count; i++)
        if (r->kept[i].used_at < oldest->used_at)
            oldest = &r->kept[i];
    r->bytes -= footer_bytes(oldest);
    footer_clear(oldest);
    *oldest = r->kept[--r->count];
}

/* With the lock held; takes the footer over. */
static Footer *keep(PackReader *r, Footer *f)
{
    Footer *place = find_kept(r, f->info.id);
    if (place) {
        footer_clear(f);
        return place;
    }
    while (r->count == FOOTERS_KEPT || (r->count && r->bytes + footer_bytes(f) > FOOTERS_BYTES))
        drop_oldest(r);
    place = &r->kept[r->count++];
    *place = *f;
    *f = (Footer){0};
    place->used_at = ++r->clock;
    r->bytes += footer_bytes(place);
    return place;
}

size_t pack_reader_bytes(PackReader *r)
{
    pthread_mutex_lock(&r->lock);
    size_t bytes = r->bytes;
    pthread_mutex_unlock(&r->lock);
    return bytes;
}

/* Returns with the lock held where it succeeds. */
static Error *lock_footer(PackReader *r, PackId pack, Hash *hash, Footer **out)
{
    pthread_mutex_lock(&r->lock);
    if ((*out = find_kept(r, pack)))
        return NULL;
    pthread_mutex_unlock(&r->lock);
    AUTO_VALUE(Footer) loaded = {0};
    TRY(load_footer(r, pack, hash, &loaded));
    pthread_mutex_lock(&r->lock);
    *out = keep(r, &loaded);
    return NULL;
}

static int by_number(const void *key, const void *element)
{
    uint32_t number = *(const uint32_t *)key, other = ((const FrameInfo *)element)->number;
    return (number > other) - (number < other);
}

/* `seal` may be NULL; its keys are the caller's. */
static Error *find_frame(PackReader *r, PackId pack, uint32_t frame, Hash *hash, FrameInfo *info,
                         PackSeal *seal)
{
    Footer *f;
    TRY(lock_footer(r, pack, hash, &f));
    const FrameInfo *found = bsearch(&frame, f->frames, f->count, sizeof *f->frames, by_number);
    if (found)
        *info = *found;
    if (found && seal) {
        *seal = f->seal;
        object_keys_share(seal->keys);
    }
    pthread_mutex_unlock(&r->lock);
    if (!found)
        FAIL(ERR_DAMAGED, "it has no such frame");
    return NULL;
}

/* `packed` may be NULL, as may `codec` where only the header is wanted. */
static Error *read_frame(PackReader *r, PackId pack, uint32_t frame, Codec *codec, Hash *hash,
                         Frame *out, FrameHead *head, Buf *packed)
{
    FrameInfo info;
    PackSeal seal = {0};
    TRY(find_frame(r, pack, frame, hash, &info, &seal));
    AUTO(ObjectKeys) keys = seal.keys;
    size_t wanted = codec ? info.stored : 4 + (size_t)info.header + CHECK_BYTES;
    if (wanted > info.stored)
        FAIL(ERR_DAMAGED, "the footer's lengths do not agree");
    AUTO_VALUE(Buf) bytes = {0};
    TRY(buf_reserve(&bytes, wanted, FRAME_STORED_MAX));
    char name[NAME_TEXT];
    TRY(as_damage(store_get(r->store, name_pack(pack, name), info.offset, bytes.data, wanted)));
    out->raw.len = 0;
    if (!codec)
        return frame_decode_head(&seal, &info, bytes.data, wanted, hash, head, out);
    TRY(frame_decode(&seal, &info, bytes.data, wanted, codec, hash, head, out));
    if (packed) {
        packed->len = 0;
        buf_add(packed, frame_payload(&info, bytes.data), head->stored);
    }
    return NULL;
}

Error *pack_read_frame(PackReader *r, PackId pack, uint32_t frame, Codec *codec, Hash *hash,
                       Frame *out)
{
    char name[NAME_TEXT];
    FrameHead head = {0};
    TRY_CTX(read_frame(r, pack, frame, codec, hash, out, &head, NULL), "frame %u of %s", frame,
            name_pack(pack, name));
    return NULL;
}

Error *pack_read_packed(PackReader *r, PackId pack, uint32_t frame, Codec *codec, Hash *hash,
                        Frame *out, CodecId *codec_id, Buf *packed)
{
    char name[NAME_TEXT];
    FrameHead head = {0};
    TRY_CTX(read_frame(r, pack, frame, codec, hash, out, &head, packed), "frame %u of %s", frame,
            name_pack(pack, name));
    *codec_id = head.codec;
    return NULL;
}

Error *pack_read_frame_header(PackReader *r, PackId pack, uint32_t frame, Hash *hash, Frame *out)
{
    return pack_read_frame(r, pack, frame, NULL, hash, out);
}

Error *pack_frame_info(PackReader *r, PackId pack, uint32_t frame, Hash *hash, FrameInfo *out)
{
    char name[NAME_TEXT];
    TRY_CTX(find_frame(r, pack, frame, hash, out, NULL), "frame %u of %s", frame,
            name_pack(pack, name));
    return NULL;
}

Error *pack_read_footer(PackReader *r, PackId pack, PackInfo *info, FrameInfo **frames,
                        size_t *count)
{
    AUTO(Hash) hash = hash_new();
    char name[NAME_TEXT];
    AUTO_VALUE(Footer) f = {0};
    /* Always from the store: whoever asks for the footer wants to know what is there now. */
    TRY_CTX(load_footer(r, pack, hash, &f), "%s", name_pack(pack, name));
    *info = f.info;
    *frames = STEAL(f.frames);
    *count = f.count;
    return NULL;
}

Error *pack_hash(PackReader *r, PackId pack, uint8_t sha256[HASH_BYTES], uint64_t *size)
{
    char name[NAME_TEXT];
    name_pack(pack, name);
    TRY_CTX(as_damage(store_hash(r->store, name, sha256, size)), "%s", name);
    return NULL;
}
