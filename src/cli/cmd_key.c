/* key: who can open an encrypted repository; and the sheet of paper for the day when all else is
 * gone. */
#include "op/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/keys_from.h"
#include "repo/key_text.h"
#include "sheet/sheet.h"

static char *databases_text(const KeySlotInfo *i)
{
    Buf b = {0};
    for (size_t k = 0; k < i->databases.count; k++)
        buf_printf(&b, "%s%s", k ? ", " : "", i->databases.items[k]);
    if (i->kind != KEY_WRITE_ONLY)
        buf_add_str(&b, "all");
    else if (!i->databases.count)
        buf_add_str(&b, "?");
    return buf_steal_str(&b);
}

static void print_slots(const KeySlotList *l)
{
    static const char *const headings[] = {"ID", "NAME", "KIND", "MADE", "DATABASES", "STATE"};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < l->count; i++) {
        const KeySlotInfo *s = &l->items[i];
        char made[CLOCK_TEXT];
        clock_human(s->created, made);
        made[10] = 0; /* the day */
        table_add(&t, s->id);
        table_add(&t, s->name);
        table_add(&t, key_kind_name(s->kind));
        table_add(&t, made);
        table_own(&t, databases_text(s));
        table_own(&t, mem_printf("%s%s", key_slot_state_name(s->state), s->ours ? ", in use" : ""));
    }
    table_print(&t);
    printf("epoch %u\n", l->epoch);
}

static void show_slots(Run *run, const KeySlotList *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const KeySlotInfo *s = &l->items[i];
        if (s->state != KEY_SLOT_STRANGE && s->state != KEY_SLOT_BEHIND)
            continue;
        AUTO(char)
        text = mem_printf(
            s->state == KEY_SLOT_STRANGE
                ? "key slot %s was changed, or made by somebody without the repository's keys; it "
                  "gets no new keys. \"pgstow key remove %s\" takes it away"
                : "key slot %s does not open what was written last: adding it did not come to its "
                  "end. \"pgstow key remove %s\", and add it anew",
            s->id, s->id);
        output_warning(text);
    }
    if (!run->json) {
        print_slots(l);
        return;
    }
    run_result(run, key_slots_doc(l));
}

static void show_slot(Run *run, const char *what, const KeySlotInfo *i)
{
    if (run->json) {
        run_result(run, key_slot_doc(i));
        return;
    }
    AUTO(char) name = text_printable(i->name);
    printf("%s %s \"%s\" (%s)\n", what, i->id, name, key_kind_name(i->kind));
}

static Error *key_list(Run *run)
{
    AUTO_VALUE(KeySlotList) l = {0};
    TRY(op_key_list(&run->op, &l));
    show_slots(run, &l);
    return NULL;
}

static Error *key_add(Run *run)
{
    AUTO_VALUE(KeySlotInfo) added = {0};
    AUTO(KeyInput) input = keys_new_passphrase(run->config, run->cancel);
    KeyAddOptions o = {.name = config_str(run->config, SETTING_KEY_NAME),
                       .new_key_file = config_str(run->config, SETTING_NEW_KEY_FILE),
                       .databases = config_list(run->config, SETTING_KEY_DATABASE),
                       .write_only = config_bool(run->config, SETTING_WRITE_ONLY),
                       .source = key_input_source(input)};
    TRY(op_key_add(&run->op, &o, &added));
    show_slot(run, "added", &added);
    return NULL;
}

static Error *key_remove(Run *run)
{
    AUTO_VALUE(KeySlotInfo) gone = {0};
    TRY(op_key_remove(&run->op, run_word(run, 1), &gone));
    if (!run->quiet)
        output_warning(
            "whoever had this key may have kept the keys behind it: \"pgstow key rotate\" "
            "keeps later backups from him, not those that are stored");
    show_slot(run, "removed", &gone);
    return NULL;
}

static Error *key_rotate(Run *run)
{
    AUTO_VALUE(KeySlotList) l = {0};
    TRY(op_key_rotate(&run->op, &l));
    show_slots(run, &l);
    return NULL;
}

/* -- the sheet -----------------------------------------------------------------------------------
 */

/* A capital letter, digit or mark of the code's small alphabet; the rest of the text is that
 * anyway. */
