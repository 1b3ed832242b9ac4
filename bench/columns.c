/* What the columns save and cost: files of COPY text, cut into frames as a backup does, encoded by
 * codec.h and by zstd alone (each encoding with its proof: decoded and compared), in turn; medians
 * of processor time.
 *
 *     columns [-l LEVEL] [-n RUNS] [-m MEGABYTES] [-o columns|zstd] FILE...
 *
 * -m: no more of each file; -o: only one of the two, once, for a profiler. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "codec/codec.h"

#define FRAME ((size_t)256 << 10)
#define RUNS_MAX 99

typedef struct Frame {
    size_t at, n;
} Frame;

typedef struct Input {
    uint8_t *bytes;
    size_t n;
    Frame *frames;
    size_t count;
} Input;

typedef struct Packed {
    Buf bytes;
    CodecId used;
} Packed;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "columns: %s\n", what);
    exit(1);
}

static void ok(Error *e)
{
    must(!e, e ? error_message(e) : "");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static Input input_read(const char *path, size_t max)
{
    Input in = {.bytes = malloc(max ? max : 1)};
    size_t cap = 0, got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && in.bytes, path);
    for (; got && in.n < max; in.n += got) {
        ssize_t n = read(fd, in.bytes + in.n, max - in.n);
        must(n >= 0, path);
        got = (size_t)n;
    }
    close(fd);
    for (size_t at = 0, n; at < in.n; at += n) {
        n = in.n - at;
        const uint8_t *end = n > FRAME ? memchr(in.bytes + at + FRAME, '\n', n - FRAME) : NULL;
        if (end)
            n = (size_t)(end - in.bytes) + 1 - at;
        mem_grow(in.frames, in.count, cap);
        in.frames[in.count++] = (Frame){at, n};
    }
    return in;
}

/* What codec.c did before there were columns. */
typedef struct Plain {
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
} Plain;

static void plain_decode(Plain *z, const Packed *from, size_t n, Buf *out)
{
    out->len = 0;
    ok(buf_reserve(out, n, n));
    must(ZSTD_decompressDCtx(z->unpacker, out->data, n, from->bytes.data, from->bytes.len) == n,
         "zstd could not decompress");
}

static void plain_encode(Plain *z, int level, const uint8_t *p, size_t n, Packed *out, Buf *proof)
{
    size_t bound = ZSTD_compressBound(n);
    ZSTD_CCtx_setParameter(z->packer, ZSTD_c_compressionLevel, level);
    out->bytes.len = 0;
    ok(buf_reserve(&out->bytes, bound, bound));
    out->bytes.len = ZSTD_compress2(z->packer, out->bytes.data, bound, p, n);
    must(!ZSTD_isError(out->bytes.len), "zstd could not compress");
    plain_decode(z, out, n, proof);
    must(memcmp(proof->data, p, n) == 0, "zstd made other bytes");
}

typedef struct Result {
    size_t stored;
    double encode[RUNS_MAX], decode[RUNS_MAX]; /* seconds */
} Result;

static void run(const Input *in, int level, bool columns, int turn, Packed *packed, Result *r)
{
    AUTO(Codec) codec = codec_new();
    AUTO_VALUE(Buf) out = {0};
    Plain z = {ZSTD_createCCtx(), ZSTD_createDCtx()};
    double start = now();
    r->stored = 0;
    for (size_t i = 0; i < in->count; i++) {
        const uint8_t *p = in->bytes + in->frames[i].at;
        if (columns)
            ok(codec_encode(codec, level, p, in->frames[i].n, &packed[i].bytes, &packed[i].used));
        else
            plain_encode(&z, level, p, in->frames[i].n, &packed[i], &out);
        r->stored += packed[i].bytes.len;
    }
    double middle = now();
    for (size_t i = 0; i < in->count; i++)
        if (columns)
            ok(codec_decode(codec, packed[i].used, packed[i].bytes.data, packed[i].bytes.len,
                            in->frames[i].n, &out));
        else
            plain_decode(&z, &packed[i], in->frames[i].n, &out);
    r->encode[turn] = middle - start;
    r->decode[turn] = now() - middle;
    ZSTD_freeCCtx(z.packer);
    ZSTD_freeDCtx(z.unpacker);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, compare);
    return v[n / 2];
}

static void report(const char *path, const Input *in, Result r[2], int runs)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    double mb = (double)in->n / 1e6, c = (double)r[1].stored, z = (double)r[0].stored;
    printf("%-16s %8.1f %8.2f %8.2f %6.3f   %6.0f %6.0f   %6.0f %6.0f\n", name, mb, z / 1e6,
           c / 1e6, c / z, mb / median(r[0].encode, runs), mb / median(r[1].encode, runs),
           mb / median(r[0].decode, runs), mb / median(r[1].decode, runs));
}

int main(int argc, char **argv)
{
    int level = 1, runs = 5, opt;
    size_t max = (size_t)64 << 20;
    const char *only = NULL;
    while ((opt = getopt(argc, argv, "l:n:m:o:")) != -1) {
        if (opt == 'l')
            level = atoi(optarg);
        else if (opt == 'n')
            runs = atoi(optarg);
        else if (opt == 'm')
            max = (size_t)atoi(optarg) << 20;
        else if (opt == 'o')
            only = optarg;
        else
            return 2;
    }
    must(runs >= 1 && runs <= RUNS_MAX, "too many runs, or none");
    printf("%-16s %8s %8s %8s %6s   %13s   %13s\n", "", "raw MB", "zstd", "columns", "ratio",
           "encode MB/s", "decode MB/s");
    for (int i = optind; i < argc; i++) {
        Input in = input_read(argv[i], max);
        Packed *packed = mem_calloc(in.count + 1, sizeof *packed);
        Result r[2];
        memset(r, 0, sizeof r);
        for (int turn = 0; turn < (only ? 1 : runs); turn++)
            for (int columns = 0; columns < 2; columns++)
                if (!only || (*only == 'c') == columns)
                    run(&in, level, columns, turn, packed, &r[columns]);
        if (!only)
            report(argv[i], &in, r, runs);
        for (size_t f = 0; f < in.count; f++)
            buf_free(&packed[f].bytes);
        free(packed);
        free(in.frames);
        free(in.bytes);
    }
    return 0;
}
