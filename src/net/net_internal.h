/* libcurl, driven: one transfer at a time, in the caller's thread. */
#ifndef PGSTOW_NET_NET_INTERNAL_H
#define PGSTOW_NET_NET_INTERNAL_H

#include <curl/curl.h>

#include "flow/cancel.h"
#include "net/net.h"

static inline void net_handle_free(CURL *h)
{
    curl_easy_cleanup(h);
}
DEFINE_AUTO(CURL, net_handle_free)
typedef struct curl_slist CurlList;
DEFINE_AUTO(CurlList, curl_slist_free_all)
DEFINE_AUTO(CURLU, curl_url_cleanup)

/* A handle with what all have in common: these limits, TLS 1.2 or newer and verified (ca_file or
 * NULL: beside the system's), no signals, none of what users configure for the program curl. */
Error *net_handle(const NetLimits *limits, const char *ca_file, CURL **out) MUST_CHECK;
/* Adds a line; "" for those that libcurl should leave away. */
Error *net_list_add(CurlList **list, const char *line) MUST_CHECK;
/* A copy of one part of an address, NULL where it has none. Caller frees. */
char *net_part(CURLU *url, CURLUPart part);
/* The connections of one transfer at a time, kept from one to the next. After a transfer that
 * failed they are of no use any more: free it. */
typedef struct NetLine NetLine;
Error *net_line_new(NetLine **out) MUST_CHECK;
void net_line_free(NetLine *l);
DEFINE_AUTO(NetLine, net_line_free)
/* Runs it until it is done or c is cancelled (then within a fraction of a second). `who` names the
 * other side for messages. *callback is the caller's own error from a callback that ended the
 * transfer, which comes first; it is taken over. */
Error *net_run(NetLine *l, CURL *handle, const char *who, const Cancel *c,
               Error **callback) MUST_CHECK;

/* curl_easy_setopt, whose failures are all of one kind. */
#define NET_SET(handle, option, value)                                                             \
    do {                                                                                           \
        CURLcode set_code_ = curl_easy_setopt((handle), (option), (value));                        \
        if (set_code_ == CURLE_OUT_OF_MEMORY)                                                      \
            FAIL(ERR_MEMORY, "no memory for a request");                                           \
        if (set_code_ != CURLE_OK)                                                                 \
            FAIL(ERR_INTERNAL, "libcurl does not know option %s", #option);                        \
    } while (0)

#endif
