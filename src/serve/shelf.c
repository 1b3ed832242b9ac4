#include "serve/shelf.h"

#include <pthread.h>

#include "base/file.h"
#include "op/key_input.h"

struct Shelf {
    const char *repo_dir;
    bool accept_older;
    KeyInput *keys;
    CatalogCache *catalog;
    pthread_mutex_t lock; /* of what follows */
    Glance glance;
    int64_t read_at; /* by clock_mono_ms, also where it failed; 0: never */
    bool reading;
};

Shelf *shelf_new(Config *c)
{
    static const SettingId ids[] = {SETTING_KEY_FILE, SETTING_PASSPHRASE_COMMAND,
                                    SETTING_PASSPHRASE};
    Shelf *s = mem_new(Shelf);
    s->repo_dir = config_str(c, SETTING_REPO);
    s->accept_older = config_bool(c, SETTING_ACCEPT_OLDER);
    s->keys = key_input_chosen(
        c, ids, &(KeyInputs){.passphrase_name = "the passphrase in PGSTOW_PASSPHRASE"});
    s->catalog = catalog_cache_new();
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void glance_clear(Glance *g)
{
    catalog_view_release(g->view);
    *g = (Glance){0};
}

void shelf_free(Shelf *s)
{
    if (!s)
        return;
    glance_clear(&s->glance);
    catalog_cache_free(s->catalog);
    key_input_free(s->keys);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

OpContext shelf_op(const Shelf *s)
{
    return (OpContext){.repo_dir = s->repo_dir,
                       .keys = key_input_source(s->keys),
                       .accept_older = s->accept_older};
}

void shelf_forget_key(Shelf *s)
{
    key_input_forget(s->keys);
}

Error *shelf_look(Shelf *s, CatalogView **out)
{
    OpContext op = shelf_op(s);
    *out = NULL;
    Error *e = op_look(&op, s->catalog, out);
    /* The key file or what the command prints may be another one by now. */
    if (e && error_kind(e) == ERR_KEY && key_input_forget(s->keys)) {
        error_free(e);
        e = op_look(&op, s->catalog, out);
    }
    if (!e || error_kind(e) != ERR_REPO_NOT_FOUND)
        return e;
    error_free(e);
    return NULL;
}

/* -- at a glance ----------------------------------------------------------------------------------
 */

static void read_now(Shelf *s, Glance *g)
{
    Error *e = shelf_look(s, &g->view);
    g->readable = !e;
    g->when = e ? 0 : clock_now();
    error_drop(e);
    if (!file_exists(s->repo_dir))
        return;
    e = file_free_space(s->repo_dir, &g->free_bytes);
    g->has_free = !e;
    error_drop(e);
}

/* Under the lock. */
static bool is_due(const Shelf *s, int64_t max_age_ms)
{
    return !s->reading && (!s->read_at || clock_mono_ms() - s->read_at >= max_age_ms);
}

/* Under the lock: what was read counts; but where that failed, the catalog that was is still the
 * newest known. Takes `fresh` over. */
static void take(Shelf *s, Glance *fresh)
{
    if (!fresh->readable) {
        fresh->view = catalog_view_keep(s->glance.view);
        fresh->when = s->glance.when;
    }
    glance_clear(&s->glance);
    s->glance = *fresh;
    s->read_at = clock_mono_ms();
    s->reading = false;
}

void shelf_glance(Shelf *s, int64_t max_age_ms, Glance *out)
{
    pthread_mutex_lock(&s->lock);
    if (is_due(s, max_age_ms)) {
        Glance fresh = {0};
        s->reading = true;
        pthread_mutex_unlock(&s->lock);
        read_now(s, &fresh);
        pthread_mutex_lock(&s->lock);
        take(s, &fresh);
    }
    *out = s->glance;
    catalog_view_keep(out->view);
    pthread_mutex_unlock(&s->lock);
}
