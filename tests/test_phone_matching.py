"""Whether a stored text is the number that was looked up."""

from __future__ import annotations

import itertools
import random
import sys

import phonenumbers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract.phone import digits_of, parse
from adapters.contract.phone_matching import MOST_READ, Match, match_number, sort_hits
from tests.written_numbers import HOME, notation, number, stored_text, two_numbers

NUMBER = "+14155550133"
SAME = {
    NUMBER: (
        "415-555-0133 (mobile)",
        "415-555-0133 - Anna",
        "415-555-0177 / 415-555-0133",
        "415-555-0133, 415-555-0177",
        "H: 415-555-0177 C: 415-555-0133",
        "415-555-0133 Do not call",
        "415-555-0177\n415-555-0133",
        "415 555 0177 415 555 0133",
        "4155550177-4155550133",
        "4155550177;4155550133",
        "415-555-0133 x34",
        "415-555-0133x34",
        "4155550133;ext=34",
        "415-555-0133 Durchwahl 34",
        "415-555-0133 34",
        "415-555-0133/34",
        "x34 415-555-0133",
        "415-555-0177 x34 415-555-0133",
        "#415-555-0133",
        "1) 415-555-0133 2) 415-555-0177",
        "1) 415-555-0177 2) 415-555-0133",
        "3/4/21 415-555-0133",
        "after 17:30 415-555-0133",
        "0014155550133",
        "011 1 415 555 0133",
        "(+1) 415.555.0133",
        "'4155550133",
        "\u202a+1\u00a0(415)\u00a0555\u20110133\u202c",
        "٤١٥ ٥٥٥ ٠١٣٣",
        "４１５-５５５-０１３３",
        "415\u200b555\u200b0133",
        "415·555·0177 / 415·555·0133",
        "415•555•0133",
        "*67 415-555-0133",
        "#31#4155550133",
        "24/7 415-555-0133",
        "415-555-0133 24/7",
        "call after 5 415-555-0133",
        "Apt 12 415-555-0133",
        "Suite 300 (415) 555-0133",
        "2 - 415-555-0133",
        "+1 (0)415 555 0133",
        "001 (0)415 555 0133",
        "4155550133.0",
        "4155550133.00",
    ),
    "+819012345678": ("０９０ー１２３４ー５６７８", "０９０．１２３４．５６７８／０９０．１２３４．５６７９"),
    "+18003569377": ("1-800-FLOWERS", "1 (800) FLOWERS", "Call 800-flowers now", "1800FLOWERS", "1-800-FLO-WERS"),
    "+18006288737": ("1-800-MATTRESS",),
    "+5215512345678": ("+52 55 1234 5678", "55 1234 5678", "52 1 55 1234 5678"),
    "+525522345678": ("+52 1 55 2234 5678", "044 55 2234 5678", "01 55 2234 5678"),
    "+5491123456789": ("+54 11 2345-6789", "011 15 2345-6789", "11 15-2345-6789", "+54 9 11 15 2345-6789"),
    "+5493511234567": ("0351 15 123 4567", "+54 351 123 4567"),
    "+541133456789": ("+54 9 11 3345-6789", "(011) 3345-6789"),
    "+442079460958": (
        "011 44 20 7946 0958",
        "0044 20 7946 0958",
        "020 7946 0958",
        "+44 (0)20 7946 0958",
        "442079460958",
        "442079460958.0",
        "Mon-Fri 9-5 020 7946 0958",
        "2 - 020 7946 0958",
    ),
    "+4930123456": ("030/123456-0", "+49 30 123456-0"),
    "+49301234560": ("030/123456-0",),
    "+611300356937": ("1300 FLOWERS", "1300-FLOWERS"),
    "+448003569377": ("0800 FLOWERS", "0800-FLO-WERS"),
    "+49301234567": ("030/1234567", "030 1234567/68", "0 30 / 12 34 56 7"),
    "+390612345678": ("06 1234 5678", "+39 6 12345678", "+39 (0)6 12345678"),
    "+79161234567": ("8 (916) 123-45-67",),
    "+5511912345678": ("0 15 11 91234-5678", "(0xx11) 91234-5678", "(11) 9123-45678", "+55 11 91234 5678"),
    "+5511987654321": ("(11) 8765-4321", "+55 11 8765 4321", "011 8765-4321"),
    "+551187654321": ("(11) 98765-4321",),
    "+551132345678": ("(0xx11) 3234-5678", "(11) 3234.5678"),
    "+13574567890": ("(357) 456-7890",),
    "+15555551234": ("(555) 555-1234",),
    "+80012345678": ("+800 1234 5678",),
    "72345": ("72345", "Short code 72345"),
}
OTHER = {
    NUMBER: (
        "",
        "Anna",
        "415-555-0177",
        "212-555-0133",
        "415-555-0177 / 212-555-0133",
        "994155550133",
        "99 4155550133",
        "+44 4155550133",
        "+91 4155550133",
        "+9994155550133",
        "41555501334",
        "4155550133-34",
        "4155550133999",
        "14155550133456",
        "415 5550 1330",
        "2 415 555 0133 4",
        "Tel 44 4155550133",
        "mobile 1 2 3 4155550133",
        "Apt 12 415 555 0133 4",
        "99 - 9 - 4155550133",
        "4155550133.01",
        "4155550133-0",
        "555-0134",
        "55-0133",
        "0133",
        "555-0133 or 212-555-0199",
    ),
    "+525512345678": ("+1 551-234-5678",),
    "+551132345678": ("(11) 93234-5678",),  # only mobile numbers got the 9
    "+5511932345678": ("(11) 3234-5678",),
    "+541123456789": ("+54 9 11 2345-6780",),
    "+49301234567": ("030 1234567 12", "030 12345678"),
    "+491234567": ("030/1234567",),
    "+4989123456": ("+49 89 123456 0", "089/123456-10"),
    "+611300356937": ("1300 FLOWAR", "2 1300 356 9370", "1800 FLOWERS"),
    "+39333123456": ("+39 0333123456",),  # a mobile number of nine digits, and a line with the zero before them
    "72345": ("415-72345", "172345", "723450", "415-555-0133 x72345"),
    "12-34": ("12345", "x1234"),
}
ENDING = {
    NUMBER: ("555-0133", "5550133 (home)", "415,555,0133", "415a555b0133", "[415] 555-0133", "+4155550133"),
    "+442079460958": ("7946 0958",),
}


