/* notify test: whether those who are to be told can be. */
#include "op/notify_send.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"

typedef struct Work {
    Notifier *notifier;
    const NotifyTarget *target;
    bool chosen[CHANNELS];
    Error *failed[CHANNELS];
    size_t tried, bad;
} Work;
static void work_clear(Work *w)
{
    notifier_free(w->notifier);
    for (unsigned i = 0; i < CHANNELS; i++)
        error_drop(w->failed[i]);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *choose(const Run *run, Work *w)
{
    const char *name = run_word(run, 1);
    Channel only;
    if (!name) {
        for (unsigned i = 0; i < CHANNELS; i++)
            w->tried += w->chosen[i] = w->target->on[i];
        if (w->tried)
            return NULL;
        return error_hint(ERROR_NEW(ERR_CONFIG, "nobody would be told of anything"),
                          "set backup.notificationEmail, or a channel under notify: in the file");
    }
    if (!channel_of(name, &only)) {
        AUTO(char) shown = text_printable(name);
        return error_hint(ERROR_NEW(ERR_USAGE, "there is no channel \"%s\"", shown),
                          "there are email, webhook, slack, discord, telegram, ntfy and ping");
    }
    if (!w->target->on[only])
        return error_hint(ERROR_NEW(ERR_CONFIG, "the channel %s is not set up", name),
                          "its settings are under notify: in the file");
    w->chosen[only] = true;
    w->tried = 1;
    return NULL;
}

static Error *send_all(Run *run, void *arg)
{
    Work *w = arg;
    NoteFacts f = {.event = NOTIFY_TEST,
                   .entry = w->target->entry,
                   .server = w->target->server,
                   .now = clock_now()};
    AUTO(Doc) note = notify_note(&f);
    for (unsigned i = 0; i < CHANNELS; i++) {
        TRY(cancel_check(run->cancel));
        if (!w->chosen[i])
            continue;
        w->failed[i] = notify_send(w->target, (Channel)i, note, 0, clock_now(), run->cancel);
        w->bad += w->failed[i] != NULL;
    }
    return NULL;
}

static void show(Run *run, const Work *w)
{
    static const char *const headings[] = {"CHANNEL", "RESULT"};
    AUTO_VALUE(Table) t = {0};
    Doc *all = doc_array();
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (unsigned i = 0; i < CHANNELS; i++) {
        if (!w->chosen[i])
            continue;
        const Error *e = w->failed[i];
        const char *hint = e ? error_hint_text(e) : NULL;
        Doc *one = doc_object();
        doc_set_str(one, "channel", channel_name((Channel)i));
        doc_set_bool(one, "sent", !e);
        if (e)
            doc_set(one, "error", doc_error(e));
        doc_push(all, one);
        table_add(&t, channel_name((Channel)i));
        if (!e)
            table_add(&t, "sent");
        else
            table_own(&t, mem_printf("failed: %s%s%s%s", error_message(e), hint ? " (" : "",
                                     hint ? hint : "", hint ? ")" : ""));
    }
    if (run->json) {
        Doc *d = doc_object();
        doc_set(d, "channels", all);
        run_result(run, d);
        return;
    }
    doc_free(all);
    if (!run->quiet || w->bad)
        table_print(&t);
}

/* One failure is the command's own. */
static Error *verdict(Work *w)
{
    if (w->bad > 1 || (w->bad && w->tried > 1))
        FAIL(ERR_PARTIAL, "%zu of %zu channels did not take the test", w->bad, w->tried);
    for (unsigned i = 0; i < CHANNELS; i++)
        if (w->failed[i])
            return STEAL(w->failed[i]);
    return NULL;
}

Error *cmd_NOTIFY(Run *run)
{
    AUTO_VALUE(Work) w = {.notifier = notifier_new()};
    const char *entry = config_str(run->config, SETTING_ENTRY);
    if (strcmp(run_word(run, 0), "test") != 0)
        return error_hint(ERROR_NEW(ERR_USAGE, "notify knows only \"test\""), "pgstow notify test");
    TRY(notifier_add(w.notifier, entry ? entry : "", run->config));
    w.target = notifier_at(w.notifier, 0);
    TRY(choose(run, &w));
    TRY(run_with_progress(run, send_all, &w));
    show(run, &w);
    return verdict(&w);
}
