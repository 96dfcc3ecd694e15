"""Text that people and their programs write: one normal form, and what cannot be seen is refused.

Excel, editors and web pages leave byte order marks, no-break spaces, zero-width characters, decomposed accents and
line ends of their own. A model reads all of these as other tokens, so that a study of them would be plausible and
wrong.
"""

import re
import unicodedata
from pathlib import Path
from typing import Any

from taskvectors.errors import StudyError

BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# Characters that show nothing, or that replace lost text: control and format characters, line and paragraph
# separators, surrogates, private use, noncharacters; fillers, blanks and U+FFFD, which Unicode counts among letters
# and symbols.
UNSEEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
UNSEEN_OTHERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc\ufffd")
# They join or vary the character before them in scripts and emoji that are written so; after others they are unseen.
JOINERS = frozenset("\u200c\u200d" + "".join(map(chr, range(0xFE00, 0xFE10))))
JOINED = frozenset(("Lo", "Mn", "Mc", "So", "Sk"))
KEYCAPS = frozenset("0123456789#*")  # before U+FE0F
# Signs that U+FE0F makes an emoji of: arrows, technical and geometric signs, dingbats, and a few others.
SIGNS = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299]"
)
NEW_EMOJI = re.compile("[\U0001f000-\U0001faff]")  # some are newer than this Python
BLACK_FLAG, TAGS = "\U0001f3f4", frozenset(map(chr, range(0xE0020, 0xE0080)))  # flags of regions are spelled in tags
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def read_user_text(path: str | Path, remedy: str) -> str:
    """The text of a file that a user wrote, with LF line ends, whichever of LF, CR LF and CR it has.

    UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises:
        StudyError: if there is no such file (the message ends with `remedy`) or it is in another encoding, with the
            line.
    """
    try:
        data = Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise StudyError(f"{path}: no such file. {remedy}") from None
    except OSError as error:  # not ours to read, or a link in a circle
        raise StudyError(f"{path}: cannot be read ({error.strerror}). {remedy}") from None
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
        raise StudyError(
            f"{path}, line {line}: not {encoding.removesuffix('-sig').upper()} at byte {error.start}. Save the file as UTF-8."
        ) from None
    if "\0" in text:
        line = 1 + text[: text.index("\0")].count("\n")
        raise StudyError(
            f"{path}, line {line}: a NUL byte, as in UTF-16 without a byte order mark. Save the file as UTF-8."
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def normal_form(text: str) -> str:
    """Text as the study compares it and as models see it: composed accents (NFC), every kind of space a plain one."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _SPACES.sub(" ", text))


def unseen(text: str) -> str | None:
    """The first character of a text that cannot be seen or read, by its code point and name; None if there is none."""
    if text.isascii() and text.isprintable():
        return None
    for place, character in enumerate(text):
        if place and _joined(text[place - 1], character):
            continue
        if NEW_EMOJI.fullmatch(character):
            continue
        joiner = character in JOINERS
        if joiner or character in UNSEEN_OTHERS or unicodedata.category(character) in UNSEEN_CATEGORIES:
            name = unicodedata.name(character, {"\t": "tab", "\n": "line break"}.get(character, "no name"))
            return f"U+{ord(character):04X} ({name.lower()})"
    return None


def _joined(before: str, character: str) -> bool:
    """Whether a character that shows nothing itself makes one sign with the one before it."""
    if character in TAGS:
        return before == BLACK_FLAG or before in TAGS
    if character == "\ufe0f" and (before in KEYCAPS or SIGNS.fullmatch(before)):
        return True
    return character in JOINERS and unicodedata.category(before) in JOINED


def each_key_once(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    """A JSON object, for `object_pairs_hook`; JSON itself would keep the last of several values of a key.

    Raises:
        StudyError: that begins with `where` and names the key.
    """
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise StudyError(f"{where}: the key {twice!a} is there twice. Delete one of the two.")
    return record
