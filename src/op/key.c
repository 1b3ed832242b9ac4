#include "op/key.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "repo/key_text.h"

Error *op_key_list(const OpContext *c, KeySlotList *out)
{
    AUTO(Repo) repo = NULL;
    TRY(op_open_repo(c, false, &repo));
    return keys_list(repo, out);
}

/* A name that nobody has: as given, or the kind with a number. */
static Error *choose_name(Repo *r, const char *given, const char *kind, char **out)
{
    AUTO_VALUE(KeySlotList) l = {0};
    if (given) {
        *out = mem_strdup(given);
        return NULL;
    }
    TRY(keys_list(r, &l));
    for (size_t n = 1; !*out; n++) {
        AUTO(char) name = n == 1 ? mem_strdup(kind) : mem_printf("%s %zu", kind, n);
        size_t i = 0;
        while (i < l.count && strcmp(l.items[i].name, name) != 0)
            i++;
        if (i == l.count)
            *out = STEAL(name);
    }
    return NULL;
}

static Error *make_key(const KeyAddOptions *o, Repo *r, Key *out)
{
    if (!o->new_key_file)
        return o->source->get(o->source->ctx, KEY_TO_MAKE, repo_where(r), out);
    AUTO_VALUE(Buf) what = {0};
    if (o->write_only)
        buf_add_str(&what, "pgstow: with this file backups can be written, and not read, of");
    else
        buf_add_str(&what, "pgstow: whoever has this file can read all backups");
    for (size_t i = 0; o->write_only && i < o->databases->count; i++) {
        AUTO(char) shown = text_printable(o->databases->items[i]);
        buf_printf(&what, "%s %s", i ? "," : "", shown);
    }
    buf_printf(&what, " of the repository %s", repo_id(r));
    AUTO(char) text = buf_steal_str(&what);
    return key_file_make(o->new_key_file, text, out);
}

Error *op_key_add(const OpContext *c, const KeyAddOptions *o, KeySlotInfo *out)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) name = NULL;
    AUTO_VALUE(Key) key = {0};
    if (o->write_only && (!o->new_key_file || !o->databases->count))
        return error_hint(
            ERROR_NEW(ERR_USAGE, "a write-only key is a file, for databases that are named"),
            "pgstow key add --write-only --database shop --new-key-file /etc/pgstow/key");
    if (!o->write_only && o->databases->count)
        FAIL(ERR_USAGE, "--database belongs to --write-only");
    KeyKind kind = o->write_only ? KEY_WRITE_ONLY : o->new_key_file ? KEY_FILE : KEY_PASSPHRASE;
    TRY(op_open_repo(c, false, &repo));
    TRY(choose_name(repo, o->name, key_kind_name(kind), &name));
    TRY(make_key(o, repo, &key));
    if (!o->new_key_file && key.file)
        FAIL(ERR_USAGE, "%s is the text of a key file, not a new passphrase", key.from);
    Error *e = keys_add(repo, kind, name, o->write_only ? o->databases : NULL, &key, out);
    if (e && o->new_key_file)
        unlink(o->new_key_file); /* it opens nothing */
    return e;
}

Error *op_key_remove(const OpContext *c, const char *which, KeySlotInfo *out)
{
    AUTO(Repo) repo = NULL;
    TRY(op_open_repo(c, false, &repo));
    return keys_remove(repo, which, out);
}

Error *op_key_rotate(const OpContext *c, KeySlotList *out)
{
    AUTO(Repo) repo = NULL;
    TRY(op_open_repo(c, false, &repo));
    return keys_rotate(repo, out);
}

void recovery_key_clear(RecoveryKey *k)
{
    if (k->text)
        secret_wipe(k->text, strlen(k->text));
    free(k->text);
    free(k->where);
    key_slot_info_clear(&k->slot);
    *k = (RecoveryKey){0};
}

/* Who reads the sheet sits at another machine: a relative path would tell nothing. */
static char *place_of(const Repo *r)
{
    char host[256] = "";
    AUTO(char) path = realpath(repo_where(r), NULL);
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    return mem_printf("%s%s%s", path ? path : repo_where(r), *host ? " on " : "", host);
}

Error *op_key_export(const OpContext *c, const char *name,
                     Error *(*keep)(void *ctx, const RecoveryKey *k), void *ctx, RecoveryKey *out)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) called = NULL;
    AUTO_VALUE(Key) key = {.file = true};
    TRY(op_open_repo(c, false, &repo));
    TRY(choose_name(repo, name, key_kind_name(KEY_RECOVERY), &called));
    key.secret = secret_random(KEY_BYTES);
    key.from = mem_strdup("the recovery key");
    TRY(keys_add(repo, KEY_RECOVERY, called, NULL, &key, &out->slot));
    snprintf(out->repo_id, sizeof out->repo_id, "%s", repo_id(repo));
    out->where = place_of(repo);
    out->text = key_text_write(key.secret);
    Error *e = keep(ctx, out);
    if (!e)
        return NULL;
    AUTO_VALUE(KeySlotInfo) gone = {0};
    error_drop(keys_remove(repo, out->slot.id, &gone));
    return e;
}
