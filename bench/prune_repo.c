/* A synthetic repository for bench/prune.py, and for list in bench/parts.py: packs that nobody
 * reads (prune does not), and manifests that the real encoder wrote.
 *
 *   prune_repo DIR PACKS MANIFESTS EACH
 *
 * Manifest i names EACH packs that follow each other, as daily backups of a database that changes
 * do; a tenth of the packs is named by none. Nothing is synced: it is thrown away. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "repo/manifest.h"
#include "repo/repo.h"

#define PACK_BYTES 64

static void check(Error *e)
{
    if (!e)
        return;
    fprintf(stderr, "%s\n", error_message(e));
    exit(1);
}

static void write_file(const char *folder, const char *name, const void *p, size_t n)
{
    AUTO(char) path = mem_printf("%s/%s", folder, name);
    AUTO_VALUE(Fd) fd = {open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (fd.n < 0)
        check(error_errno(ERR_IO, ERR_IO, "cannot create %s", path));
    check(file_write_all(fd.n, p, n, path));
}

/* Sessions of 20 packs each, as a backup writes them. */
static PackId pack_at(size_t i)
{
    PackId id = {.n = (uint32_t)(i % 20)};
    uint64_t session = (i / 20 + 1) * 0x9e3779b97f4a7c15ull;
    memcpy(id.session.b, &session, sizeof session);
    return id;
}

static int by_id(const void *a, const void *b)
{
    return pack_id_compare(((const PackInfo *)a)->id, ((const PackInfo *)b)->id);
}

static void make_packs(const char *dir, size_t count)
{
    static const char bytes[PACK_BYTES];
    for (int i = 0; i < 256; i++) {
        AUTO(char) folder = mem_printf("%s/packs/%02x", dir, i);
        check(file_make_dir(folder, 0700));
    }
    for (size_t i = 0; i < count; i++) {
        char name[NAME_TEXT];
        write_file(dir, name_pack(pack_at(i), name), bytes, sizeof bytes);
    }
}

static void make_manifest(const char *dir, Repo *r, size_t i, size_t first, size_t each)
{
    AUTO(Manifest) m = manifest_new();
    AUTO_VALUE(Buf) bytes = {0};
    char name[NAME_TEXT];
    BackupInfo *b = &m->info;
    b->timestamp = 1600000000000 + (Instant)i * 3600000;
    b->id = backup_id_make("shop", b->timestamp);
    b->key = mem_strdup("20200913000000");
    b->database = mem_strdup("shop");
    b->server = mem_strdup("db:5432");
    b->system_identifier = mem_strdup("7300000000000000001");
    b->database_oid = 16384;
    b->sequence = i + 1;
    /* The rest as long as a real backup's facts are: list reads all of them. */
    b->database_version = mem_strdup("PostgreSQL 15.14 (Debian 15.14-0+deb12u1)");
    b->tool_version = mem_strdup("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)");
    b->pgstow_version = mem_strdup("0.1.0");
    b->encoding = mem_strdup("UTF8");
    b->collate = mem_strdup("C.UTF-8");
    b->ctype = mem_strdup("C.UTF-8");
    b->predecessor_hash =
        mem_strdup("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    b->started = b->timestamp;
    b->finished = b->timestamp + 9000;
    b->logical_size = 1200000000 + i;
    b->size = each * PACK_BYTES;
    b->new_bytes = PACK_BYTES;
    b->tables = 8;
    b->rows = 8660000 + i;
    b->compressed = true;
    for (size_t k = 0; k < each; k++) {
        mem_grow(m->packs, m->pack_count, m->pack_cap);
        m->packs[m->pack_count++] = (PackInfo){
            .id = pack_at(first + k), .kind = PACK_DATA, .size = PACK_BYTES, .raw = 1, .used = 1};
    }
    mem_sort(m->packs, m->pack_count, sizeof *m->packs, by_id);
    check(manifest_encode(m, repo_id(r), repo_keys(r), &bytes));
    write_file(dir, name_manifest(b->id, name), bytes.data, bytes.len);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const char *dir = argv[1];
    size_t packs = strtoul(argv[2], NULL, 10), manifests = strtoul(argv[3], NULL, 10),
           each = strtoul(argv[4], NULL, 10);
    AUTO(Repo) r = NULL;
    Store *s;
    RepoOptions options = {.create = true};
    check(store_open_dir(dir, true, &s));
    check(repo_open(s, &options, &r));
    make_packs(dir, packs);
    AUTO(char) backups = mem_printf("%s/backups", dir);
    check(file_make_dir(backups, 0700));
    size_t named = packs - packs / 10;
    for (size_t i = 0; i < manifests; i++)
        make_manifest(dir, r, i, (named - each) * i / (manifests - 1), each);
    return 0;
}
