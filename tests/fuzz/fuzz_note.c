/* The small objects of JSON: a repository's config, sessions, proofs. The first byte says which;
 * the rest is the JSON, to which the hash is added, or with 'r' the object as it is. */
#include "fuzz_note.h"
#include "repo/catalog.h"

#define SESSION_NAME "sessions/0102030405060708090a0b0c"

static void read_config(const uint8_t *data, size_t size)
{
    AUTO(Repo) r = NULL;
    Store *s = store_open_memory();
    put_note(s, "config", data, size);
    if (!sound(repo_open(s, &(RepoOptions){0}, &r)))
        return;
    MUST(strlen(repo_id(r)) == 32);
    succeeded(repo_may(r, REPO_WRITE));
    succeeded(repo_may(r, REPO_DELETE));
}

static void read_session(const uint8_t *data, size_t size)
{
    AUTO(Repo) r = NULL;
    SessionInfo *list = NULL;
    size_t count = 0;
    MUST(succeeded(repo_open(store_open_memory(), &(RepoOptions){.create = true}, &r)));
    put_note(repo_store(r), SESSION_NAME, data, size);
    if (!sound(session_list(r, &list, &count)))
        return;
    MUST(count == 1);
    session_state(&list[0]);
    session_info_clear(&list[0]);
    free(list);
}

static void read_names(const uint8_t *data, size_t size)
{
    AUTO(char) name = input_text(data, size);
    char again[NAME_TEXT];
    PackId pack;
    uint32_t frame;
    if (name_parse_pack(name, &pack))
        MUST(strcmp(name_pack(pack, again), name) == 0);
    if (name_parse_damage(name, &pack, &frame))
        MUST(strcmp(name_damage(pack, frame, again), name) == 0);
    AUTO(char) id = catalog_id_of(name, ".manifest");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    AUTO(Doc) d = NULL;
    AUTO_VALUE(BackupInfo) info = {0};
    switch (data[0]) {
    case 'c':
        read_config(data + 1, size - 1);
        break;
    case 's':
        read_session(data + 1, size - 1);
        break;
    case 'n':
        read_names(data + 1, size - 1);
        break;
    case 'r':
        sound(note_decode(data + 1, size - 1, "a note", &d));
        break;
    case 'b':
        if (sound(doc_parse((const char *)data + 1, size - 1, "facts", &d)))
            sound(backup_info_parse(d, &info));
        break;
    }
    return 0;
}