def _pairs(table):
    return [(number, stored) for number, texts in table.items() for stored in texts]


@pytest.mark.parametrize(("number", "stored"), _pairs(SAME))
def test_a_number_is_recognised_in_whatever_is_written(number, stored):
    found = match_number(parse(number), stored)
    assert found is not None
    assert not found.is_ending


@pytest.mark.parametrize(("number", "stored"), _pairs(OTHER))
def test_another_number_is_not_taken_for_the_one_dialled(number, stored):
    assert match_number(parse(number), stored) is None


@pytest.mark.parametrize(("number", "stored"), _pairs(ENDING))
def test_a_text_without_a_whole_number_is_compared_by_all_its_digits(number, stored):
    found = match_number(parse(number), stored)
    assert found == Match(stored.strip(), is_ending=True)


def test_a_number_without_a_country_is_one_of_the_dialled_numbers_or_of_the_users():
    assert match_number(parse("+442079460958", home_region="US"), "020 7946 0958")
    assert match_number(parse("+442079460958", home_region="GB"), "020 7946 0958")
    assert match_number(parse("+14155550133", home_region="AU"), "0011 1 415 555 0133")
    assert match_number(parse("+14155550133", home_region="GB"), "0011 1 415 555 0133") is None
    assert match_number(parse("+5491123456789", home_region="AR"), "15 2345-6789").is_ending


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("415-555-0133 - Anna", "415-555-0133 - Anna"),
        (" +1 415 555 0133 x34 ", "+1 415 555 0133 x34"),
        ("415-555-0177 / (415) 555-0133", "(415) 555-0133"),
        ("H: 415-555-0177 C: +1 415-555-0133", "+1 415-555-0133"),
        ("(415-555-0133) or 415-555-0177", "415-555-0133"),
        ("1-800-FLOWERS", "1-800-FLOWERS"),
        ("call after 5 415-555-0133", "415-555-0133"),
        ("4155550133.0", "4155550133"),
    ],
)
def test_of_several_numbers_the_one_that_matched_is_told(stored, shown):
    asked = "+18003569377" if "FLOWERS" in stored else NUMBER
    assert match_number(parse(asked), stored).number == shown


def test_an_extension_is_looked_for_as_such():
    extension = parse("204", is_extension=True)
    assert match_number(extension, "ext. 204")
    assert match_number(extension, "204")
    assert match_number(extension, "2045") is None
    assert match_number(parse("204"), "ext. 204") is None


def _sorted(*stored):
    return sort_hits(parse(NUMBER), enumerate(stored), numbers=lambda hit: hit[1], key=lambda hit: hit[0])


def test_hits_are_shown_with_their_match_and_dropped_with_the_reason():
    result = _sorted(["415-555-0177", "415-555-0133 x3"], ["212-555-0133"], ["994155550133"], [], ["Anna"])
    assert [(hit[0], match.number) for hit, match in result.shown] == [(0, "415-555-0133 x3")]
    assert [(drop.id, drop.reason) for drop in result.dropped] == [
        (1, "has another number"),
        (2, "has a longer number that contains these digits"),
        (3, "has no number"),
        (4, "has no number"),
    ]
    assert result.by_ending == ()


def test_who_has_only_the_last_digits_is_shown_where_nobody_has_all():
    assert [hit[0] for hit, _ in _sorted(["555-0133"], ["212-555-0133"]).shown] == [0]
    assert _sorted(["555-0133"], ["212-555-0133"]).by_ending == (0,)
    result = _sorted(["555-0133"], ["415-555-0133"])
    assert [hit[0] for hit, _ in result.shown] == [1]
    assert [(drop.id, drop.reason) for drop in result.dropped] == [(0, "has only its last digits, and another hit all")]


