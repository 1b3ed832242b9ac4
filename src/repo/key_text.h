/* A key as text, to be kept in a file, printed, and typed in again: four lines of four groups of
 * four characters. The alphabet is Crockford's base 32 (no I, L, O, U; these are understood, and so
 * are small letters); every eighth character checks the seven before it, so that a slip of the hand
 * is found and named. Behind the version (1) and the 32 bytes of the key stand two bytes of
 * SHA-256.
 */
#ifndef PGSTOW_REPO_KEY_TEXT_H
#define PGSTOW_REPO_KEY_TEXT_H

#include "crypto/secret.h"

#define KEY_TEXT_MARK "PGSTOW-KEY"
/* The four lines, the mark in front of them; caller wipes and frees. */
char *key_text_write(const Secret *key);
/* From a key file (lines that begin with '#' are passed over), or typed in: blanks and dashes don't
 * count, the mark may be missing. ERR_KEY, saying where it is wrong. */
Error *key_text_read(const char *text, size_t n, Secret **key) MUST_CHECK;

#endif
