"""Writes csrc/preprocess/text/unicode_tables.cpp: what `tokenizers` holds each code point for.

Its crates bring tables of different Unicode versions (normalization 9, BERT's classes 8, regular
expressions 16, lower case 17), and ids depend on them. So every code point is asked for:

    .venv/bin/python scripts/text_tables.py [FILE]
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tokenizers import Regex, normalizers, pre_tokenizers

TARGET = Path("csrc/preprocess/text/unicode_tables.cpp")
CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
CATEGORIES = (
    *("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe"),
    *("Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"),
)
# Of every category that a newer Unicode may extend: a code point that is as long in UTF-8.
STAND_INS = {
    2: {"Lu": 0x00C0, "Ll": 0x00DF, "Lo": 0x00AA, "Mn": 0x0300, "Po": 0x00A7, "Nd": 0x0660},
    3: {"Lu": 0xA640, "Ll": 0xA641, "Lm": 0x1D2C, "Lo": 0x3400, "Mn": 0x1DC0, "Mc": 0x0903},
    4: {"Lu": 0x10400, "Ll": 0x10428, "Lm": 0x16B40, "Lo": 0x10000, "Mn": 0x1D167, "Mc": 0x11000},
}
STAND_INS[3] |= {"Nd": 0x0966, "Nl": 0x2160, "No": 0x2460, "Po": 0x2020, "Pd": 0x2010, "Pi": 0x2018}
STAND_INS[3] |= {"Ps": 0x2045, "Pe": 0x2046, "Pc": 0x203F, "Pf": 0x2019, "Sc": 0x20A0, "Sm": 0x2200}
STAND_INS[3] |= {"So": 0x2100, "Sk": 0x309B, "Cf": 0x200B}
STAND_INS[4] |= {"Nd": 0x104A0, "Nl": 0x10140, "No": 0x10107, "Po": 0x10100, "Pd": 0x10EAD}
STAND_INS[4] |= {"So": 0x10137, "Sm": 0x1D6C1, "Sc": 0x1ECB0, "Sk": 0x1F3FB, "Cf": 0xE0001}
SCRIPTS = {"Han": {3: 0x3400, 4: 0x20000}, "Hiragana": {4: 0x1B150}, "Katakana": {4: 0x1B164}}


def which(test: Callable[[str], bool]) -> list[int]:
    """The code points of which the test holds."""
    return [code for code in CODE_POINTS if test(chr(code))]


def removed_by(normalizer: Any) -> list[int]:
    """The code points that a normalizer leaves nothing of."""
    return which(lambda text: normalizer.normalize_str(text) == "")


def in_class(expression: str) -> list[int]:
    """The code points that a regular expression matches."""
    split = pre_tokenizers.Split(Regex(expression), "removed")
    return which(lambda text: not split.pre_tokenize_str(text))


def bert(**given: bool) -> Any:
    """A BertNormalizer that does only what is given."""
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False}
    return normalizers.BertNormalizer(**{**off, "lowercase": False, **given})


def word_characters() -> list[int]:
    """What Whitespace holds for a part of a word."""
    whitespace = pre_tokenizers.Whitespace()
    return which(
        lambda text: (
            len(whitespace.pre_tokenize_str("a" + text)) == 1
            and whitespace.pre_tokenize_str("a" + text)[0][1][1] == 2
        )
    )


def inert() -> list[int]:
    """Code points that a newer Unicode decomposes, composes or moves, and `tokenizers` does not."""
    known = {code for category in CATEGORIES for code in in_class(rf"\p{{{category}}}")}
    compatible = normalizers.NFKD()
    found = []
    for code in CODE_POINTS:
        text = chr(code)
        new = unicodedata.category(text) == "Cn" and code in known
        active = unicodedata.combining(text) or unicodedata.normalize("NFKD", text) != text
        if not (new or active) or compatible.normalize_str(text) != text:
            continue
        if new or not reordered(text):
            found.append(code)
    return found


def reordered(text: str) -> bool:
    """Whether a mark takes its place among marks of other classes."""
    probe = "a\u0345" + text + "\u0334"
    own = "a" + text + "\u0334\u0345" + text
    compatible = normalizers.NFKD()
    return compatible.normalize_str(probe) != probe or compatible.normalize_str(own) != own


def lower_case() -> list[tuple[int, int]]:
    """(code point, lower case), where that is one code point."""
    lowercase = normalizers.Lowercase()
    pairs = []
    for code in CODE_POINTS:
        lower = lowercase.normalize_str(chr(code))
        if len(lower) == 1 and ord(lower) != code:
            pairs.append((code, ord(lower)))
    return pairs


def stand_ins() -> list[tuple[int, int]]:
    """(code point, stand-in) where Unicode 14 lacks what `tokenizers`' regular expressions know.

    U+180E is here because PCRE2 takes it for space; it is a format character since Unicode 6.3."""
    pairs = [(0x180E, 0x200B)]
    for category in CATEGORIES:
        for code in in_class(rf"\p{{{category}}}"):
            if unicodedata.category(chr(code)) != category:
                pairs.append((code, STAND_INS[len(chr(code).encode())][category]))
    by_code = dict(pairs)
    for script, stands in SCRIPTS.items():
        for code in in_class(rf"\p{{{script}}}"):
            if code in by_code:
                by_code[code] = stands[len(chr(code).encode())]
    return sorted(by_code.items())


def ranges(codes: Iterable[int]) -> list[tuple[int, int]]:
    """Sorted (first, last)."""
    found: list[tuple[int, int]] = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def runs(pairs: Iterable[tuple[int, int]], *, moving: bool) -> list[tuple[int, int, int, int]]:
    """(first, last, step, target of the first): the target moves along, or stays."""
    found: list[list[int]] = []
    for code, target in pairs:
        if found:
            first, last, step, base = found[-1]
            stride = code - last if step == 0 else step
            expected = base + (code - first) if moving else base
            if code - last == stride and stride <= 2 and target == expected:
                found[-1] = [first, code, stride, base]
                continue
        found.append([code, code, 0, target])
    return [(first, last, max(step, 1), base) for first, last, step, base in found]


def rows(items: Iterable[tuple[int, ...]]) -> str:
    """Tuples as C++ writes them."""
    return ", ".join(
        "{" + ", ".join(f"0x{value:X}" if value > 9 else str(value) for value in item) + "}"
        for item in items
    )


def source() -> str:
    """The whole file."""
    sets = {
        "Letters": ("\\p{L} of regular expressions", in_class(r"\p{L}")),
        "Numbers": ("\\p{N} of regular expressions", in_class(r"\p{N}")),
        "WordCharacters": ("\\w of Whitespace and of single_word", word_characters()),
        "Numeric": (
            "what Digits splits off",
            which(
                lambda t: (
                    len(pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str("aa" + t))
                    == 2
                )
            ),
        ),
        "Punctuation": (
            "what Punctuation and BertPreTokenizer split off",
            which(lambda t: not pre_tokenizers.Punctuation("removed").pre_tokenize_str(t)),
        ),
        "CombiningMarks": ("what StripAccents removes", removed_by(normalizers.StripAccents())),
        "NonspacingMarks": (
            "what BertNormalizer's strip_accents removes",
            removed_by(bert(strip_accents=True)),
        ),
        "Cleaned": ("what BertNormalizer's clean_text removes", removed_by(bert(clean_text=True))),
        "Inert": ("newer than normalization's Unicode 9", inert()),
    }
    text = "// unicode_tables.cpp: classes of code points, written by scripts/text_tables.py.\n"
    text += '#include "preprocess/text/unicode_tables.hpp"\n\n'
    text += "namespace plait::detail {\nnamespace {\n\n// clang-format off\n"
    for name, (comment, codes) in sets.items():
        text += f"// {comment}\nconstexpr CodeRange k{name}[] = {{{rows(ranges(codes))}}};\n\n"
    text += "// first, last, step, lower case of the first\n"
    text += f"constexpr CodeRun kLowerCase[] = {{{rows(runs(lower_case(), moving=True))}}};\n\n"
    text += "// first, last, step, the code point to match instead\n"
    text += f"constexpr CodeRun kStandIns[] = {{{rows(runs(stand_ins(), moving=False))}}};\n"
    text += "// clang-format on\n\n}  // namespace\n\n"
    for name in sets:
        function = "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
        text += f"std::span<const CodeRange> {function}() noexcept {{ return k{name}; }}\n"
    text += "std::span<const CodeRun> lower_case() noexcept { return kLowerCase; }\n"
    text += "std::span<const CodeRun> stand_ins() noexcept { return kStandIns; }\n"
    return wrapped(text + "\n}  // namespace plait::detail\n")


def wrapped(text: str) -> str:
    """The text in lines of at most 100 characters."""
    lines = []
    for line in text.splitlines():
        rest = line
        while len(rest) > 100:
            cut = rest.rindex(", ", 0, 100) + 1
            lines.append(rest[:cut])
            rest = "    " + rest[cut + 1 :]
        lines.append(rest)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET).write_text(source(), encoding="utf-8")
