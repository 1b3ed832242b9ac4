/* The last answers that cost much to make, by their tags: a tag says all that its answer depends
 * on, so an answer of the same tag is the same. Thread-safe. */
#ifndef PGSTOW_SERVE_ANSWERS_H
#define PGSTOW_SERVE_ANSWERS_H

#include "base/mem.h"

#define ANSWERS_KEPT 4
#define ANSWERS_BYTES (2u << 20) /* of one; longer ones are not kept */
#define ANSWERS_TAG 80           /* room for a tag */

typedef struct Answers Answers;
Answers *answers_new(void);
void answers_free(Answers *a);
DEFINE_AUTO(Answers, answers_free)
/* A copy, which the caller frees; NULL where it is not kept. */
char *answers_find(Answers *a, const char *tag);
void answers_keep(Answers *a, const char *tag, const char *text);

#endif
