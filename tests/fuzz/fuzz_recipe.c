/* Recipe pages and indexes. */
#include "fuzz.h"
#include "repo/recipe.h"

static void check_page(const uint8_t *data, size_t size)
{
    AUTO_VALUE(Page) page = {0};
    AUTO_VALUE(Page) again = {0};
    AUTO_VALUE(Buf) bytes = {0};
    if (!sound(page_decode(data, size, &page)))
        return;
    page_encode(page.chunks, page.count, &bytes);
    MUST(succeeded(page_decode(bytes.data, bytes.len, &again)) && again.count == page.count);
    for (size_t i = 0; i < page.count; i++) {
        const ChunkRef *a = &page.chunks[i], *b = &again.chunks[i];
        MUST(pack_id_equal(a->pack, b->pack) && a->frame == b->frame && a->index == b->index &&
             a->length == b->length && memcmp(a->id.b, b->id.b, CHUNK_ID_BYTES) == 0);
    }
}

static void check_index(const uint8_t *data, size_t size)
{
    AUTO_VALUE(RecipeIndex) index = {0};
    AUTO_VALUE(RecipeIndex) again = {0};
    AUTO_VALUE(Buf) bytes = {0};
    if (!sound(recipe_index_decode(data, size, &index)))
        return;
    recipe_index_encode(&index, &bytes);
    MUST(succeeded(recipe_index_decode(bytes.data, bytes.len, &again)));
    MUST(index.page_count == again.page_count && index.sample_count == again.sample_count);
    for (size_t i = 0; i < index.page_count; i++)
        MUST(pack_id_equal(index.pages[i].pack, again.pages[i].pack) &&
             index.pages[i].bytes == again.pages[i].bytes &&
             index.pages[i].raw == again.pages[i].raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_page(data, size);
    check_index(data, size);
    return 0;
}
