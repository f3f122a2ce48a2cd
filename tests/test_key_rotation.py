"""New keys for stored secrets: nothing is lost, nothing newer is overwritten, and it may be stopped at any time."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Credentials
from audit.fields import EncryptedTextField, Undecipherable, seal, unseal
from audit.models import AuditEvent
from connectors.models import CrmUser, NoteDraft
from connectors.services import key_rotation
from tests.factories import CrmUserFactory

OLD, NEW = bytes(range(32)), bytes(range(100, 132))


@pytest.fixture
def keys(settings):
    """Rows are made under ``old``; then the new key comes first."""

    def use(**named):
        settings.CREDENTIAL_KEYS = named

    use(old=OLD)
    return use


def _run(*arguments):
    out = StringIO()
    call_command("rotate_credential_keys", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def _user(number=0):
    return CrmUserFactory(credentials=Credentials(access_token=f"access-{number}", refresh_token=f"refresh-{number}"))


def _draft(user):
    return NoteDraft.objects.create(
        user=user, session_id="1", note="call back", expires_at=timezone.now() + timedelta(hours=1)
    )


@pytest.mark.django_db
def test_afterwards_the_old_key_is_not_needed_for_any_column(keys):
    user = _user()
    _draft(user)
    keys(new=NEW, old=OLD)
    printed = _run()
    assert "connectors.CrmUser.access_token: 1 re-encrypted, 0 already under the first key, 0 unreadable" in printed
    assert "connectors.NoteDraft.note: 1 re-encrypted" in printed
    assert "the other keys may be removed" in printed
    keys(new=NEW)
    again = CrmUser.objects.get(pk=user.pk)
    assert (again.access_token, again.refresh_token) == ("access-0", "refresh-0")
    assert again.credentials().extra == {}
    assert NoteDraft.objects.get().note == "call back"
    (event,) = AuditEvent.objects.filter(action="credential_keys.rotate")
    assert (event.outcome, event.subject) == ("success", "new")
    assert event.detail["connectors.CrmUser.access_token"] == {"rotated": 1, "current": 0, "unreadable": 0}


@pytest.mark.django_db
def test_a_second_run_finds_nothing_to_do(keys):
    _user()
    keys(new=NEW, old=OLD)
    _run()
    before = CrmUser.objects.values_list("access_token", flat=True).get()
    assert "access_token: 0 re-encrypted, 1 already under the first key" in _run()
    assert CrmUser.objects.values_list("access_token", flat=True).get() == before


@pytest.mark.django_db
def test_a_dry_run_counts_and_changes_nothing(keys):
    _user()
    keys(new=NEW, old=OLD)
    before = CrmUser.objects.values_list("access_token", flat=True).get()
    assert "access_token: 1 to re-encrypt" in _run("--dry-run")
    assert CrmUser.objects.values_list("access_token", flat=True).get() == before
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_more_rows_than_one_page_are_all_rotated(keys, monkeypatch):
    monkeypatch.setattr(key_rotation, "_PAGE", 3)
    for number in range(8):
        _user(number)
    keys(new=NEW, old=OLD)
    assert "access_token: 8 re-encrypted" in _run()
    keys(new=NEW)
    assert {user.access_token for user in CrmUser.objects.all()} == {f"access-{number}" for number in range(8)}


@pytest.mark.django_db
def test_a_run_that_was_stopped_is_taken_up_again(keys):
    for number in range(4):
        _user(number)
    keys(new=NEW, old=OLD)

    def stop(column, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        key_rotation.rotate_keys(progress=stop)
    assert all(user.access_token.startswith("access-") for user in CrmUser.objects.all())
    assert "access_token: 2 re-encrypted, 2 already under the first key" in _run()


@pytest.mark.django_db
def test_a_token_refreshed_between_reading_and_writing_is_kept_and_rotated(keys, monkeypatch):
    user = _user()
    keys(new=NEW, old=OLD)
    original, refreshed = key_rotation.unseal, []

    def read_slowly(value, *, place):
        text = original(value, place=place)
        if "access_token" in place and not refreshed:
            keys(old=OLD)  # a process that was not restarted yet still encrypts with the old key
            refreshed.append(CrmUser.objects.filter(pk=user.pk).update(**user.set_credentials(_fresh())))
            keys(new=NEW, old=OLD)
        return text

    monkeypatch.setattr(key_rotation, "unseal", read_slowly)
    printed = _run()
    assert "access_token: 1 re-encrypted" in printed
    keys(new=NEW)
    again = CrmUser.objects.get(pk=user.pk)
    assert (again.access_token, again.refresh_token) == ("access-fresh", "refresh-fresh")


def _fresh():
    return Credentials(access_token="access-fresh", refresh_token="refresh-fresh")


@pytest.mark.django_db
def test_a_value_of_a_key_that_is_gone_is_left_alone_and_reported(keys):
    lost = _user(1)
    keys(middle=OLD[::-1])
    _user(2)
    keys(new=NEW, middle=OLD[::-1])
    with pytest.raises(CommandError, match="Keep the old keys"):
        _run()
    assert CrmUser.objects.values_list("access_token", flat=True).get(pk=lost.pk).startswith("v1.old.")
    assert AuditEvent.objects.get(action="credential_keys.rotate").outcome == "failure"
    keys(old=OLD)
    assert CrmUser.objects.get(pk=lost.pk).access_token == "access-1"


@pytest.mark.django_db
def test_a_signed_out_user_has_nothing_to_rotate(keys):
    CrmUserFactory(credentials=Credentials(access_token="x"))
    CrmUser.objects.update(access_token="", refresh_token="", secret_extra="")
    keys(new=NEW, old=OLD)
    assert "access_token: 0 re-encrypted, 0 already" in _run()


def test_every_encrypted_column_of_every_model_is_covered():
    declared = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, EncryptedTextField)
    }
    assert declared == {(model, field.name) for model, field in key_rotation.encrypted_columns()}
    assert (CrmUser, "access_token") in declared
    assert (NoteDraft, "note") in declared


PLACES = st.tuples(st.sampled_from(["a.token", "a.key", "b.token"]), st.uuids()).map(lambda p: f"{p[0]}.{p[1]}")


@given(text=st.text(st.characters(exclude_categories=["Cs"])), place=PLACES)
def test_what_is_sealed_is_read_again_in_its_place(text, place):
    sealed = seal(text, place=place)
    assert unseal(sealed, place=place) == text
    assert len(text) < 4 or text not in sealed


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), place=PLACES, other=PLACES)
def test_a_value_moved_to_another_row_or_column_is_not_read(text, place, other):
    sealed = seal(text, place=place)
    if place != other:
        with pytest.raises(Undecipherable):
            unseal(sealed, place=other)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), data=st.data())
def test_a_value_with_any_character_changed_is_not_read_as_something_else(text, data):
    sealed = seal(text, place="p")
    at = data.draw(st.integers(0, len(sealed) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    altered = sealed[:at] + letter + sealed[at + 1 :]
    try:
        assert unseal(altered, place="p") == text  # the last base64 character has bits that mean nothing
    except Undecipherable:
        assert altered != sealed


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_same_text_is_never_sealed_twice_alike(text):
    assert seal(text, place="p") != seal(text, place="p")


@given(st.text(max_size=200))
def test_no_text_whatever_breaks_reading(text):
    try:
        assert unseal(text, place="p") == ""
    except Undecipherable:
        assert text
