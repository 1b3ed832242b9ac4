/* What a sync is asked to do, as JSON: kept with the session, and sent to the other side. */
#include <string.h>

#include "op/sync.h"
#include "pg/filter_spec.h"

static const char *const directions[] = {"pull", "push"};
static const char *const methods[] = {"auto", "backup", "http"};
static const char *const modes[] = {"upsert", "mirror", "insert"};
static const char *const takens[] = {"fail", "replace", "skip"};
static const char *const keylesses[] = {"fail", "replace", "skip"};

const char *sync_method_name(SyncMethod m)
{
    return methods[m];
}

void sync_options_clear(SyncOptions *o)
{
    free(o->peer);
    free(o->session);
    free(o->entry);
    free(o->peer_entry);
    free(o->on_conflict);
    strlist_free(&o->where);
    strlist_free(&o->exclude_tables);
    strlist_free(&o->masks);
    strlist_free(&o->keys);
    *o = (SyncOptions){0};
}

Doc *sync_options_doc(const SyncOptions *o)
{
    Doc *d = doc_object();
    doc_set_str(d, "direction", state_session_direction_name(o->direction));
    doc_set_str(d, "peer", o->peer);
    doc_set_str(d, "entry", o->entry);
    doc_set_str(d, "peerEntry", o->peer_entry);
    doc_set_str(d, "method", methods[o->method]);
    doc_set_bool(d, "dryRun", o->dry_run);
    doc_set_bool(d, "test", o->test);
    doc_set(d, "where", doc_texts(&o->where));
    doc_set(d, "excludeTables", doc_texts(&o->exclude_tables));
    doc_set(d, "masks", doc_texts(&o->masks));
    doc_set_bool(d, "cascade", o->cascade);
    doc_set_bool(d, "compress", o->compress);
    doc_set_int(d, "maxRate", (int64_t)o->max_rate);
    doc_set_str(d, "merge", modes[o->mode]);
    doc_set_str(d, "onConflict", o->on_conflict ? o->on_conflict : "source");
    doc_set_str(d, "onUniqueConflict", takens[o->taken]);
    doc_set_str(d, "keyless", keylesses[o->keyless]);
    doc_set(d, "keys", doc_texts(&o->keys));
    doc_set_bool(d, "delta", o->delta);
    doc_set_bool(d, "ignoreExtraColumns", o->ignore_extra);
    doc_set_bool(d, "maskedToo", o->masked_too);
    doc_set_bool(d, "safetyBackup", o->safety_backup);
    doc_set_bool(d, "verify", o->verify);
    doc_set_int(d, "lockWaitMs", o->lock_wait_ms);
    doc_set_int(d, "timeoutMs", o->timeout_ms);
    return d;
}

/* -- reading ----------------------------------------------------------------------------------- */

static Error *read_word(const Doc *d, const char *name, const char *const *words, size_t count,
                        size_t fallback, size_t *out)
{
    const char *text = doc_str(d, name, words[fallback]);
    for (*out = 0; *out < count; ++*out)
        if (!strcmp(words[*out], text))
            return NULL;
    AUTO(char) shown = text_printable(text);
    FAIL(ERR_USAGE, "%s cannot be \"%s\"", name, shown);
}

static Error *read_texts(const Doc *d, const char *name, StrList *out)
{
    const Doc *list = doc_get(d, name);
    if (list && doc_type(list) != DOC_ARRAY && doc_type(list) != DOC_NULL)
        FAIL(ERR_USAGE, "%s is no list of texts", name);
    for (size_t i = 0; i < doc_count(list); i++) {
        const char *text = doc_text(doc_at(list, i));
        if (!text)
            FAIL(ERR_USAGE, "%s is no list of texts", name);
        strlist_add(out, text);
    }
    return NULL;
}

static char *read_name(const Doc *d, const char *name)
{
    const char *text = doc_str(d, name, NULL);
    return text && *text ? mem_strdup(text) : NULL;
}

static Error *read_number(const Doc *d, const char *name, int64_t *out)
{
    *out = doc_int(d, name, 0);
    if (*out < 0)
        FAIL(ERR_USAGE, "%s cannot be less than 0", name);
    return NULL;
}

#define WORD(name, words, fallback, type, member)                                                  \
    do {                                                                                           \
        TRY(read_word(d, name, words, sizeof words / sizeof *words, fallback, &at));               \
        o.member = (type)at;                                                                       \
    } while (0)