# --- 10,000 generated fields -----------------------------------------------------------------------


def test_a_number_is_found_among_whatever_stands_beside_it():
    for seed in range(4000):
        target, others = two_numbers(made := random.Random(seed))
        stored = stored_text(made, [target, *others])
        found = match_number(parse(target.e164, home_region=HOME), stored)
        assert found is not None, (target.e164, stored)
        assert not found.is_ending, (target.e164, stored)
        assert target.national.lstrip("0")[-6:] in digits_of(parse_digits(found.number)), (found, stored)


def test_nobody_is_found_by_the_numbers_of_others():
    for seed in range(3000):
        target, others = two_numbers(made := random.Random(seed))
        # Read as numbers of the dialled country, the national digits of others may be the same ones.
        others = [other for other in others if target.national not in f"{other.country.trunk}{other.national}"]
        stored = stored_text(made, others)
        assert match_number(parse(target.e164, home_region=HOME), stored) is None, (target.e164, stored)


def test_digits_within_a_longer_number_are_not_the_number():
    for seed in range(2000):
        target = number(made := random.Random(seed))
        whole = digits_of(parse_digits(notation(made, target).split("x")[0]))
        behind = f"{target.national}{made.randrange(10, 100_000)}"
        stored = made.choice((f"99{whole}", f"{made.choice(('99', '999', '9 9', '88'))} {target.national}", behind))
        assert match_number(parse(target.e164, home_region=HOME), stored) is None, (target.e164, stored)


# The same examples on every run: a failure is the change's, not the run's.
@settings(max_examples=1000, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=60) | st.text(st.sampled_from("0123456789+() -./x;\n"), max_size=60), st.integers(0, 2**48))
def test_no_text_whatever_is_more_than_what_it_says(stored, seed):
    phone = parse(number(random.Random(seed)).e164, home_region=HOME)
    found = match_number(phone, stored)
    digits = digits_of(parse_digits(stored))
    if found and not found.is_ending:
        assert any(ending in digits for ending in phone.endings)
    elif found:
        assert len(digits) >= 7
        assert f"00{digits_of(phone.e164)}"[-len(digits) :] == digits or digits.lstrip("0") in phone.e164


def parse_digits(text):
    """The text with its digits in ASCII."""
    return "".join(str(int(char)) if char.isdecimal() else char for char in text)


def test_example_numbers_of_every_country_are_found_as_they_are_printed():
    kinds = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    for region, kind in itertools.product(sorted(phonenumbers.SUPPORTED_REGIONS), kinds):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        phone = parse(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
        for stored in (phone.e164, phone.national_format, phone.international_format, f"{phone.national} (office)"):
            found = match_number(phone, stored)
            assert found is not None, (phone.e164, stored)
            assert not found.is_ending


# --- hostile texts ---------------------------------------------------------------------------------

HOSTILE = {
    "remarks": "a 5 4155550133 ",
    "words of letters": "1300-FLOWERS-",
    "numbers": "4155550133 ",
    "numbers in longer ones": "2 4155550133 4 ",
    "numbers with a digit before them": "24155550133 ",
    "numbers with digits behind them": "4155550133-4-",
    "single digits": "1 ",
    "digits": "1",
    "zeros": "0",
    "brackets": "(",
    "signs": "+1",
    "joints": "-./ ",
    "extensions": "x1 ",
    "half extensions": ";ext=",
    "dates": "1/1/",
    "vanity": "1-800-FLOWERS",
    "half vanity": "800-AAAAAAA",
    "blanks": " ",
    "prefixes": "0 0 0 0 4155550133-",
    "endings": "5550133 ",
    "other scripts": "٤",
    "direction marks": "\u202a",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_the_work_grows_no_faster_than_a_hostile_text(unit):
    """Twice the text costs about twice the calls of the library and the steps of our own loops, and there is an end."""
    steps = [_steps(unit * (size // len(unit))) for size in (MOST_READ // 4, MOST_READ // 2, MOST_READ, 8 * MOST_READ)]
    assert steps[1] <= 2.5 * steps[0] + 2000
    assert steps[2] <= 2.5 * steps[1] + 2000
    assert steps[3] <= 1.1 * steps[2] + 2000  # of more than MOST_READ characters the rest is not read


def _steps(text):
    """Lines of Python that one comparison runs: a measure that no machine's speed changes."""
    lines = 0

    def count(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return count

    phone = parse(NUMBER)
    before = sys.gettrace()
    sys.settrace(count)
    try:
        match_number(phone, text)
    finally:
        sys.settrace(before)
    return lines


def test_a_hostile_text_of_regular_expressions_ends():
    """Their steps are not counted above; the time limit of a test is a thousand times what they take."""
    for unit in HOSTILE.values():
        match_number(parse(NUMBER), unit * (10_000 // len(unit)))