static void make_code(const char *text, char *out, size_t room)
{
    size_t n = 0;
    for (; *text && n + 1 < room; text++)
        out[n++] = *text == '\n' ? ' ' : *text;
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

static Error *make_sheet(const RecoveryKey *k, Buf *pdf)
{
    AUTO(char) copy = mem_strdup(k->text);
    char code[128], day[CLOCK_TEXT], *save = NULL;
    const char *lines[8] = {NULL};
    size_t count = 0;
    strtok_r(copy, "\n", &save); /* the mark */
    for (char *l; count < 7 && (l = strtok_r(NULL, "\n", &save));)
        lines[count++] = l;
    make_code(k->text, code, sizeof code);
    clock_human(k->slot.created, day);
    AUTO(char) repository = mem_printf("Repository: %s", k->repo_id);
    AUTO(char) where = mem_printf("It was in: %s", k->where);
    AUTO(char) made = mem_printf("Made: %s, as key %s (\"%s\")", day, k->slot.id, k->slot.name);
    const char *before[] = {
        "This sheet opens an encrypted repository of PostgreSQL backups, made with pgstow.",
        "Whoever has it and the repository can read every backup. Keep it where neither fire nor a",
        "stranger gets at it, and apart from the repository.",
        "",
        repository,
        where,
        made,
        NULL};
    const char *after[] = {
        "To restore on a new machine:",
        "",
        "1. Get the repository (the folder with the files \"config\", \"keys\", \"backups\" and "
        "\"packs\") and install pgstow.",
        "2. Type the four lines above, or what the code says, into a file, and forbid others to "
        "read "
        "it: chmod 600 recovery.key. Capital or small letters, blanks and dashes do not matter; O "
        "is "
        "0, I and L are 1.",
        "3. See what is there:   pgstow list --repo FOLDER --key-file recovery.key",
        "4. Restore:   pgstow restore latest:DATABASE --repo FOLDER --key-file recovery.key --db "
        "URL",
        "5. Give yourself a new passphrase:   pgstow key add --repo FOLDER --key-file recovery.key",
        "",
        "Lost or seen by others? pgstow key remove with the key's name, then pgstow key rotate.",
        NULL};
    Error *e = sheet_pdf(&(Sheet){.title = "pgstow recovery sheet",
                                  .before = before,
                                  .code = code,
                                  .large = lines,
                                  .after = after},
                         pdf);
    secret_wipe(copy, strlen(k->text));
    secret_wipe(code, sizeof code);
    return e;
}

/* New, for the owner alone. */
static Error *write_private(const char *path, const Buf *b)
{
    AUTO_VALUE(Fd) fd = {open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (fd.n < 0 && errno == EEXIST)
        return error_hint(ERROR_NEW(ERR_EXISTS, "the file %s is there already", path),
                          "choose another name: a sheet is never replaced");
    if (fd.n < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot make %s", path);
    Error *e = file_write_all(fd.n, b->data, b->len, path);
    if (!e && fsync(fd.n) < 0)
        e = error_errno(ERR_IO, ERR_IO, "cannot write %s", path);
    if (e)
        unlink(path);
    return e;
}

static Error *keep_sheet(void *ctx, const RecoveryKey *k)
{
    const char *path = ctx;
    AUTO_VALUE(Buf) pdf = {0};
    TRY(make_sheet(k, &pdf));
    Error *e = strcmp(path, "-") != 0
                   ? write_private(path, &pdf)
                   : file_write_all(STDOUT_FILENO, pdf.data, pdf.len, "standard output");
    secret_wipe(pdf.data, pdf.len);
    return e;
}

static Error *key_export(Run *run)
{
    AUTO_VALUE(RecoveryKey) key = {0};
    const char *path = config_str(run->config, SETTING_OUTPUT);
    if (!path)
        return error_hint(ERROR_NEW(ERR_USAGE, "where is the recovery sheet to go?"),
                          "pgstow key export -o recovery.pdf, or -o - into a pipe to the printer");
    if (!strcmp(path, "-") && isatty(STDOUT_FILENO))
        FAIL(ERR_USAGE, "a recovery sheet is not shown on a terminal: give -o FILE, or a pipe");
    if (!strcmp(path, "-") && run->json)
        FAIL(ERR_USAGE, "the sheet and --json cannot both go to standard output");
    if (text_ends(path, ".png") || text_ends(path, ".txt") || text_ends(path, ".svg"))
        return error_hint(
            ERROR_NEW(ERR_USAGE, "the recovery sheet is a PDF, which %s does not say", path),
            "pgstow key export -o recovery.pdf");
    TRY(op_key_export(&run->op, config_str(run->config, SETTING_KEY_NAME), keep_sheet,
                      (void *)(uintptr_t)path, &key));
    if (!strcmp(path, "-"))
        return NULL;
    show_slot(run, "added", &key.slot);
    if (!run->quiet && !run->json)
        printf("print %s, try it, and delete the file: whoever has it can read every backup\n",
               path);
    return NULL;
}

/* What only one verb takes is refused with the others, as a flag of another command is. */
static Error *check_flags(const Run *run, const char *verb)
{
    static const struct {
        SettingId id;
        const char *verb;
    } owners[] = {{SETTING_NEW_KEY_FILE, "add"},
                  {SETTING_WRITE_ONLY, "add"},
                  {SETTING_KEY_DATABASE, "add"},
                  {SETTING_OUTPUT, "export"}};
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
        if (config_source(run->config, owners[i].id) == CONFIG_FLAG &&
            strcmp(owners[i].verb, verb) != 0)
            FAIL(ERR_USAGE, "--%s belongs to key %s", setting_info(owners[i].id)->flag,
                 owners[i].verb);
    return NULL;
}

Error *cmd_KEY(Run *run)
{
    static const char *const names[] = {"list", "add", "remove", "rotate", "export"};
    static Error *(*const verbs[])(Run *) = {key_list, key_add, key_remove, key_rotate, key_export};
    const char *verb = run_word(run, 0);
    size_t which = 0;
    while (which < 5 && strcmp(verb, names[which]) != 0)
        which++;
    if (which == 5) {
        AUTO(char) shown = text_printable(verb);
        const char *near = text_nearest(verb, names, 5);
        Error *e = ERROR_NEW(ERR_USAGE, "key does not know \"%s\"", shown);
        return near ? error_hint(e, "did you mean %s?", near)
                    : error_hint(e, "there are list, add, remove, rotate and export");
    }
    if ((which == 2) != (run->args->word_count == 2))
        return error_hint(which == 2 ? ERROR_NEW(ERR_USAGE, "which key is to be removed?")
                                     : ERROR_NEW(ERR_USAGE, "key %s takes no argument", verb),
                          "pgstow key --help explains it");
    TRY(check_flags(run, verb));
    return verbs[which](run);
}
