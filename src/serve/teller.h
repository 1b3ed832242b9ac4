/* Tells people what happens (op/notify.h), and has a thread that sends it (op/notify_send.h) and
 * looks once a minute what time alone has brought about. What goes wrong with it is logged, and
 * changes nothing else. */
#ifndef PGSTOW_SERVE_TELLER_H
#define PGSTOW_SERVE_TELLER_H

#include "op/notify.h"
#include "serve/service.h"

typedef struct Teller Teller;
/* `s` is borrowed until teller_free. */
Error *teller_new(Service *s, Teller **out) MUST_CHECK;
void teller_free(Teller *t);
DEFINE_AUTO(Teller, teller_free)
/* These from any thread. */
void teller_job_started(Teller *t, int64_t job);
void teller_job_ended(Teller *t, int64_t job, bool again);
/* Something that time brings about has come: not to be told a minute later only. */
void teller_look(Teller *t);
void teller_missed(Teller *t, const NotifyMissed *missed);

#endif
