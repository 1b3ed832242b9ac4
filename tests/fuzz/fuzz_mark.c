/* Markers in a repository: the first byte says which. 't' the JSON of a marker in the trash, 'l' of
 * a note of the ledger (the hash is added to either), 'o' the name of an origin, 'd' the JSON of a
 * proof. */
#include "fuzz_note.h"
#include "repo/ledger.h"
#include "repo/origin.h"
#include "repo/trash.h"

#define BACKUP "shop-20240115T103000Z"
#define LEDGER_NOTE "ledger/20240115T103000Z-0102030405060708"
#define PROOF "proofs/" BACKUP "/20240116T103000000Z-drill-good"

static void read_trash(Repo *r, const uint8_t *data, size_t size)
{
    AUTO_VALUE(TrashList) list = {0};
    AUTO_VALUE(Trashed) one = {0};
    bool found = false;
    put_note(repo_store(r), "trash/" BACKUP, data, size);
    /* One that cannot be read still hides its backup. */
    if (sound(trash_list(r, true, &list)))
        MUST(list.count == 1 && !strcmp(list.items[0].id, BACKUP) && !list.items[0].there);
    sound(trash_look(r, BACKUP, &one, &found));
}

static void read_ledger(Repo *r, const uint8_t *data, size_t size)
{
    AUTO(Ledger) l = NULL;
    put_note(repo_store(r), LEDGER_NOTE, data, size);
    bool checked = sound(ledger_check_note(r, LEDGER_NOTE));
    if (sound(ledger_read(r, &l)) && checked)
        MUST(ledger_notes(l) == 1);
}

static void read_origin(Repo *r, const uint8_t *data, size_t size)
{
    static const char source[] = "000102030405060708090a0b0c0d0e0f";
    AUTO(char) last = input_text(data, size);
    AUTO(char) name = mem_printf("origins/%s/%s", source, last);
    AUTO_VALUE(OriginList) list = {0};
    Error *e = store_put(repo_store(r), name, "", 0);
    if (e) { /* no name of an object */
        error_free(e);
        return;
    }
    sound(origin_check(r, name));
    if (sound(origin_list(r, source, &list)) && list.count) {
        size_t count = 0;
        MUST(origin_find(&list, list.items[0].source, &count) && count >= 1);
    }
}

static void read_proof(Repo *r, const uint8_t *data, size_t size)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    put_note(repo_store(r), PROOF, data, size);
    strlist_add(&names, PROOF);
    info.id = mem_strdup(BACKUP);
    sound(proof_apply(r, &names, &info));
}

static void read_proof_name(Repo *r, const uint8_t *data, size_t size)
{
    AUTO(char) last = input_text(data, size);
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    strlist_own(&names, mem_printf("proofs/" BACKUP "/%s", last));
    Error *e = store_put(repo_store(r), names.items[0], "", 0);
    if (e) {
        error_free(e);
        return;
    }
    info.id = mem_strdup(BACKUP);
    sound(proof_apply(r, &names, &info));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(Repo) r = NULL;
    if (!size || !strchr("tlodp", data[0]))
        return 0;
    MUST(succeeded(repo_open(store_open_memory(), &(RepoOptions){.create = true}, &r)));
    switch (data[0]) {
    case 't':
        read_trash(r, data + 1, size - 1);
        break;
    case 'l':
        read_ledger(r, data + 1, size - 1);
        break;
    case 'o':
        read_origin(r, data + 1, size - 1);
        break;
    case 'd':
        read_proof(r, data + 1, size - 1);
        break;
    case 'p':
        read_proof_name(r, data + 1, size - 1);
        break;
    }
    return 0;
}
