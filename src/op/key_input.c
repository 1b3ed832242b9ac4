#include "op/key_input.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "op/secret_input.h"
#include "repo/key_text.h"

struct KeyInput {
    KeyInputs in;
    char *key_file, *command, *passphrase_name;
    KeySource source;
    KeyMemo *memo;
    pthread_mutex_t lock;
    Key key; /* once it was asked for; under the lock */
};

static Error *no_key(const KeyInput *k, KeyUse use, const char *where)
{
    const char *how = k->in.how ? k->in.how
                                : "set PGSTOW_PASSPHRASE, or name a key file (--key-file, "
                                  "PGSTOW_KEY_FILE) or a command that prints the passphrase "
                                  "(--passphrase-command)";
    if (use == KEY_TO_MAKE && !k->in.first_use)
        return error_hint(ERROR_NEW(ERR_KEY,
                                    "there is no new passphrase for the repository %s, "
                                    "and no terminal to ask for one on",
                                    where),
                          "set PGSTOW_NEW_PASSPHRASE, or make a key file with --new-key-file");
    if (use == KEY_TO_MAKE)
        return error_hint(
            ERROR_NEW(ERR_KEY,
                      "the repository %s is to be encrypted, and there is no key to begin with: "
                      "no passphrase, no key file, and no terminal to ask on",
                      where),
            "%s", how);
    return error_hint(
        ERROR_NEW(ERR_KEY, "the repository %s is encrypted, and there is no key at hand", where),
        "%s", how);
}

/* -- a key file ----------------------------------------------------------------------------------
 */

Error *key_file_read(const char *path, Key *out)
{
    AUTO(Secret) text = NULL;
    TRY(secret_read_file(path, &(SecretWords){"the key file", ERR_KEY}, &text));
    TRY_CTX(key_text_read((const char *)secret_look(text), secret_length(text), &out->secret),
            "the key file %s", path);
    out->file = true;
    out->from = mem_printf("the key file %s", path);
    return NULL;
}

