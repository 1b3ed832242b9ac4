/* A mail as it is sent (RFC 5322, with MIME's encoded words and quoted-printable): only ASCII, and
 * no line longer than 78 characters but for an address. */
#ifndef PGSTOW_NET_MAIL_TEXT_H
#define PGSTOW_NET_MAIL_TEXT_H

#include "base/buf.h"
#include "base/clock.h"
#include "net/mail.h"

/* `unique` is what makes the Message-ID one of its own: letters and digits. Checks all that
 * mail.h says of a Mail. */
Error *mail_text(const Mail *m, Instant date, const char *unique, Buf *out) MUST_CHECK;

#endif
