/* Local files: whole reads and writes, folders, paths. For what lies in a repository use store/. */
#ifndef PGSTOW_BASE_FILE_H
#define PGSTOW_BASE_FILE_H

#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"

/* A file descriptor that closes itself: AUTO_VALUE(Fd) fd = {-1}; */
typedef struct Fd {
    int n;
} Fd;
void fd_close(Fd *fd);
DEFINE_AUTO_VALUE(Fd, fd_close)

/* All n bytes, going on after EINTR and short writes. `name` is for the message. Broken pipes are
 * ERR_IO. */
Error *file_write_all(int fd, const void *p, size_t n, const char *name) MUST_CHECK;
/* Up to n bytes (fewer only at the end). */
Error *file_read_some(int fd, void *p, size_t n, const char *name, size_t *got) MUST_CHECK;
/* The whole file, at most max bytes (ERR_LIMIT). A missing file is ERR_NOT_FOUND. A NUL follows the
 * bytes, not counted in len. */
Error *file_read(const char *path, size_t max, Buf *out) MUST_CHECK;
/* Creates or replaces atomically: a temporary file beside it, fsync, rename, fsync of the folder.
 */
Error *file_write_atomic(const char *path, const void *p, size_t n, mode_t mode) MUST_CHECK;
/* Whether that would work, as far as can be told: a file is made beside it and taken away again.
 * What is there and no regular file (a folder, a device) would not be replaced: ERR_IO. */
Error *file_try_atomic(const char *path) MUST_CHECK;
/* Makes durable what was made, renamed or removed in a folder; and in the one that holds `path`. */
Error *file_sync_folder(const char *path) MUST_CHECK;
Error *file_sync_folder_of(const char *path) MUST_CHECK;
/* Also its parents; one that exists is fine. */
Error *file_make_dir(const char *path, mode_t mode) MUST_CHECK;
bool file_exists(const char *path); /* by opening it, not by stat */
bool file_is_executable(const char *path);
/* As realpath says, also of what is to be made: as far as it is there links are resolved. NULL
 * where that cannot be told. Caller frees. */
char *file_real_path(const char *path);
char *file_join(const char *dir, const char *name); /* caller frees */
/* An open, already unlinked file in TMPDIR (or /tmp), mode 0600: nothing of it stays after a crash.
 */
Error *file_temp(Fd *out) MUST_CHECK;
/* Appends; a full folder is ERR_IO here, since it is not the repository's. */
Error *file_temp_write(int fd, const void *p, size_t n) MUST_CHECK;
/* The same with these bytes in it, at its beginning. */
Error *file_temp_with(const Buf *b, Fd *out) MUST_CHECK;
/* A new, empty folder in TMPDIR (or /tmp), mode 0700. Caller frees the path. */
Error *file_temp_dir(char **path) MUST_CHECK;
/* A folder with all that is in it; links are removed, not followed. */
Error *file_remove_tree(const char *path) MUST_CHECK;
Error *file_free_space(const char *path,
                       uint64_t *bytes) MUST_CHECK; /* for this user, on its file system */

#endif
