"""Numbers as dialled, and the forms in which a CRM is asked for them."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.contract.phone import digits_of, fill_format, parse
from adapters.contract.phone_matching import match_number

SUBSCRIBERS = st.integers(0, 99).map(lambda last: f"+1650555{100 + last:04d}")


def test_a_number_is_read_into_every_form_a_search_needs():
    phone = parse("+16505550112")
    assert (phone.e164, phone.national) == ("+16505550112", "6505550112")
    assert (phone.national_format, phone.international_format) == ("(650) 555-0112", "+1 650-555-0112")
    assert (phone.country_code, phone.region) == (1, "US")


def test_a_plus_sign_lost_in_the_query_string_comes_back():
    assert parse(" 442079460106").e164 == "+442079460106"


@pytest.mark.parametrize(
    ("dialled", "e164"),
    [
        ("*67 415-555-0133", "+14155550133"),
        ("*8214155550133", "+14155550133"),
        ("#31#+14155550133", "+14155550133"),
        ("0044 20 7946 0106", "+442079460106"),
        ("001 415 555 0133", "+14155550133"),
    ],
)
def test_codes_and_prefixes_dialled_before_a_number_are_no_part_of_it(dialled, e164):
    assert parse(dialled).e164 == e164


def test_a_blank_before_a_national_number_is_only_a_blank():
    assert parse(" 6505550112").e164 == "+16505550112"


def test_formats_are_filled_in_the_order_the_user_gave_without_repeats_or_misfits():
    phone = parse("+16505550112", formats=" (***) ***-**** ,, 1##########, ###-####, (###) ###-####, plain")
    assert phone.formats == ("(650) 555-0112", "16505550112")
    assert phone.variants == ("+16505550112", "6505550112", "(650) 555-0112", "16505550112")


def test_formats_may_come_as_a_list():
    assert parse("+16505550112", formats=["###.###.####"]).formats == ("650.555.0112",)


@pytest.mark.parametrize("raw", ["+1650", "72345", "*67", "+9991234567", "+72345", "1 555"])
def test_what_is_no_number_of_a_country_is_tried_only_by_its_digits(raw):
    phone = parse(raw, formats="(###) ###-####")
    assert not phone.is_valid
    assert phone.formats == ()
    assert (phone.raw, phone.variants, phone.is_withheld) == (raw, (digits_of(raw),), False)


@pytest.mark.parametrize("raw", ["+13574567890", "+15555551234", "(357) 456-7890"])
def test_a_number_counts_whose_area_code_is_newer_than_our_data(raw):
    phone = parse(raw)
    assert (phone.is_valid, phone.country_code, phone.region) == (True, 1, "")
    assert phone.variants == (phone.e164, phone.national)


@pytest.mark.parametrize("raw", ["+5215512345678", "+525512345678", "+52 044 55 1234 5678", "+52 01 55 1234 5678"])
def test_a_mexican_number_is_looked_for_with_and_without_its_old_1(raw):
    phone = parse(raw, formats="(##) #### ####")
    assert set(phone.variants) == {"+5215512345678", "+525512345678", "5512345678", "(55) 1234 5678"}
    assert phone.endings == ("5512345678",)
    assert phone.e164 == (raw if raw == "+5215512345678" else "+525512345678")


@pytest.mark.parametrize("raw", ["+5491123456789", "+541123456789", "+54 9 11 15 2345-6789", "+54 11 15 2345 6789"])
def test_an_argentine_number_is_looked_for_with_and_without_9_and_15(raw):
    phone = parse(raw, formats="(##) ####-####")
    assert {"+5491123456789", "+541123456789", "1123456789", "(11) 2345-6789"} <= set(phone.variants)
    assert phone.endings == ("1123456789", "111523456789")


def test_an_argentine_area_code_of_three_digits_keeps_its_length():
    assert parse("+5493511234567").endings == ("3511234567", "351151234567")


def test_a_foreign_number_is_known_as_it_is_dialled_at_home():
    assert parse("+442079460958").from_home == "011 44 20 7946 0958"
    assert parse("+442079460958", home_region="DE").from_home == "00 44 20 7946 0958"
    assert parse("+442079460958", home_region="GB").from_home == ""
    assert parse("+16505550112", home_region="CA").from_home == ""


def test_digits_without_a_plus_belong_to_the_users_country_if_they_are_long_enough():
    assert parse("030 1234567", home_region="DE").e164 == "+49301234567"
    assert parse("72345", home_region="DE").e164 == ""  # DE has numbers of five digits; this is a short code


#: What stands in a number's place when there is none.
NOBODY = (
    "",
    "anonymous",
    "Anonymous",
    "undefined",
    "null",
    "unknown",
    "Unknown 1",
    "private",
    "Private Number",
    "restricted",
    "withheld",
    "unavailable",
    "blocked",
    "No Caller ID",
    "+266696687",
    " 266696687",
    "266696687",
    "+7378742833",
    "+2562533",
    "+8656696",
    "+86282452253",
    "+",
    "-",
    "0",
    "0000000000",
    "+10000000000",
    "+1 000 000 0000",
    "+1 (000) 000-0000",
    "+33 0 00 00 00 00",
    "000 000 0000",
    "+1",
    "1",
    " 44",
    "sip:anonymous@anonymous.invalid",
    "anonymous@10.0.0.1",
    '"Anonymous" <sip:anonymous@198.51.100.7:5060>',
    "sip:bob@pbx.example;user=phone",
    "sips:john.smith2@example.com",
    "sip:198.51.100.7",
    "Info2Go",
    "\u200b",
)


@pytest.mark.parametrize("raw", NOBODY)
@pytest.mark.parametrize("is_extension", [False, True])
def test_a_withheld_number_is_nobodys(raw, is_extension):
    phone = parse(raw, formats="(###) ###-####", is_extension=is_extension and not any(map(str.isdigit, raw)))
    assert phone.is_withheld
    assert (phone.raw, phone.e164, phone.national, phone.variants) == ("", "", "", ())


@pytest.mark.parametrize(
    ("raw", "e164"),
    [
        ("sip:+14155550133@sip.example.com", "+14155550133"),
        ('"Ines" <sip:+14155550133@198.51.100.7>', "+14155550133"),
        ("sip:4155550133;phone-context=+1@sip.example.com", "+14155550133"),
        ("tel:+1-415-555-0133", "+14155550133"),
        ("7378742833", "+17378742833"),  # Austin, Texas, but RESTRICTED with a plus sign before it
        ("1-800-FLOWERS", "+18003569377"),
        ("+1 (415) 555\u20110133", "+14155550133"),
        ("\u202a+14155550133\u202c", "+14155550133"),
    ],
)
def test_a_number_is_read_out_of_an_address_and_of_any_signs(raw, e164):
    assert parse(raw).e164 == e164


def test_a_number_at_home_may_have_the_digits_of_a_withheld_one():
    assert parse("266696687", home_region="PT").e164 == "+351266696687"


def test_an_extension_is_not_read_as_a_public_number():
    phone = parse("6505550112", is_extension=True)
    assert phone.is_extension
    assert not phone.is_valid


def test_a_template_needs_one_place_for_each_digit():
    assert fill_format("(##) #", "123") == "(12) 3"
    assert fill_format("##", "123") is None
    assert fill_format("####", "123") is None
    assert fill_format("", "") is None


def test_digits_of_other_scripts_are_not_digits_of_a_template():
    assert digits_of("+1 (٣) 4²5") == "145"


@given(SUBSCRIBERS, st.sampled_from(["US", "GB", ""]))
def test_a_number_is_the_same_as_itself_in_its_national_and_international_notation(raw, home_region):
    phone = parse(raw, home_region=home_region)
    for stored in (raw, phone.national, phone.national_format, phone.international_format, *phone.variants):
        assert match_number(phone, stored)


@given(st.text(), st.text(), st.text(), st.booleans())
@example(" ", "#", " ", False)
@example("+" + "1" * 300, "", "1" * 300, False)
def test_no_text_whatever_makes_parsing_or_comparing_fail(raw, formats, stored, is_extension):
    phone = parse(raw, formats=formats, is_extension=is_extension)
    assert len(set(phone.variants)) == len(phone.variants)
    assert all(phone.variants)
    match_number(phone, stored)


@pytest.mark.parametrize("region", ["US", "GB", "DE", "FR", "IT", "AU", "BR", "IN", "JP"])
def test_example_numbers_of_many_countries_match_themselves(region):
    number = phonenumbers.example_number(region)
    phone = parse(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    assert phone.region == region
    assert match_number(phone, phone.national_format)
    assert match_number(phone, phone.international_format)


TEMPLATES = st.text(st.sampled_from("#*()-. +x"), max_size=24)


@given(st.text(), st.text(), st.text(max_size=3))
def test_no_region_or_list_of_formats_makes_parsing_fail(raw, template, region):
    phone = parse(raw, formats=[template, raw], home_region=region)
    assert phone.is_valid == bool(phone.country_code)
    assert all(character in "0123456789" for character in phone.national)


@given(st.text() | SUBSCRIBERS, st.sampled_from(["US", "GB", "DE", "IT"]))
def test_what_was_read_once_reads_the_same_again(raw, region):
    phone = parse(raw, home_region=region)
    for form in (phone.e164, phone.international_format):
        again = parse(form) if form else phone
        assert (again.e164, again.national, again.region) == (phone.e164, phone.national, phone.region)


@given(TEMPLATES, st.text(st.sampled_from("0123456789"), max_size=15))
def test_a_filled_template_holds_the_digits_in_their_order_or_there_is_none(template, digits):
    filled = fill_format(template, digits)
    places = template.count("#") + template.count("*")
    assert (filled is None) == (not digits or places != len(digits))
    if filled is not None:
        assert digits_of(filled) == digits
        assert len(filled) == len(template)


@given(SUBSCRIBERS, TEMPLATES)
def test_a_number_in_a_users_format_keeps_its_digits(raw, template):
    phone = parse(raw, formats=[template, "(###) ###-####"])
    assert {digits_of(form) for form in phone.formats} == {phone.national}


@given(SUBSCRIBERS, SUBSCRIBERS)
def test_two_numbers_are_the_same_exactly_when_they_are_one(first, second):
    assert bool(match_number(parse(first), second)) == (first == second) == bool(match_number(parse(second), first))


@given(st.text())
def test_digits_are_ascii_and_taking_them_twice_changes_nothing(text):
    assert digits_of(text) == "".join(character for character in text if character in "0123456789")
    assert digits_of(digits_of(text)) == digits_of(text)
