/* Runs one fuzz target over files, as libFuzzer does with -runs=0, where there is no libFuzzer: so
 * every build reads the seeds, and each input that once failed. Arguments: folders. */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"

#define INPUT_MAX (64u << 20)

static void replay(const char *path)
{
    AUTO_VALUE(Buf) bytes = {0};
    AUTO_VALUE(Fd) fd = {open(path, O_RDONLY | O_CLOEXEC)};
    MUST(fd.n >= 0);
    for (size_t got = 1; got;) {
        MUST(succeeded(buf_reserve(&bytes, 1 << 16, INPUT_MAX)));
        MUST(succeeded(file_read_some(fd.n, bytes.data + bytes.len, 1 << 16, path, &got)));
        bytes.len += got;
    }
    /* Exactly as large as the input, so that tools see who reads behind its end. */
    uint8_t *input = malloc(bytes.len ? bytes.len : 1);
    MUST(input);
    memcpy(input, bytes.data ? bytes.data : (const uint8_t *)"", bytes.len);
    LLVMFuzzerTestOneInput(input, bytes.len);
    free(input);
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        MUST(folder);
        for (struct dirent *e; (e = readdir(folder));) {
            if (*e->d_name == '.')
                continue;
            AUTO(char) path = file_join(argv[i], e->d_name);
            replay(path);
            count++;
        }
        closedir(folder);
    }
    MUST(count > 0);
    return 0;
}
