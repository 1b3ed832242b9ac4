/* What the service says of itself and its API. */
#include "serve/api_internal.h"
#include "serve/openapi.h"
#include "state/state_event.h"

static void reply_well(Ask *a)
{
    Doc *d = doc_object();
    doc_set_str(d, "status", "ok");
    a->reply->status = 200;
    a->reply->body = d;
}

Error *api_healthz(Ask *a)
{
    reply_well(a);
    return NULL;
}

Error *api_readyz(Ask *a)
{
    int64_t newest;
    if (atomic_load(&a->api->service->stopping)) {
        http_refuse(a->reply, 503, "BUSY", "the service is about to stop", NULL);
        return NULL;
    }
    Error *e = state_event_newest(a->api->service->state, &newest);
    if (e) {
        /* What is wrong with it is for those with a token. */
        http_refuse(a->reply, 503, "IO", "the service's state cannot be read", NULL);
        error_drop(e);
        return NULL;
    }
    reply_well(a);
    return NULL;
}

static char *document; /* for as long as the process lives */

static void make_document(void)
{
    AUTO(Doc) d = openapi_doc();
    document = doc_print(d, false);
}

/* Anybody may read it: programs that make clients have no token, and the documentation has it too.
 * So it is made once: strangers could have us make it again and again. */
Error *api_openapi(Ask *a)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_document);
    a->reply->status = 200;
    a->reply->tagged = true;
    a->reply->type = HTTP_JSON;
    a->reply->text = mem_strdup(document);
    return NULL;
}
