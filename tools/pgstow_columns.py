"""Frames of pgstow in columns, for read_pgstow.py: written from docs/format.md alone, as that is."""
import datetime

MASK = (1 << 64) - 1
EPOCH = datetime.date(1970, 1, 1).toordinal()
RAW_MAX, FIELD_DIGITS, HUFFMAN_BITS, WORD_MAX = 4 << 20, 18, 11, 32


def signed(u):
    """Of 64 bits, the highest of which is the sign."""
    u &= MASK
    return u - (1 << 64) if u >> 63 else u


def unzigzag(u):
    return u >> 1 ^ -(u & 1)


class Bits:
    """The lowest bit of the first byte comes first."""

    def __init__(self, data):
        self.data, self.size, self.at = data, len(data), 0
        self.used, self.window, self.filled = 0, 0, 0

    def take(self, n):
        while self.filled < n:
            self.window |= (self.data[self.at] if self.at < self.size else 0) << self.filled
            self.at += 1
            self.filled += 8
        out = self.window & (1 << n) - 1
        self.window >>= n
        self.filled -= n
        self.used += n
        return out


class Columns:
    """One frame: its form and its text become rows."""

    def __init__(self, reader, need, form, text, raw):
        self.r, self.need, self.raw = reader(form), need, raw
        self.text, self.at = text, 0
        self.form_length = len(form)

    def decode(self):
        out = bytearray()
        self.need(self.raw <= RAW_MAX, "columns are too large")
        while self.r.at < self.form_length:
            kind = self.r.number(1)
            self.need(kind in (0, 1), "a block of an unknown kind")
            out += self.table(self.raw - len(out)) if kind else self.take_text()
            self.need(len(out) <= self.raw, "columns are longer than their frame")
        self.need(self.at == len(self.text) and len(out) == self.raw, "columns do not fit their frame")
        return bytes(out)

    def take_text(self):
        n = self.r.varint()
        self.need(n <= len(self.text) - self.at, "text that is not there")
        self.at += n
        return self.text[self.at - n:self.at]

    def lines(self):
        """A run of texts, each ended by a newline."""
        text = self.take_text()
        self.need(not text or text.endswith(b"\n"), "text that is cut")
        return text.split(b"\n")[:-1]

    def table(self, room):
        rows, cols = self.r.varint(), self.r.varint()
        self.need(0 < rows and 0 < cols and rows * cols <= room, "more fields than bytes")
        columns, numbers = [], []
        for i in range(cols):
            fields, values = self.column(rows, i, numbers)
            self.need(len(fields) == rows, "a column of another length")
            columns.append(fields)
            numbers.append(values)
        return b"".join(b"\t".join(row) + b"\n" for row in zip(*columns))

    def column(self, rows, number, before):
        """Its fields; and its numbers, where every field is one."""
        kind = self.r.number(1)
        if kind == 0:
            return self.lines(), None
        if kind == 1:
            count = self.r.varint()
            words = self.lines()
            self.need(len(words) == count, "a dictionary of another length")
            return [words[i] for i in self.places(self.numbers(rows), count)], None
        if kind == 6:
            return self.words(), None
        self.need(kind in (2, 3, 4, 5, 7), "a column of an unknown kind")
        show = self.shape(kind)
        marks, odd = None, []
        if self.r.number(1):
            marks = self.places(self.numbers(rows), 3)
            odd = self.lines()
        back = self.r.varint()
        values = self.numbers(marks.count(0) if marks else rows)
        if back:
            self.need(back <= number and before[number - back] and not marks, "relative to no numbers")
            values = [signed(a + b) for a, b in zip(values, before[number - back])]
        if not marks:
            return [show(v) for v in values], values
        fields, value, odd = [], iter(values), iter(odd)
        for mark in marks:
            fields.append(show(next(value)) if mark == 0 else b"\\N" if mark == 1 else next(odd))
        self.need(next(odd, None) is None, "odd fields are left over")
        return fields, None

    def places(self, numbers, count):
        self.need(all(0 <= n < count for n in numbers), "a place that is not there")
        return numbers

    # -- fields ----------------------------------------------------------------------------------------

    def shape(self, kind):
        """What makes a field of a number."""
        if kind in (2, 7):
            scale = self.r.number(1)
            self.need(scale < FIELD_DIGITS, "too many digits")
            return lambda v: self.decimal(v, scale, kind == 7)
        if kind == 3:
            return self.date
        if kind == 4:
            zone = self.r.block()
            self.need(len(zone) <= 16, "a zone that is too long")
            return lambda v: self.timestamp(v) + zone
        text = self.r.block()
        digits = [i for i, c in enumerate(text) if chr(c) in "0123456789"]
        self.need(2 <= len(text) <= 64 and 0 < len(digits) <= FIELD_DIGITS, "no template")
        return lambda v: self.filled(text, digits, v)

    def decimal(self, v, scale, trimmed):
        self.need(abs(v) < 10 ** FIELD_DIGITS, "a number that is too large")
        digits = str(abs(v)).rjust(scale + 1, "0")
        text = digits[:-scale] + "." + digits[-scale:] if scale else digits
        if trimmed and scale:
            text = text.rstrip("0").rstrip(".")
        return (("-" if v < 0 else "") + text).encode()

    def date(self, v):
        self.need(1 <= v + EPOCH <= datetime.date.max.toordinal(), "no date")
        return datetime.date.fromordinal(v + EPOCH).isoformat().encode()

    def timestamp(self, v):
        day, rest = divmod(v, 86400 * 10 ** 6)
        second, below = divmod(rest, 10 ** 6)
        text = f" {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        if below:
            text += f".{below:06d}".rstrip("0")
        return self.date(day) + text.encode()

    def filled(self, text, places, v):
        self.need(0 <= v < 10 ** len(places), "a number that is too large")
        out = bytearray(text)
        for place, digit in zip(places, str(v).rjust(len(places), "0")):
            out[place] = ord(digit)
        return bytes(out)

    def words(self):
        text = self.take_text()
        listed, singles, count = self.r.varint(), self.r.varint(), self.r.varint()
        self.need(listed + singles <= len(text) and count <= self.raw, "more words than bytes")
        words, at = [], 0
        for n in self.numbers(listed + singles):
            self.need(1 <= n <= WORD_MAX, "a word of another length")
            words.append(text[at:at + n])
            at += n
        self.need(at == len(text), "a list of another length")
        single, out = iter(words[listed:]), []
        for code in self.places(self.tokens(count)[1], listed + 1):
            word = words[code - 1] if code else next(single, None)
            self.need(word is not None, "a word that is not there")
            out.append(word)
        self.need(next(single, None) is None, "words are left over")
        self.need(not out or out[-1].endswith(b"\n"), "text that is cut")
        return b"".join(out).split(b"\n")[:-1]

    # -- numbers ---------------------------------------------------------------------------------------

    def numbers(self, n, depth=0):
        if n == 0:
            return []
        method = self.r.number(1)
        self.need(method < 3 or (method < 5 and depth < 2), "numbers in an unknown way, or too deep")
        if method == 0:
            return [signed(unzigzag(self.r.varint()))] * n
        if method == 3:
            values = [signed(unzigzag(self.r.varint()))]
            for d in self.numbers(n - 1, depth + 1):
                values.append(signed(values[-1] + d))
            return values
        if method == 4:
            count = self.r.varint()
            self.need(count <= n, "too many runs")
            values, lengths = self.numbers(count, depth + 1), self.numbers(count, depth + 1)
            self.need(min(lengths, default=0) >= 0 and sum(lengths) + count == n, "runs of another length")
            return [v for v, length in zip(values, lengths) for _ in range(length + 1)]
        base, unit = unzigzag(self.r.varint()), self.r.varint()
        if method == 1:
            width = self.r.number(1)
            self.need(1 <= width <= 64, "a width that there is not")
            bits = Bits(self.r.bytes((n * width + 7) // 8))
            return [signed(base + unit * bits.take(width)) for _ in range(n)]
        is_signed, values = self.tokens(n)
        return [signed(base + unit * (unzigzag(v) if is_signed else v)) for v in values]

    def tokens(self, n):
        form = self.r.number(1)
        direct = form & 15
        self.need(2 <= direct <= 8 and form in (direct, direct | 128), "tokens of an unknown form")
        table = self.huffman()
        tokens = []
        for count in ((n + 1) // 2, n // 2):
            bits = Bits(self.r.block())
            for _ in range(count):
                code, length = 0, 0
                while (length, code) not in table:
                    self.need(length < HUFFMAN_BITS, "no code")
                    code = code << 1 | bits.take(1)
                    length += 1
                tokens.append(table[length, code])
            self.need((bits.used + 7) // 8 == bits.size, "tokens of another length")
        if direct == 8:
            return form >> 7, tokens
        bits, values = Bits(self.r.block()), []
        for token in tokens:
            if token >= 1 << direct:
                above = token - (1 << direct)
                low = direct + (above >> 2) - 2
                self.need(low <= 61, "a number that is too large")
                token = (4 | above & 3) << low | bits.take(low)
            values.append(token)
        self.need((bits.used + 7) // 8 == bits.size, "low bits of another length")
        return form >> 7, values

    def huffman(self):
        """Symbols by the length and the bits of their codes."""
        first, n = self.r.number(1), self.r.number(1) + 1
        self.need(first + n <= 256, "symbols that there are not")
        if n == 1:
            return {(0, 0): first}
        data = self.r.bytes((n + 1) // 2)
        lengths = [data[i // 2] >> 4 * (i % 2) & 15 for i in range(n)]
        self.need(max(lengths) <= HUFFMAN_BITS, "a code that is too long")
        self.need(sum(1 << HUFFMAN_BITS - x for x in lengths if x) == 1 << HUFFMAN_BITS, "no complete code")
        table, code = {}, 0
        for length in range(1, HUFFMAN_BITS + 1):
            code <<= 1
            for i in range(n):
                if lengths[i] == length:
                    table[length, code] = first + i
                    code += 1
        return table
