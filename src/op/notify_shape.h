/* What each channel is sent of a notification (op/notify_note.h): texts for people, JSON for
 * programs. Nothing is sent here. Callers free what they get. */
#ifndef PGSTOW_OP_NOTIFY_SHAPE_H
#define PGSTOW_OP_NOTIFY_SHAPE_H

#include "op/notify_note.h"
#include "op/notify_to.h"

/* "[pgstow] backup of shop failed: ...", one line. */
char *shape_subject(const Doc *note);
/* All of it in lines for people. */
char *shape_text(const Doc *note);
/* The body of a request; not of e-mail. `place` is Telegram's chat or ntfy's topic, else unused. */
char *shape_body(Channel channel, const Doc *note, const char *place);

/* What shows a receiver that it comes from us, and when it did: "sha256=" and the HMAC-SHA-256 in
 * hex of "<timestamp>.<body>" by the secret. */
#define SHAPE_SIGNATURE (7 + 64 + 1)
void shape_sign(const Secret *secret, const char *timestamp, const char *body,
                char out[SHAPE_SIGNATURE]);
/* The address that is pinged: with /start, /fail or /log behind its path, as the event says. */
char *shape_ping_url(const char *url, const char *event);
/* ntfy takes JSON at its root: the address without its last part, which is the topic. False where
 * it has none. */
bool shape_ntfy(const char *url, char **root, char **topic);

#endif
