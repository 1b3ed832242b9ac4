#include "codec/columns_internal.h"

typedef struct Leaf {
    uint32_t count;
    uint16_t symbol;
} Leaf;

/* Shell's sort: there are at most 256, and mostly fewer than 100. */
static void sort_leaves(Leaf *leaf, size_t n)
{
    static const size_t gaps[] = {57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (size_t i = gaps[g]; i < n; i++) {
            Leaf moved = leaf[i];
            size_t at = i;
            for (; at >= gaps[g] && leaf[at - gaps[g]].count > moved.count; at -= gaps[g])
                leaf[at] = leaf[at - gaps[g]];
            leaf[at] = moved;
        }
}

/* Code lengths for n >= 2 leaves by rising count: two queues, of leaves and of nodes, of which the
 * smaller head is taken. depth[i] becomes the length of leaf i. */
static void code_depths(const Leaf *leaf, size_t n, uint8_t *depth)
{
    uint32_t weight[HUFFMAN_SYMBOLS];
    uint16_t leaf_parent[HUFFMAN_SYMBOLS], parent[HUFFMAN_SYMBOLS];
    uint8_t level[HUFFMAN_SYMBOLS];
    size_t next_leaf = 0, next_node = 0, nodes = n - 1;
    for (size_t made = 0; made < nodes; made++) {
        uint32_t sum = 0;
        for (int child = 0; child < 2; child++) {
            if (next_leaf < n &&
                (next_node >= made || leaf[next_leaf].count <= weight[next_node])) {
                sum += leaf[next_leaf].count;
                leaf_parent[next_leaf++] = (uint16_t)made;
            } else {
                sum += weight[next_node];
                parent[next_node++] = (uint16_t)made;
            }
        }
        weight[made] = sum;
    }
    level[nodes - 1] = 0;
    for (size_t i = nodes - 1; i-- > 0;)
        level[i] = (uint8_t)(level[parent[i]] + 1);
    for (size_t i = 0; i < n; i++)
        depth[i] = (uint8_t)(level[leaf_parent[i]] + 1);
}

/* No length above HUFFMAN_BITS: those that are get it, and what this takes too much of the code
 * space is given back by the rarest that still can be longer. */
static void limit_depths(size_t n, uint8_t *depth)
{
    uint32_t space = 0, whole = 1u << HUFFMAN_BITS;
    for (size_t i = 0; i < n; i++) {
        if (depth[i] > HUFFMAN_BITS)
            depth[i] = HUFFMAN_BITS;
        space += whole >> depth[i];
    }
    while (space > whole) {
        size_t i = 0;
        while (depth[i] == HUFFMAN_BITS)
            i++;
        depth[i]++;
        space -= whole >> depth[i];
    }
    /* What is left over is a multiple of the space of the longest, so this ends. */
    while (space < whole)
        for (size_t i = n; i-- > 0;)
            if (space + (whole >> depth[i]) <= whole) {
                space += whole >> depth[i];
                depth[i]--;
            }
}

static unsigned reversed(unsigned code, unsigned length)
{
    unsigned out = 0;
    for (unsigned i = 0; i < length; i++)
        out |= (code >> i & 1) << (length - 1 - i);
    return out;
}

/* The first code of each length, shorter ones first. */
static void first_codes(const uint8_t *lengths, size_t n, unsigned next[HUFFMAN_BITS + 1])
{
    unsigned of_length[HUFFMAN_BITS + 1] = {0}, code = 0;
    for (size_t i = 0; i < n; i++)
        of_length[lengths[i]]++;
    of_length[0] = 0;
    for (unsigned length = 1; length <= HUFFMAN_BITS; length++) {
        code = (code + of_length[length - 1]) << 1;
        next[length] = code;
    }
}

void huffman_make(const uint32_t *counts, HuffmanCode *out, uint64_t *bits)
{
    Leaf leaf[HUFFMAN_SYMBOLS];
    uint8_t depth[HUFFMAN_SYMBOLS];
    size_t n = 0;
    memset(out->length, 0, sizeof out->length);
    for (unsigned i = 0; i < HUFFMAN_SYMBOLS; i++)
        if (counts[i])
            leaf[n++] = (Leaf){counts[i], (uint16_t)i};
    out->first = leaf[0].symbol;
    out->count = leaf[n - 1].symbol - out->first + 1u;
    *bits = 0;
    if (n < 2) {
        out->code[out->first] = 0;
        return;
    }
    sort_leaves(leaf, n);
    code_depths(leaf, n, depth);
    limit_depths(n, depth);
    for (size_t i = 0; i < n; i++) {
        out->length[leaf[i].symbol] = depth[i];
        *bits += (uint64_t)leaf[i].count * depth[i];
    }
    unsigned next[HUFFMAN_BITS + 1];
    first_codes(out->length, HUFFMAN_SYMBOLS, next);
    for (unsigned i = 0; i < HUFFMAN_SYMBOLS; i++)
        if (out->length[i])
            out->code[i] = (uint16_t)reversed(next[out->length[i]]++, out->length[i]);
}

void huffman_write(const HuffmanCode *h, Buf *out)
{
    buf_u8(out, (uint8_t)h->first);
    buf_u8(out, (uint8_t)(h->count - 1));
    if (h->count == 1)
        return;
    for (unsigned i = 0; i < h->count; i += 2) {
        unsigned high = i + 1 < h->count ? h->length[h->first + i + 1] : 0;
        buf_u8(out, (uint8_t)(h->length[h->first + i] | high << 4));
    }
}

/* Every place of the table whose lowest bits are the code. */
static void fill_table(HuffmanTable *t, unsigned symbol, unsigned length, unsigned code)
{
    for (unsigned i = reversed(code, length); i < 1u << t->bits; i += 1u << length)
        t->entries[i] = (uint16_t)(symbol | length << 8);
}

Error *huffman_read(Reader *r, HuffmanTable *out)
{
    uint8_t first, last, lengths[HUFFMAN_SYMBOLS];
    TRY(reader_u8(r, &first));
    TRY(reader_u8(r, &last));
    unsigned n = last + 1u, space = 0;
    if (first + n > HUFFMAN_SYMBOLS)
        FAIL(ERR_DAMAGED, "a code in columns has symbols that there are not");
    out->bits = 0;
    out->entries[0] = first;
    if (n == 1)
        return NULL;
    const uint8_t *p;
    TRY(reader_bytes(r, (n + 1) / 2, &p));
    for (unsigned i = 0; i < n; i++) {
        lengths[i] = i & 1 ? p[i / 2] >> 4 : p[i / 2] & 15;
        if (lengths[i] > HUFFMAN_BITS)
            FAIL(ERR_DAMAGED, "a code in columns is too long");
        space += lengths[i] ? 1u << HUFFMAN_BITS >> lengths[i] : 0;
        if (lengths[i] > out->bits)
            out->bits = lengths[i];
    }
    if (space != 1u << HUFFMAN_BITS)
        FAIL(ERR_DAMAGED, "a code in columns is not complete");
    unsigned next[HUFFMAN_BITS + 1];
    first_codes(lengths, n, next);
    for (unsigned i = 0; i < n; i++)
        if (lengths[i])
            fill_table(out, first + i, lengths[i], next[lengths[i]]++);
    return NULL;
}
