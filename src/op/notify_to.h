/* Who is told, and how: of each entry of the settings its channels and what it wants to hear. Made
 * when the settings are read; it never changes afterwards, so that threads may share it. */
#ifndef PGSTOW_OP_NOTIFY_TO_H
#define PGSTOW_OP_NOTIFY_TO_H

#include "base/cron.h"
#include "net/mail.h"
#include "op/secret_input.h"

typedef enum Channel {
    CHANNEL_EMAIL,
    CHANNEL_WEBHOOK,
    CHANNEL_SLACK,
    CHANNEL_DISCORD,
    CHANNEL_TELEGRAM,
    CHANNEL_NTFY,
    CHANNEL_PING, /* is called at each backup's start and end, and told nothing else */
    CHANNELS
} Channel;
const char *channel_name(Channel channel);
bool channel_of(const char *name, Channel *out);

/* Of one entry. */
typedef struct NotifyTarget {
    char *entry;  /* "": of settings without databases */
    char *repo;   /* the repository's folder */
    char *server; /* host:port of --db, as far as it names them; "" otherwise */
    bool on_failure, on_success;
    bool all;         /* it is of all databases of its server */
    int64_t stale_ms; /* 0: by the schedule */
    Cron *schedule;   /* NULL: none, or it is not enabled */
    Zone *zone;
    uint64_t min_free; /* bytes */
    bool on[CHANNELS];
    char *ca_file;
    char *host, *user, *from; /* of mails */
    int port;
    MailTls tls;
    StrList to;
    char *chat, *chat_server;      /* Telegram's */
    SecretInput address[CHANNELS]; /* not of e-mail and Telegram */
    SecretInput secret[CHANNELS];  /* password, key that signs, token */
} NotifyTarget;

typedef struct Notifier Notifier;
Notifier *notifier_new(void);
void notifier_free(Notifier *n);
DEFINE_AUTO(Notifier, notifier_free)
/* Adds what the settings c say; `entry` is the one that they were read for, or "". It takes the
 * secrets of the environment out of c. ERR_CONFIG where a channel is named in part only. */
Error *notifier_add(Notifier *n, const char *entry, Config *c) MUST_CHECK;
size_t notifier_count(const Notifier *n);
const NotifyTarget *notifier_at(const Notifier *n, size_t i);
/* The entry's, else the first; NULL where there is none. Borrowed. */
const NotifyTarget *notifier_find(const Notifier *n, const char *entry);

#endif
