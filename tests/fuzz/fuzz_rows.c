/* COPY text, and the recorded columns and keys of tables. */
#include "fuzz.h"
#include "pg/copy_text.h"
#include "pg/relation.h"

static Error *take(void *ctx, const char *row, size_t n)
{
    AUTO_VALUE(CopyRow) r = {0};
    size_t columns = 1;
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        columns += row[i] == '\t';
    if (!sound(copy_row_split(row, n, columns, &r)))
        return NULL;
    /* What was understood is written the same way, byte for byte: servers have one. */
    AUTO_VALUE(Buf) again = {0};
    for (size_t i = 0; i < r.count; i++) {
        if (i)
            buf_u8(&again, '\t');
        copy_text_field(&again, r.fields[i].p, r.fields[i].n);
    }
    AUTO_VALUE(CopyRow) second = {0};
    MUST(succeeded(copy_row_split((const char *)again.data, again.len, columns, &second)));
    for (size_t i = 0; i < columns; i++)
        MUST(r.fields[i].n == second.fields[i].n && !r.fields[i].p == !second.fields[i].p &&
             (!r.fields[i].n || !memcmp(r.fields[i].p, second.fields[i].p, r.fields[i].n)));
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_VALUE(CopyLines) l = {.take = take};
    size_t half = size / 2;
    MUST(succeeded(copy_lines_feed(&l, data, half)));
    MUST(succeeded(copy_lines_feed(&l, data + half, size - half)));
    sound(copy_lines_end(&l));

    AUTO_VALUE(RelationList) relations = {0};
    if (!sound(relation_list_decode(data, size, &relations)))
        return 0;
    AUTO_VALUE(RelationList) again = {0};
    AUTO_VALUE(Buf) lines = {0};
    relation_list_encode(&relations, &lines);
    MUST(succeeded(relation_list_decode(lines.data, lines.len, &again)));
    MUST(again.count == relations.count);
    return 0;
}
