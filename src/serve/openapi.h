/* The API as an OpenAPI 3.1 document, out of the routes' rows (serve/route.h), the schemas of what
 * they answer and spec/errors.def. Besides what the standard knows, each operation says in "x-role"
 * which role it takes, and in "x-kinds" which kinds of error it may answer besides those that are
 * nobody's fault. */
#ifndef PGSTOW_SERVE_OPENAPI_H
#define PGSTOW_SERVE_OPENAPI_H

#include "base/doc.h"

Doc *openapi_doc(void);
/* docs/generated/openapi.json */
void openapi_gen(Buf *out);

#endif