static Error *write_new(const char *path, const char *text, size_t n)
{
    AUTO_VALUE(Fd) fd = {open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (fd.n < 0 && errno == EEXIST)
        return error_hint(ERROR_NEW(ERR_EXISTS, "the file %s is there already", path),
                          "a key file is never replaced: choose another name");
    if (fd.n < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot make the key file %s", path);
    Error *e = file_write_all(fd.n, text, n, path);
    if (!e && fsync(fd.n) < 0)
        e = error_errno(ERR_IO, ERR_IO, "cannot write the key file %s", path);
    if (!e)
        e = file_sync_folder_of(path);
    if (e)
        unlink(path);
    return e;
}

Error *key_file_make(const char *path, const char *what, Key *out)
{
    AUTO(Secret) key = secret_random(KEY_BYTES);
    AUTO(char) text = key_text_write(key);
    size_t n = strlen(what) + strlen(text) + 8;
    AUTO(char) whole = mem_zalloc(n); /* one piece: growing would leave copies behind */
    strcpy(whole, "# ");
    strcat(whole, what);
    strcat(whole, "\n");
    strcat(whole, text);
    Error *e = write_new(path, whole, strlen(whole));
    secret_wipe(whole, n);
    secret_wipe(text, strlen(text));
    TRY(e);
    out->file = true;
    out->secret = STEAL(key);
    out->from = mem_printf("the key file %s", path);
    return NULL;
}

/* -- a passphrase --------------------------------------------------------------------------------
 */

static bool has_mark(const Secret *s)
{
    size_t n = strlen(KEY_TEXT_MARK);
    return secret_length(s) >= n && !strncasecmp((const char *)secret_look(s), KEY_TEXT_MARK, n);
}

Error *key_from_text(Secret *secret, const char *from, Key *out)
{
    AUTO(Secret) text = secret;
    if (!secret_length(text))
        return error_hint(ERROR_NEW(ERR_KEY, "%s is empty", from), "give a passphrase");
    if (memchr(secret_look(text), '\0', secret_length(text)))
        FAIL(ERR_KEY, "%s has a NUL in it", from);
    Error *e = key_text_read((const char *)secret_look(text), secret_length(text), &out->secret);
    if (e && has_mark(text))
        return error_context(e, "the key in %s", from);
    out->file = !e;
    if (e)
        out->secret = STEAL(text);
    error_drop(e);
    out->from = mem_strdup(from);
    return NULL;
}

/* -- all of it ------------------------------------------------------------------------------------
 */

static Error *ask(KeyInput *k, KeyUse use, const char *where, Key *out)
{
    AUTO(Secret) text = NULL;
    if (k->key_file) {
        if (use == KEY_TO_MAKE && k->in.first_use && access(k->key_file, F_OK) < 0 &&
            errno == ENOENT) {
            AUTO(char)
            what = mem_printf("pgstow: whoever has this file can read the backups in %s", where);
            TRY(key_file_make(k->key_file, what, out));
            log_warning(
                "made the key file %s: without a copy of it elsewhere a lost disk is a lost "
                "repository (pgstow key export makes a sheet to print)",
                k->key_file);
            return NULL;
        }
        return key_file_read(k->key_file, out);
    }
    if (k->command) {
        TRY(secret_read_command(k->command, &(SecretWords){"the passphrase", ERR_KEY}, k->in.cancel,
                                &text));
        return key_from_text(STEAL(text), "what the passphrase command printed", out);
    }
    if (k->in.passphrase) {
        text = secret_copy(secret_look(k->in.passphrase), secret_length(k->in.passphrase));
        return key_from_text(STEAL(text), k->passphrase_name, out);
    }
    if (k->in.prompt)
        TRY(k->in.prompt(k->in.ctx, use, where, &text));
    if (!text)
        return no_key(k, use, where);
    return key_from_text(STEAL(text), "what was typed", out);
}

static Error *get_locked(KeyInput *k, KeyUse use, const char *where, Key *out)
{
    if (!k->key.secret) {
        TRY(ask(k, use, where, &k->key));
        if (use == KEY_TO_MAKE && k->in.first_use && !k->key.file)
            log_warning(
                "the repository %s is encrypted from its beginning: without the passphrase "
                "nothing in it can be restored. \"pgstow key export -o recovery.pdf\" makes a "
                "sheet to print and to keep elsewhere",
                where);
        if (use == KEY_TO_MAKE && !k->key.file && secret_length(k->key.secret) < PASSPHRASE_SHORT)
            log_warning("the passphrase is short (%zu characters): whoever gets a copy of the "
                        "repository can try out many",
                        secret_length(k->key.secret));
    }
    out->file = k->key.file;
    out->secret = secret_copy(secret_look(k->key.secret), secret_length(k->key.secret));
    out->from = mem_strdup(k->key.from);
    out->memo = k->memo;
    return NULL;
}

static Error *get(void *ctx, KeyUse use, const char *where, Key *out)
{
    KeyInput *k = ctx;
    pthread_mutex_lock(&k->lock);
    Error *e = get_locked(k, use, where, out);
    pthread_mutex_unlock(&k->lock);
    return e;
}

KeyInput *key_input_new(const KeyInputs *inputs)
{
    KeyInput *k = mem_new(KeyInput);
    k->in = *inputs;
    k->key_file = mem_strdup(inputs->key_file);
    k->command = mem_strdup(inputs->command);
    k->passphrase_name =
        mem_strdup(inputs->passphrase_name ? inputs->passphrase_name : "the passphrase");
    k->source = (KeySource){get, k};
    k->memo = key_memo_new();
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

KeyInput *key_input_chosen(Config *c, const SettingId ids[3], const KeyInputs *more)
{
    SettingId chosen = secret_strongest(c, ids, 3);
    KeyInputs in = *more;
    in.key_file = chosen == ids[0] ? config_str(c, ids[0]) : NULL;
    in.command = chosen == ids[1] ? config_str(c, ids[1]) : NULL;
    in.passphrase = chosen == ids[2] ? secret_take(c, ids[2]) : NULL;
    return key_input_new(&in);
}

bool key_input_forget(KeyInput *k)
{
    pthread_mutex_lock(&k->lock);
    bool kept = k->key.secret != NULL;
    key_clear(&k->key);
    pthread_mutex_unlock(&k->lock);
    return kept;
}

void key_input_free(KeyInput *k)
{
    if (!k)
        return;
    secret_free(k->in.passphrase);
    key_clear(&k->key);
    key_memo_free(k->memo);
    pthread_mutex_destroy(&k->lock);
    free(k->key_file);
    free(k->command);
    free(k->passphrase_name);
    free(k);
}

const KeySource *key_input_source(const KeyInput *k)
{
    return &k->source;
}

bool key_input_given(const KeyInput *k)
{
    return k->key_file || k->command || k->in.passphrase;
}
