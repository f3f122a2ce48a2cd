"""What stands in a number's place when the caller withheld it, or called from an address without a number."""

from __future__ import annotations

import re
import unicodedata

from adapters.contract.invisible import without_invisible

#: Words that carriers spell on the keypad: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE.
#: Source: Twilio, "Why am I receiving calls from these strange numbers?". No country has numbers of these lengths.
_SPELT = frozenset(("266696687", "7378742833", "2562533", "8656696", "86282452253"))
#: Together with digits these still name nobody: "Unknown 1".
_WORDS = re.compile(
    r"anonym|undefined|unknown|private|restricted|withheld|unavailable|not available|blocked|hidden|caller ?id"
    r"|out of area|no number|\bnull\b|\bnone\b|\bnan\b",
    re.IGNORECASE,
)
_SIP = re.compile(r"(?:.*<)?\s*(?:sips?:)?([^@<>]*)@.*|(?:.*<)?\s*sips?:.*", re.IGNORECASE | re.DOTALL)
#: Of the digits, with a plus sign where one stands before them.
_ZEROS = re.compile(r"\+?0+|\+[1-9][0-9]{0,2}0{6,}")
#: Signs that stand for those of ASCII between the digits of a number, each for one.
_SIGNS = str.maketrans(
    {
        "\N{FULLWIDTH PLUS SIGN}": "+",
        "\N{SMALL PLUS SIGN}": "+",
        "\N{SUPERSCRIPT PLUS SIGN}": "+",
        "\N{MINUS SIGN}": "-",
        "\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}": "-",
        "\N{HALFWIDTH KATAKANA-HIRAGANA PROLONGED SOUND MARK}": "-",
        "\N{FULLWIDTH FULL STOP}": ".",
        "\N{MIDDLE DOT}": ".",
        "\N{BULLET}": ".",
        "\N{HYPHENATION POINT}": ".",
        "\N{ONE DOT LEADER}": ".",
        "\N{KATAKANA MIDDLE DOT}": ".",
        "\N{FULLWIDTH SOLIDUS}": "/",
        "\N{FRACTION SLASH}": "/",
        "\N{FULLWIDTH LEFT PARENTHESIS}": "(",
        "\N{FULLWIDTH RIGHT PARENTHESIS}": ")",
    }
)


def plain(text: str) -> str:
    """The text without what nobody sees, its digits, and the signs between them, those of ASCII."""
    text = without_invisible(text)
    return text if text.isascii() else "".join(map(_ascii, text))


def _ascii(char: str) -> str:
    if char.isascii():
        return char
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category in ("Zs", "Pd"):
        return " " if category == "Zs" else "-"
    return char.translate(_SIGNS)


def dialled(text: str) -> str:
    """What was dialled: of a SIP address the part before its host. Empty where that is nobody's number.

    Nobody's are texts without digits, words for withheld numbers, the same spelt in digits with a plus sign, and zeros.
    """
    text = plain(text).strip().strip("\"'").strip()
    if sip := _SIP.fullmatch(text):
        text = (sip[1] or "").partition(";")[0].strip()
        if any(char.isalpha() for char in text):
            return ""
    digits = re.sub("[^0-9]", "", text)
    plus = "+" if text.lstrip("( ").startswith("+") else ""
    spelt = plus and digits in _SPELT
    return "" if not digits or spelt or _ZEROS.fullmatch(plus + digits) or _WORDS.search(text) else text


def is_spelt_word(digits: str) -> bool:
    """Whether digits spell a word for a withheld number. Ask only where they are no number of a country."""
    return digits in _SPELT
