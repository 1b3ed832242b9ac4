#include "sheet/sheet.h"

#include <hpdf.h>
#include <qrencode.h>
#include <string.h>

/* A4, in points; it prints on Letter as well. */
#define PAGE_WIDTH 595.0F
#define PAGE_HEIGHT 842.0F
#define MARGIN 56.0F
#define LINE 14.0F
#define QUIET 4 /* modules around the code that stay white */
#define CODE_SIZE 190.0F

typedef struct Page {
    HPDF_Doc doc;
    HPDF_Page page;
    HPDF_Font plain, bold, fixed;
    float y;
} Page;
static void page_clear(Page *p)
{
    if (p->doc)
        HPDF_Free(p->doc);
}
DEFINE_AUTO_VALUE(Page, page_clear)

DEFINE_AUTO(QRcode, QRcode_free)

static void write_line(Page *p, HPDF_Font font, float size, float x, const char *text, size_t n)
{
    AUTO(char) ascii = mem_strndup(text, n);
    for (char *c = ascii; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    HPDF_Page_BeginText(p->page);
    HPDF_Page_SetFontAndSize(p->page, font, size);
    HPDF_Page_TextOut(p->page, x, p->y, ascii);
    HPDF_Page_EndText(p->page);
}

/* Where the text has to be broken: behind a blank, if there is one. */
static size_t fitting(const char *text)
{
    size_t n = strlen(text);
    if (n <= SHEET_LINE_MAX)
        return n;
    for (n = SHEET_LINE_MAX; n > SHEET_LINE_MAX / 2 && text[n - 1] != ' '; n--)
        ;
    return n > SHEET_LINE_MAX / 2 ? n : SHEET_LINE_MAX;
}

static void write_lines(Page *p, const char *const *lines)
{
    for (; *lines; lines++) {
        const char *text = *lines;
        do {
            size_t n = fitting(text);
            write_line(p, p->plain, 10, MARGIN, text, n);
            text += n;
            p->y -= LINE;
        } while (*text);
    }
}

/* Filled squares: sharp at every size, and no image in the file. */
static Error *draw_code(Page *p, const char *text)
{
    /* The highest level: a quarter of it may be soiled or torn away. */
    AUTO(QRcode) code = QRcode_encodeString(text, 0, QR_ECLEVEL_H, QR_MODE_8, 1);
    if (!code)
        FAIL(ERR_LIMIT, "the QR code cannot be made: its text is too long, or memory is gone");
    float module = CODE_SIZE / (float)(code->width + 2 * QUIET);
    float top = p->y - QUIET * module, left = MARGIN + QUIET * module;
    for (int y = 0; y < code->width; y++)
        for (int x = 0; x < code->width; x++)
            if (code->data[y * code->width + x] & 1)
                HPDF_Page_Rectangle(p->page, left + (float)x * module,
                                    top - (float)(y + 1) * module, module, module);
    HPDF_Page_Fill(p->page);
    return NULL;
}

static Error *draw(Page *p, const Sheet *s)
{
    HPDF_Page_SetWidth(p->page, PAGE_WIDTH);
    HPDF_Page_SetHeight(p->page, PAGE_HEIGHT);
    p->y = PAGE_HEIGHT - MARGIN - 18;
    write_line(p, p->bold, 18, MARGIN, s->title, strlen(s->title));
    p->y -= 2 * LINE;
    write_lines(p, s->before);
    p->y -= LINE;
    float top = p->y;
    TRY(draw_code(p, s->code));
    p->y = top - 60;
    for (const char *const *l = s->large; *l; l++) {
        write_line(p, p->fixed, 16, MARGIN + CODE_SIZE + 24, *l, strlen(*l));
        p->y -= 26;
    }
    p->y = top - CODE_SIZE - 2 * LINE;
    write_lines(p, s->after);
    if (p->y < MARGIN)
        FAIL(ERR_LIMIT, "the text is more than a sheet holds");
    return NULL;
}

Error *sheet_pdf(const Sheet *s, Buf *out)
{
    AUTO_VALUE(Page) p = {0};
    p.doc = HPDF_New(NULL, NULL);
    if (!p.doc)
        FAIL(ERR_MEMORY, "no memory for a PDF");
    p.plain = HPDF_GetFont(p.doc, "Helvetica", NULL);
    p.bold = HPDF_GetFont(p.doc, "Helvetica-Bold", NULL);
    p.fixed = HPDF_GetFont(p.doc, "Courier-Bold", NULL);
    p.page = HPDF_AddPage(p.doc);
    if (!p.page)
        FAIL(ERR_MEMORY, "no memory for a PDF");
    TRY(draw(&p, s));
    HPDF_SaveToStream(p.doc);
    if (HPDF_GetError(p.doc) != HPDF_OK)
        FAIL(ERR_INTERNAL, "libharu failed with 0x%04lX", (unsigned long)HPDF_GetError(p.doc));
    HPDF_ResetStream(p.doc);
    HPDF_UINT32 left = HPDF_GetStreamSize(p.doc);
    TRY(buf_reserve(out, left, 1u << 24));
    if (left && HPDF_ReadFromStream(p.doc, out->data + out->len, &left) != HPDF_OK &&
        HPDF_GetError(p.doc) != HPDF_STREAM_EOF)
        FAIL(ERR_INTERNAL, "libharu failed with 0x%04lX", (unsigned long)HPDF_GetError(p.doc));
    out->len += left;
    return NULL;
}
