/* A whole pack, as somebody might put it into the store: its footer, each frame's header, each
 * frame, and the recipes in a pack of recipes. The first byte of the input is the kind; two more
 * are the length of the footer, which is at the end; between them lie the frames. */
#include "fuzz.h"
#include "repo/frame.h"
#include "repo/recipe.h"

static const PackId id = {{{1, 2, 3}}, 4};

/* Header, checks and trailer are put around what the fuzzer made. */
static bool build(const uint8_t *data, size_t size, Hash *hash, Buf *out)
{
    if (size < 3)
        return false;
    PackKind kind = data[0] % 2 ? PACK_DATA : PACK_RECIPE;
    size_t footer = (size_t)data[1] | (size_t)data[2] << 8, n = size - 3;
    if (footer > n)
        footer = n;
    PackSeal seal = {.id = id, .kind = kind};
    pack_header_encode(&seal, hash, out);
    buf_add(out, data + 3, n);
    for (int i = 0; i < CHECK_BYTES; i++)
        buf_u8(out, '*');
    buf_u32(out, (uint32_t)footer);
    buf_add_str(out, "PGSTOWPF");
    return true;
}

/* A recipe that begins in this frame; what it names may lie in the others. */
static void read_recipe(PackReader *r, RecipeKind kind, const FrameInfo *f, Codec *codec,
                        Hash *hash)
{
    RecipeRef ref = {.kind = kind, .pack = id, .frame = f->number, .raw = f->raw};
    AUTO_VALUE(Page) page = {0};
    AUTO_VALUE(RecipeIndex) index = {0};
    bool loaded = sound(recipe_load(r, &ref, codec, hash, &page));
    bool indexed = sound(recipe_load_index(r, &ref, codec, hash, &index));
    MUST(!loaded || indexed);
    size_t chunks = 0;
    for (size_t i = 0; i < index.page_count; i++)
        chunks += index.pages[i].chunks;
    MUST(!loaded || chunks == page.count);
}

static void read_frames(PackReader *r, PackKind kind, const FrameInfo *frames, size_t count)
{
    static Codec *codec;
    if (!codec)
        codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Frame) head = {0};
    AUTO_VALUE(Frame) whole = {0};
    for (size_t i = 0; i < count && i < 16; i++) {
        if (!sound(pack_read_frame_header(r, id, frames[i].number, hash, &head)))
            continue;
        MUST(head.chunks == frames[i].chunks);
        if (!sound(pack_read_frame(r, id, frames[i].number, codec, hash, &whole)))
            continue;
        MUST(whole.raw.len == frames[i].raw);
        if (kind == PACK_RECIPE) {
            read_recipe(r, RECIPE_PAGE, &frames[i], codec, hash);
            read_recipe(r, RECIPE_INDEX, &frames[i], codec, hash);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(Store) s = store_open_memory();
    AUTO(PackReader) r = pack_reader_new(s, NULL);
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) object = {0};
    char name[NAME_TEXT];
    if (!build(data, size, hash, &object))
        return 0;
    MUST(succeeded(store_put(s, name_pack(id, name), object.data, object.len)));
    PackInfo info;
    FrameInfo *frames = NULL;
    size_t count;
    if (!sound(pack_read_footer(r, id, &info, &frames, &count)))
        return 0;
    MUST(info.size == object.len);
    read_frames(r, info.kind, frames, count);
    free(frames);
    return 0;
}