Error *sync_options_read(const Doc *d, SyncOptions *out)
{
    AUTO_VALUE(SyncOptions) o = {0};
    MergeRules rules = {0};
    int64_t rate;
    size_t at;
    WORD("direction", directions, SYNC_PULL, SyncDirection, direction);
    WORD("method", methods, SYNC_METHOD_AUTO, SyncMethod, method);
    WORD("merge", modes, MERGE_UPSERT, MergeMode, mode);
    WORD("onUniqueConflict", takens, MERGE_TAKEN_FAIL, MergeTaken, taken);
    WORD("keyless", keylesses, MERGE_KEYLESS_FAIL, MergeKeyless, keyless);
    TRY(read_texts(d, "where", &o.where));
    TRY(read_texts(d, "excludeTables", &o.exclude_tables));
    TRY(read_texts(d, "masks", &o.masks));
    TRY(read_texts(d, "keys", &o.keys));
    TRY(read_number(d, "maxRate", &rate));
    TRY(read_number(d, "lockWaitMs", &o.lock_wait_ms));
    TRY(read_number(d, "timeoutMs", &o.timeout_ms));
    o.max_rate = (uint64_t)rate;
    o.peer = read_name(d, "peer");
    o.entry = read_name(d, "entry");
    o.peer_entry = read_name(d, "peerEntry");
    o.on_conflict = read_name(d, "onConflict");
    if (o.on_conflict)
        TRY(merge_parse_conflict(o.on_conflict, &rules));
    o.dry_run = doc_bool(d, "dryRun", false);
    o.test = doc_bool(d, "test", false);
    o.cascade = doc_bool(d, "cascade", false);
    o.compress = doc_bool(d, "compress", true);
    o.delta = doc_bool(d, "delta", false);
    o.ignore_extra = doc_bool(d, "ignoreExtraColumns", false);
    o.masked_too = doc_bool(d, "maskedToo", false);
    o.safety_backup = doc_bool(d, "safetyBackup", true);
    o.verify = doc_bool(d, "verify", true);
    *out = o;
    o = (SyncOptions){0};
    return NULL;
}

/* -- on what terms -----------------------------------------------------------------------------
 */

SyncTerms sync_terms(const Config *c)
{
    return (SyncTerms){.exclude = config_list(c, SETTING_SYNC_EXCLUDE),
                       .no_definitions = !config_bool(c, SETTING_SYNC_DEFINITIONS),
                       .no_peer_filters = !config_bool(c, SETTING_SYNC_PEER_FILTERS)};
}

Error *sync_check_filters(const SyncTerms *terms, const SyncOptions *o)
{
    if (!terms->no_peer_filters || o->direction != SYNC_PULL || !(o->where.count || o->masks.count))
        return NULL;
    return error_hint(ERROR_NEW(ERR_PREFLIGHT, "the source's settings (sync.peerFilters) let no "
                                               "peer bring conditions and masks"),
                      "without --where and --mask; or push from there, with them");
}

/* -- what is never sent ------------------------------------------------------------------------ */

/* Each "NAME: TABLE: CONDITION" as a condition of a backup, and as a sentence (names may be NULL).
 */
static Error *exclude_add(const StrList *excludes, StrList *where, StrList *names)
{
    for (size_t i = 0; i < excludes->count; i++) {
        const char *text = excludes->items[i], *rest = strchr(text, ':');
        AUTO_VALUE(FilterSpec) spec = {0};
        if (!rest)
            FAIL(ERR_CONFIG, "sync.exclude: \"%s\" has no name", text);
        AUTO(char) name = mem_strndup(text, (size_t)(rest - text));
        rest += 1 + strspn(rest + 1, " ");
        AUTO(char) option = mem_printf("sync.exclude %s", name);
        Error *e = filter_spec_parse(option, rest, 1, 2, &spec);
        if (e)
            return error_rekind(e, ERR_CONFIG);
        AUTO(char) table = mem_strndup(rest, (size_t)(strlen(rest) - strlen(spec.text)));
        /* A row of which the condition says nothing (NULL) is not meant by it. */
        strlist_own(where, mem_printf("%s ((%s\n) IS NOT TRUE)", table, spec.text));
        if (names)
            strlist_own(names, mem_printf("%s: %s", name, rest));
    }
    return NULL;
}

Error *sync_filters(const StrList *exclude, const SyncOptions *o, BackupOptions *out,
                    StrList *left_out)
{
    strlist_copy(&out->where, &o->where);
    strlist_copy(&out->exclude_tables, &o->exclude_tables);
    strlist_copy(&out->masks, &o->masks);
    out->cascade = o->cascade;
    for (size_t i = 0; left_out && i < o->where.count; i++)
        strlist_own(left_out, mem_printf("all but %s", o->where.items[i]));
    for (size_t i = 0; left_out && i < o->exclude_tables.count; i++)
        strlist_own(left_out, mem_printf("table %s", o->exclude_tables.items[i]));
    for (size_t i = 0; left_out && i < o->masks.count; i++)
        strlist_own(left_out, mem_printf("masked %s", o->masks.items[i]));
    return exclude ? exclude_add(exclude, &out->where, left_out) : NULL;
}
