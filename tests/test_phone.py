"""Numbers as dialled, as stored, and whether they are the same."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.contract.phone import digits_of, fill_format, is_same_number, parse

SUBSCRIBERS = st.integers(0, 99).map(lambda last: f"+1650555{100 + last:04d}")


def test_a_number_is_read_into_every_form_a_search_needs():
    phone = parse("+16505550112")
    assert (phone.e164, phone.national) == ("+16505550112", "6505550112")
    assert (phone.national_format, phone.international_format) == ("(650) 555-0112", "+1 650-555-0112")
    assert (phone.country_code, phone.region) == (1, "US")


def test_a_plus_sign_lost_in_the_query_string_comes_back():
    assert parse(" 442079460106").e164 == "+442079460106"


def test_a_blank_before_a_national_number_is_only_a_blank():
    assert parse(" 6505550112").e164 == "+16505550112"


def test_formats_are_filled_in_the_order_the_user_gave_without_repeats_or_misfits():
    phone = parse("+16505550112", formats=" (***) ***-**** ,, 1##########, ###-####, (###) ###-####, plain")
    assert phone.formats == ("(650) 555-0112", "16505550112")
    assert phone.variants == ("+16505550112", "6505550112", "(650) 555-0112", "16505550112")


def test_formats_may_come_as_a_list():
    assert parse("+16505550112", formats=["###.###.####"]).formats == ("650.555.0112",)


@pytest.mark.parametrize("raw", ["+1650", "hello", "", "+", "+9991234567"])
def test_what_is_no_valid_number_is_tried_only_by_its_digits(raw):
    phone = parse(raw, formats="(###) ###-####")
    assert not phone.is_valid
    assert phone.formats == ()
    assert phone.variants == ((digits_of(raw),) if digits_of(raw) else ())


def test_an_extension_is_not_read_as_a_public_number():
    phone = parse("6505550112", is_extension=True)
    assert phone.is_extension
    assert not phone.is_valid


def test_a_template_needs_one_place_for_each_digit():
    assert fill_format("(##) #", "123") == "(12) 3"
    assert fill_format("##", "123") is None
    assert fill_format("####", "123") is None
    assert fill_format("", "") is None


@pytest.mark.parametrize(
    "stored",
    [
        "+1 (650) 555-0112",
        "650.555.0112",
        "16505550112",
        "1-650-555-0112",
        "(650) 555-0112 ext. 42",
        "tel:+1-650-555-0112",
        "011 1 650 555 0112",
    ],
)
def test_a_stored_number_is_recognised_in_any_notation(stored):
    assert is_same_number(parse("+16505550112"), stored)


@pytest.mark.parametrize(
    "stored", ["", "5550112", "+44 650 555 0112", "6505550113", "4155550112", "not a number", "+1650555011", "0112"]
)
def test_another_number_is_not_taken_for_the_one_dialled(stored):
    assert not is_same_number(parse("+16505550112"), stored)


def test_a_national_number_with_trunk_zero_belongs_to_the_country_of_the_caller():
    phone = parse("+442079460106")
    assert is_same_number(phone, "020 7946 0106")
    assert is_same_number(phone, "0044 20 7946 0106")
    assert is_same_number(phone, "+44 (0)20 7946 0106")


def test_an_invalid_number_matches_only_equal_digits():
    assert is_same_number(parse("12-34"), "1234")
    assert not is_same_number(parse("12-34"), "12345")
    assert not is_same_number(parse("hello"), "hello")


def test_digits_of_other_scripts_are_not_digits_of_a_template():
    assert digits_of("+1 (٣) 4²5") == "145"


@given(SUBSCRIBERS, st.sampled_from(["US", "GB", ""]))
def test_a_number_is_the_same_as_itself_in_its_national_and_international_notation(raw, default_region):
    phone = parse(raw, default_region=default_region)
    for stored in (raw, phone.national, phone.national_format, phone.international_format, *phone.variants):
        assert is_same_number(phone, stored)


@given(st.text(), st.text(), st.text(), st.booleans())
@example(" ", "#", " ", False)
@example("+" + "1" * 300, "", "1" * 300, False)
def test_no_text_whatever_makes_parsing_or_comparing_fail(raw, formats, stored, is_extension):
    phone = parse(raw, formats=formats, is_extension=is_extension)
    assert len(set(phone.variants)) == len(phone.variants)
    assert all(phone.variants)
    assert is_same_number(phone, stored) in (True, False)


@pytest.mark.parametrize("region", ["US", "GB", "DE", "FR", "IT", "AU", "BR", "IN", "JP"])
def test_example_numbers_of_many_countries_match_themselves(region):
    number = phonenumbers.example_number(region)
    phone = parse(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    assert phone.region == region
    assert is_same_number(phone, phone.national_format)
    assert is_same_number(phone, phone.international_format)


TEMPLATES = st.text(st.sampled_from("#*()-. +x"), max_size=24)


@given(st.text(), st.text(), st.text(max_size=3))
def test_no_region_or_list_of_formats_makes_parsing_fail(raw, template, region):
    phone = parse(raw, formats=[template, raw], default_region=region)
    assert phone.is_valid == bool(phone.region or phone.country_code)
    assert all(character in "0123456789" for character in phone.national)


@given(st.text() | SUBSCRIBERS, st.sampled_from(["US", "GB", "DE", "IT"]))
def test_what_was_read_once_reads_the_same_again(raw, region):
    phone = parse(raw, default_region=region)
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
    assert is_same_number(parse(first), second) == (first == second) == is_same_number(parse(second), first)


@given(st.text())
def test_digits_are_ascii_and_taking_them_twice_changes_nothing(text):
    assert digits_of(text) == "".join(character for character in text if character in "0123456789")
    assert digits_of(digits_of(text)) == digits_of(text)
