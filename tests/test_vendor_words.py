"""What vendors say in words of their own, in other words than our adapters' documentation has."""

from __future__ import annotations

import json

import pytest
import responses

from adapters.contract import HttpClient, is_deleted
from adapters.contract.references import said_gone
from adapters.contract.wording import (
    says_client_refused,
    says_login_over,
    says_passing,
    says_too_long,
    says_user_closed,
)

NAMES = {"deal": "deal", "owner": "owner"}


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("deal_not_found", "deal"),
        ("DealNotFound", "deal"),
        ("No deal found", "deal"),
        ("There is no deal with this id", "deal"),
        ("Deal not available", "deal"),
        ("deal_id is not a valid choice", "deal"),
        ("deal_id: must be a valid deal", "deal"),
        ("Deal couldn't be located", "deal"),
        ("violates foreign key constraint on deal", "deal"),
        ("Owner is disabled", "owner"),
        ("owner is not active", "owner"),
        ("Owner was deactivated", "owner"),
        ("Deal is required", ""),
        ("owner has no permission", ""),
        ("Deal title must be unique", ""),
    ],
)
def test_what_a_sentence_or_a_code_says_is_gone(said, what):
    assert said_gone(said, NAMES) == what


@pytest.mark.parametrize(
    "said",
    [
        "The provided authorization grant is invalid",
        "No such refresh token",
        "Refresh token could not be found",
        "The refresh_token parameter is invalid",
        "The user has revoked access",
        "Grant expired",
        "no valid refresh token",
        "Unable to find refresh token",
        "Cannot decrypt the refresh token",
        "The refresh token was superseded",
        "Refresh token reuse detected",
        "The app was uninstalled by the user",
        "Re-authentication required",
    ],
)
def test_a_login_is_over_in_further_words(said):
    assert says_login_over({"error": "invalid_request", "error_description": said})
    assert says_login_over(None, said)


@pytest.mark.parametrize(
    "said",
    [
        "Your session has expired",
        "Session is no longer valid",
        "Invalid session",
        "User account is disabled",
        "The account has been suspended",
        "account_suspended",
        "inactive user",
        "This user is not active",
        "Please sign in again",
        "You need to reauthorize the application",
    ],
)
def test_a_user_or_session_is_closed(said):
    assert says_user_closed({"error": said})
    assert not says_passing({"error": said})


@pytest.mark.parametrize(
    "said",
    [
        "Client not found",
        "client does not exist",
        "Unknown application",
        "invalid_app",
        "client_id mismatch",
        "AADSTS7000222: The provided client secret keys for app 'x' are expired.",
    ],
)
def test_the_application_is_refused_in_further_words(said):
    assert says_client_refused({"error": said})


@pytest.mark.parametrize(
    "said",
    [
        "refresh_token parameter missing",
        "grant type not supported",
        "try again later",
        "The session service is not available",
        "user agent is required",
        "account service is starting",
    ],
)
def test_a_login_is_not_over_for_other_reasons(said):
    assert not says_login_over({"error": said})
    assert not says_user_closed({"error": said})
    assert not says_client_refused({"error": said})


@pytest.mark.parametrize(
    "said",
    [
        "Length must be between 1 and 4000",
        "size must be between 0 and 65535",
        "Note text limit is 65,535 chars",
        "Der Text ist zu lang",
        "La note est trop longue",
        "El texto es demasiado largo",
        "Il testo è troppo lungo",
        "O texto é muito longo",
        "De notitie is te lang",
    ],
)
def test_a_text_is_too_long_in_further_words(said):
    assert says_too_long({"message": said})


@pytest.mark.parametrize(
    ("record", "is_gone"),
    [
        ({"IsDeleted": True}, True),
        ({"IS_DELETED": 1}, True),
        ({"Deleted": "Y"}, True),
        ({"in_trash": True}, True),
        ({"deletedDate": "2026-01-14"}, True),
        ({"DELETED_ON": "2026-01-14T10:00:00Z"}, True),
        ({"status": "Deleted"}, True),
        ({"isDeleted": False, "deleted_at": None, "status": "open"}, False),
        ({"deleted": 0, "deleted_on": "0000-00-00 00:00:00"}, False),
        ({"deleted": {}, "deletedAt": ""}, False),
    ],
)
def test_a_record_says_in_many_ways_that_it_was_deleted(record, is_gone):
    assert is_deleted(record) is is_gone


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("; charset=ISO-8859-1", "latin-1"), ('; charset="windows-1252"', "cp1252"), ("", "utf-8-sig")],
)
def test_json_in_an_encoding_that_its_header_names_is_read(charset, encoding):
    client = HttpClient(base_url="https://api.grove.example", hosts=["api.grove.example"])
    body = json.dumps({"name": "Séan Müller"}, ensure_ascii=False).encode(encoding)
    with responses.RequestsMock() as mock:
        mock.get("https://api.grove.example/x", body=body, content_type=f"application/json{charset}")
        assert client.get("x") == {"name": "Séan Müller"}
