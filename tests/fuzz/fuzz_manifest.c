/* Manifests and tombstones. Input that begins with 'P' is the object as it is. Otherwise it is the
 * three sections, each with its length (two bytes) before it, and the object is made of them. */
#include "fuzz.h"
#include "repo/repo_internal.h"

#define BACKUP_ID "shop-20240115T103000Z"
static const char repository[] = "000102030405060708090a0b0c0d0e0f";

static void add_stars(Buf *out)
{
    buf_add_str(out, "****************");
}

static void build(const uint8_t *data, size_t size, Buf *out)
{
    const uint8_t *section[3];
    size_t length[3];
    for (size_t i = 0; i < 3; i++) {
        size_t n = size >= 2 ? (size_t)data[0] | (size_t)data[1] << 8 : 0;
        size_t head = size >= 2 ? 2 : size;
        data += head;
        size -= head;
        section[i] = data;
        length[i] = n < size && i < 2 ? n : size;
        data += length[i];
        size -= length[i];
    }
    buf_add_str(out, "PGSTOWMF");
    buf_u16(out, FORMAT_VERSION);
    buf_u16(out, 0);
    buf_u64(out, 0);
    buf_u16(out, 0);
    uint8_t id[16];
    MUST(text_unhex(repository, id, sizeof id));
    buf_add(out, id, sizeof id);
    for (size_t i = 0; i < 3; i++) {
        buf_u8(out, CODEC_STORE);
        buf_u32(out, (uint32_t)length[i]);
        buf_u32(out, (uint32_t)length[i]);
        add_stars(out);
    }
    add_stars(out);
    for (size_t i = 0; i < 3; i++)
        buf_add(out, section[i], length[i]);
}

static void check_again(const Manifest *m)
{
    AUTO_VALUE(Buf) bytes = {0};
    AUTO(Manifest) again = NULL;
    MUST(succeeded(manifest_encode(m, repository, NULL, &bytes)));
    MUST(succeeded(manifest_decode(NULL, bytes.data, bytes.len, BACKUP_ID, &again)));
    MUST(m->pack_count == again->pack_count && m->stream_count == again->stream_count);
    AUTO_VALUE(Buf) metadata = {0};
    backup_info_metadata(&again->info, &metadata);
    MUST(metadata.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_VALUE(Buf) object = {0};
    if (size && data[0] == 'P')
        buf_add(&object, data, size);
    else
        build(data, size, &object);
    AUTO_VALUE(BackupInfo) info = {0};
    AUTO(Doc) facts = NULL;
    AUTO(Manifest) m = NULL;
    size_t need_more = 0;
    bool readable =
        sound(manifest_decode_info(NULL, object.data, object.len, BACKUP_ID, &info, &need_more));
    sound(manifest_facts(NULL, object.data, object.len, BACKUP_ID, &facts));
    if (!sound(manifest_decode(NULL, object.data, object.len, BACKUP_ID, &m)))
        return 0;
    MUST(readable && !need_more && strcmp(m->info.id, BACKUP_ID) == 0);
    check_again(m);
    return 0;
}
