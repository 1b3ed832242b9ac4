/* A request's target, "/a/b%20c?name=value", taken apart: every byte of it comes from strangers. */
#ifndef PGSTOW_SERVE_HTTP_TARGET_H
#define PGSTOW_SERVE_HTTP_TARGET_H

#include "base/text.h"

/* UTF-8 without control characters, of which there are some beyond ASCII too: what names and values
 * that strangers give may be. */
bool http_is_plain(const char *s, size_t n);

/* Adds to the lists: see HttpCall. False where it is none: no path, a "%" without two hex digits,
 * what is decoded no UTF-8 or with control characters, segments that are empty or dots. */
bool http_target_parse(const char *target, StrList *segments, StrList *names, StrList *values);

#endif
