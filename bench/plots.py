"""Bars as SVG, without a library: see write_docs.py."""

from html import escape

WIDTH, LABEL, LINE, BAR, TOP = 860, 390, 26, 16, 44
GOOD, BAD, OTHER, INK = "#3b7dbd", "#cc6a2c", "#9aa3ad", "#222222"


def bars(title, rows, mark=None, most=None):
    """rows: label, value, what is written behind the bar, colour. mark: where a line is drawn across all, and
    what it says. most: bars that are longer are cut, with an arrow. None where there are no rows."""
    if not rows:
        return None
    high = max([value for _, value, _, _ in rows] + ([mark[0]] if mark else []))
    if most:
        high = min(high, most)
    room = WIDTH - LABEL - 130
    height = TOP + LINE * len(rows) + 14
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="13" fill="{INK}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    words = []  # over everything else, with a white rim
    for number, (label, value, text, colour) in enumerate(rows):
        y = TOP + LINE * number
        length = room * min(value, high) / high if high else 0
        end = LABEL + length
        out.append(f'<rect x="{LABEL}" y="{y}" width="{max(length, 1):.1f}" height="{BAR}" fill="{colour}"/>')
        if value > high:
            out.append(f'<path d="M{end:.1f} {y} l8 {BAR / 2:g} l-8 {BAR / 2:g} z" fill="{colour}"/>')
            end += 8
        words.append(f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>')
        words.append(f'<text x="{end + 6:.1f}" y="{y + 13}">{escape(text)}</text>')
    if mark:
        x = LABEL + room * mark[0] / high
        bottom = TOP + LINE * len(rows)
        out.append(f'<path d="M{x:.1f} {TOP - 6} V{bottom}" stroke="{INK}" stroke-dasharray="4 3" fill="none"/>')
        words.append(f'<text x="{x:.1f}" y="{TOP - 9}" text-anchor="middle">{escape(mark[1])}</text>')
    out += ['<g paint-order="stroke" stroke="#ffffff" stroke-width="4">', *words, "</g>"]
    out.append("</svg>")
    return "\n".join(out) + "\n"
