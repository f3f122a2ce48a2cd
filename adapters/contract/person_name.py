"""Names of people as caller ids write them: ``Smith, John``."""

from __future__ import annotations

import re

#: What follows a comma behind a name without being a first name: kinds of companies, generations, degrees.
_ADDITION = re.compile(
    r"""
    inc|incorporated|llc|lll?p|lp|pllc|plc|pc|pa|corp|corporation|co|company|ltd|limited|pty|pte|pvt
    |gmbh|mbh|ag|kg|kgaa|ohg|gbr|ug|ev|eg|se|sa|sas|sarl|srl|spa|sl|bv|nv|vof|ab|asa|oyj?|aps|sro|doo|zrt|kft|kk|lt?da
    |jr|junior|sr|senior|i{2,3}|iv|2nd|3rd|4th
    |md|dds|dmd|dvm|dpm|od|phd|psyd|edd|jd|esq|esquire|cpa|cfa|cfp|clu|chfc|ea|rn|np|pac|lpn|lcsw|lmft|mba|msw|pe|aia
    |msc|bsc|mph|pharmd
    |sp|dba|group|holdings?|partners|associates|services|solutions
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


def last_first(name: str) -> tuple[str, str] | None:
    """First and last name of a text that gives the last one first: ``de la Cruz, Maria``. None for any other.

    There has to be exactly one comma; what follows must be no addition (``Acme, Inc.``, ``John Smith, Jr.``), and
    nothing may look like a company (``Smith, Jones & Partners``).
    """
    parts = [" ".join(part.split()) for part in name.replace("\N{FULLWIDTH COMMA}", ",").split(",")]
    if len(parts) != 2 or not all(parts) or _COMPANY_SIGNS.search(name) or _COMPANY.search(parts[0]):
        return None
    last, first = parts
    begins = _NOT_A_LETTER.sub("", first.split()[0]).casefold()
    return None if not begins or _ADDITION.fullmatch(begins) else (first, last)


def natural_name(name: str) -> str:
    """``John Smith`` for ``Smith, John``; any other name as it is."""
    found = last_first(name)
    return f"{found[0]} {found[1]}" if found else name
