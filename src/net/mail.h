/* One mail, handed to one SMTP server. Success means that the server took it over for all whom it
 * is for; whether it arrives is the server's matter. */
#ifndef PGSTOW_NET_MAIL_H
#define PGSTOW_NET_MAIL_H

#include "base/text.h"
#include "crypto/secret.h"
#include "flow/cancel.h"
#include "net/net.h"

typedef enum MailTls {
    MAIL_PLAIN,    /* nothing is encrypted: for this machine's own server; no login then */
    MAIL_STARTTLS, /* begins plain; ends before anything is told where the server has no TLS */
    MAIL_TLS       /* from the first byte */
} MailTls;

typedef struct MailServer {
    const char *host;
    int port; /* 0: 25, 587 and 465 in this order */
    MailTls tls;
    const char *user;       /* NULL: no login */
    const Secret *password; /* with it */
    const char *ca_file;    /* certificates of authorities beside the system's; NULL: none */
    NetLimits limits;
} MailServer;

#define MAIL_TO_MAX 100
#define MAIL_SUBJECT_MAX 500
#define MAIL_TEXT_MAX (4u << 20)

/* All in UTF-8; what is none is replaced by U+FFFD. Addresses are bare: dba@example.com. A line
 * break or another control character anywhere but in the text is ERR_CONFIG, more than the sizes
 * above ERR_LIMIT. */
typedef struct Mail {
    const char *from;
    StrList to;
    const char *subject, *text;
} Mail;

/* Errors as in net.h; a login that is refused, and a sender or somebody whom the server does not
 * take, are ERR_REFUSED, or ERR_NETWORK where the server says that it is so for now only. */
Error *mail_send(const MailServer *s, const Mail *m, const Cancel *c) MUST_CHECK;

#endif
