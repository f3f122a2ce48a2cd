"""Places as people write them behind a comma: ``Austin, TX``, ``Toronto, Ontario``, ``Berlin, Germany``."""

from __future__ import annotations

import re

#: States of the USA and provinces of Canada by their codes, always in capitals: ``Lee, Al`` is a person.
_CODES = frozenset(
    code
    for code in """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA
    RI SC SD TN TX UT VT VA WA WV WI WY DC PR AB BC MB NB NL NS NT NU ON PE QC SK YT USA UK UAE
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
#: States, provinces and countries by name. Those that are first names too (Georgia, Jordan, Washington) are not here.
_NAMES = frozenset(
    name.strip()
    for name in """
    alabama, alaska, arizona, arkansas, california, colorado, connecticut, delaware, florida, hawaii, idaho,
    illinois, iowa, kansas, kentucky, louisiana, maine, maryland, massachusetts, michigan, minnesota, mississippi,
    missouri, nebraska, nevada, new hampshire, new jersey, new mexico, new york, north carolina, north dakota, ohio,
    oklahoma, oregon, pennsylvania, rhode island, south carolina, south dakota, tennessee, texas, utah, vermont,
    west virginia, wisconsin, wyoming, alberta, british columbia, manitoba, new brunswick, newfoundland,
    nova scotia, ontario, quebec, saskatchewan, new south wales, queensland, tasmania, argentina, australia,
    austria, österreich, belgium, brazil, brasil, bulgaria, canada, chile, colombia, croatia, czechia, denmark,
    england, finland, france, germany, deutschland, greece, hungary, indonesia, italy, japan,
    malaysia, mexico, méxico, morocco, netherlands, new zealand, nigeria, northern ireland, norway, pakistan, peru,
    philippines, poland, portugal, romania, scotland, schweiz, serbia, singapore, slovakia, slovenia, south africa,
    south korea, spain, españa, sweden, switzerland, taiwan, thailand, tunisia, turkey, ukraine, united arab
    emirates, united kingdom, united states, uruguay, vietnam, wales
    """.split(",")  # noqa: SIM905
)
_ZIP_CODE = re.compile(r" [0-9A-Z][0-9A-Z -]*$")


def is_region(text: str) -> bool:
    """Whether the text is a state, province or country, a postal code behind it or not."""
    place = _ZIP_CODE.sub("", text) if any(sign.isdigit() for sign in text) else text
    place = place.rstrip(".")
    return place.replace(".", "") in _CODES or " ".join(place.casefold().split()) in _NAMES
