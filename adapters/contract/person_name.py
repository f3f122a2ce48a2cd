"""Names of people as caller ids write them: ``Smith, John``."""

from __future__ import annotations

import re

from adapters.contract.place_names import is_region

#: The commas of other scripts.
_COMMAS = str.maketrans(dict.fromkeys("\uff0c\u3001\uff64\ufe50\ufe51\u060c\u055d", ","))
#: What follows a comma behind a name without being a first name: kinds of companies, generations, degrees.
_ADDITION = re.compile(
    r"""
    the|inc|incorporated|llc|lll?p|lp|pllc|plc|pc|pa|corp|corporation|co|company|ltd|limited|pty|pte|pvt
    |gmbh|mbh|ag|kg|kgaa|ohg|gbr|ug|ev|eg|se|sa|sas|sarl|srl|spa|sl|bv|nv|vof|ab|asa|oyj?|aps|sro|doo|zrt|kft|kk|lt?da
    |jr|junior|sr|senior|i{2,3}|iv|2nd|3rd|4th
    |md|dds|dmd|dvm|dpm|od|phd|psyd|edd|jd|esq|esquire|cpa|cfa|cfp|clu|chfc|ea|rn|np|pac|lpn|lcsw|lmft|mba|msw|pe|aia
    |msc|bsc|mph|pharmd
    |do|lpc|lmt|lmhc|rph|crna|fnpc?|faia|ccim|gri|mfa|phr|pmp|rd
    |realtor|attorney|lawyer|notary|broker|agent|owner|manager|director|president|chairman|founder|partner|ceo|cfo|coo
    |cto|architect|engineer|accountant|dentist|physician|surgeon|nurse|therapist|counselor|chiropractor|pharmacist
    |sp|as|dba|group|holdings?|partners|associates|services|solutions
    |ооо|оао|зао|пао|ао|ип|тов|тоо|株式会社|有限会社|有限公司|주식회사
    """,
    re.VERBOSE,
)
#: Words of a company's own name, before a place or a department: "Acme Corp, London". Alone they are family names.
_COMPANY = re.compile(
    r"\S\s.*\b(?:inc|incorporated|llc|llp|corp|corporation|company|limited|ltd|gmbh|ag|bank|group|holdings?|trust"
    r"|university|hospital|clinic|school|church|county|city of|department|dept|team|office|offices)\b",
    re.IGNORECASE,
)
_COMPANY_SIGNS = re.compile(r"[0-9&@/+]| and ", re.IGNORECASE)
_NOT_A_LETTER = re.compile(r"[\W_]+")
#: Additions of two letters that are first names where they are written as one, behind a single word: ``Nguyen, Se``.
_SHORT_NAME = re.compile(r"[A-Z][a-z]")
_NEVER_A_NAME = frozenset({"Co", "Jr", "Lp", "Oy", "Sr"})
#: A degree or an office behind a whole name that is not in capitals: ``John Smith, LPC``, ``John Smith, V``.
_ABBREVIATION = re.compile(r"[A-Z]{1,5}(?:-[A-Z]{1,4})?[®™]?")


def last_first(name: str) -> tuple[str, str] | None:
    """First and last name of a text that gives the last one first: ``de la Cruz, Maria``. None for any other.

    There has to be exactly one comma; what follows must be no addition (``Acme, Inc.``, ``John Smith, Jr.``) and no
    place (``Austin, TX``), and nothing may look like a company (``Smith, Jones & Partners``).
    """
    parts = [" ".join(part.split()) for part in name.translate(_COMMAS).split(",")]
    if len(parts) != 2 or not all(parts) or _COMPANY_SIGNS.search(name) or _COMPANY.search(parts[0]):
        return None
    last, first = parts
    return None if is_region(first) or _is_addition(last, first) else (first, last)


def _is_addition(name: str, text: str) -> bool:
    """Whether what stands behind a name and a comma belongs to that name, or is nothing at all."""
    is_one_word = " " not in name
    if is_one_word and _SHORT_NAME.fullmatch(text) and text not in _NEVER_A_NAME:
        return False
    if not is_one_word and not name.isupper() and _ABBREVIATION.fullmatch(text):
        return True
    begins = _NOT_A_LETTER.sub("", text.split()[0]).casefold()
    return not begins or _ADDITION.fullmatch(begins) is not None


def natural_name(name: str) -> str:
    """``John Smith`` for ``Smith, John``; any other name as it is."""
    found = last_first(name)
    return f"{found[0]} {found[1]}" if found else name
