"""Settings that two windows change at the same time, and logins that cannot be stored."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import requests
import time_machine
from django.db import InternalError, connection
from django.utils import timezone

from connectors.api import settings as settings_api
from connectors.api.authentication import issue_token
from connectors.models import AccountSettings, CrmUser, ShownSettings
from connectors.services import sessions, settings_changes
from connectors.services.cleaning import clear_tokens
from connectors.services.identity import RingCentralIdentity, hashed
from tests.factories import CrmUserFactory

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]


class Window:
    """One window of the extension: it reads all settings, changes one, and sends all of them back."""

    def __init__(self, url, token):
        self.address = f"{url}/user/settings?jwtToken={token}"
        self.shown = {}

    def read(self):
        self.shown = requests.get(self.address, timeout=40).json()

    def save(self, **values):
        for key, value in values.items():
            self.shown.setdefault(key, {})["value"] = value
        return self.send(self.shown)

    def send(self, settings, remove=()):
        body = {"userSettings": settings, "settingKeysToRemove": list(remove)}
        reply = requests.post(self.address, json=body, timeout=40)
        assert reply.status_code == 200, reply.text
        self.shown = reply.json()["userSettings"]
        return {key: entry["value"] for key, entry in self.shown.items()}


@pytest.fixture
def user():
    return CrmUserFactory()


@pytest.fixture
def windows(live_server, user):
    return [Window(live_server.url, issue_token(user)) for _ in range(2)]


def _in_threads(*tasks):
    failures = []

    def run(task):
        try:
            task()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_none_of_sixty_settings_is_lost_that_two_windows_send_at_once(windows, user):
    def thirty(window, name):
        for number in range(30):
            window.send({f"{name}{number}": {"value": number}})

    _in_threads(lambda: thirty(windows[0], "a"), lambda: thirty(windows[1], "b"))
    stored = {key: entry["value"] for key, entry in CrmUser.objects.get(pk=user.pk).settings.items()}
    assert stored == {f"{name}{number}": number for name in "ab" for number in range(30)}


def test_what_one_window_changes_survives_the_other_which_sends_all_it_was_shown(windows, user):
    def fifteen(window, name):
        for number in range(15):
            window.read()
            window.save(**{name: number, f"{name}{number}": number})

    _in_threads(lambda: fifteen(windows[0], "a"), lambda: fifteen(windows[1], "b"))
    stored = {key: entry["value"] for key, entry in CrmUser.objects.get(pk=user.pk).settings.items()}
    assert stored == {"a": 14, "b": 14, **{f"{name}{number}": number for name in "ab" for number in range(15)}}


def test_what_another_window_is_shown_meanwhile_is_not_forgotten(user):
    old = timezone.now() - timedelta(minutes=5)
    ShownSettings.objects.create(user=user, shown={"old": 1}, own={}, shown_at=old)

    def another_window_reads(execute, sql, params, many, context):
        if sql.startswith("DELETE"):
            ShownSettings.objects.create(user=user, shown={"other": 1}, own={}, shown_at=timezone.now())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(another_window_reads):
        settings_changes.remember_shown(user, {"mine": 1})
    assert [row.shown for row in ShownSettings.objects.order_by("pk")] == [{"other": 1}, {"mine": 1}]


def test_an_older_value_counts_where_the_window_itself_changed_it_back(windows):
    first, second = windows
    first.send({"a": {"value": 1}, "b": {"value": 1}})
    first.read()
    second.read()
    assert first.save(a=2) == {"a": 2, "b": 1}
    first.read()
    assert second.save(b=2) == {"a": 2, "b": 2}
    assert first.save(a=1) == {"a": 1, "b": 2}, "changed back, without undoing the other's change"
    first.read()
    assert first.save(a=2) == {"a": 2, "b": 2}


def test_a_reading_that_led_to_no_change_stands_in_the_way_of_none(windows):
    window = windows[0]
    window.send({"a": {"value": 1}})
    window.read()
    window.read()
    window.save(a=2)
    window.read()
    assert window.save(a=1) == {"a": 1}


def test_a_window_that_changes_nothing_undoes_nothing(windows):
    first, second = windows
    first.send({"a": {"value": 1}})
    second.read()
    first.read()
    first.save(a=2)
    assert second.save() == {"a": 2}


def test_of_one_setting_that_both_change_the_later_change_counts(windows):
    first, second = windows
    first.send({"a": {"value": 1}})
    first.read()
    second.read()
    first.save(a=2)
    assert second.save(a=3) == {"a": 3}


def test_removing_a_setting_in_one_window_leaves_the_changes_of_the_other(windows):
    first, second = windows
    first.send({"a": {"value": 1}, "b": {"value": 1}})
    first.read()
    second.read()
    first.send({"b": {"value": 2}}, remove=["a"])
    assert second.send({"b": {"value": 1}, "c": {"value": 1}}) == {"b": 2, "c": 1}


def test_an_administrators_new_rule_is_what_the_extension_gets_back(windows, user):
    CrmUser.objects.filter(pk=user.pk).update(rc_account_id="1", rc_account_verified=True)
    rule = AccountSettings.objects.create(pk=hashed("1"), settings={"a": {"value": 1, "customizable": False}})
    window = windows[0]
    window.read()
    assert window.save(b=1) == {"a": 1, "b": 1}
    rule.settings = {"a": {"value": 2, "customizable": False}}
    rule.save()
    window.read()
    assert window.save(b=2) == {"a": 2, "b": 2}


def test_what_was_shown_is_kept_for_a_minute_and_never_without_end(windows, user):
    window = windows[0]
    for _ in range(12):
        window.read()
    assert ShownSettings.objects.filter(user=user).count() == 8
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        clear_tokens(dry_run=False)
        assert not ShownSettings.objects.exists()


def test_a_login_leaves_the_settings_that_a_window_changes_meanwhile(client, monkeypatch):
    user = CrmUserFactory(crm_user_id="mine", settings={"a": {"value": 1}})
    token, found = issue_token(user), sessions._row_of

    def row_of(*arguments):
        row = found(*arguments)
        body = {"userSettings": {"a": {"value": 2}}}
        assert client.post(f"/user/settings?jwtToken={token}", body, content_type="application/json").status_code == 200
        return row

    monkeypatch.setattr(sessions, "_row_of", row_of)
    monkeypatch.setattr("adapters.testcrm.adapter.Adapter.login", lambda self, form: user.credentials())
    monkeypatch.setattr("adapters.testcrm.adapter.Adapter.user_profile", lambda self: user.profile())
    body = {"platform": "testCRM", "apiKey": "k"}
    assert client.post("/apiKeyLogin", body, content_type="application/json").json()["jwtToken"]
    assert CrmUser.objects.get(pk=user.pk).settings == {"a": {"value": 2}}


# --- The administrator's settings ----------------------------------------------------------------


def test_two_windows_of_one_administrator_are_merged_too(client, monkeypatch):
    who = RingCentralIdentity(account_id="400131", extension_id="101", is_admin=True)
    monkeypatch.setattr(settings_api, "verify_ringcentral_token", lambda token: who)
    desk, phone = (issue_token(CrmUserFactory()) for _ in range(2))

    def read(token):
        return client.get(f"/admin/settings?jwtToken={token}&rcAccessToken=t").json()["userSettings"]

    def save(token, settings):
        body = {"adminSettings": {"userSettings": settings}}
        path = f"/admin/settings?jwtToken={token}&rcAccessToken=t"
        assert client.post(path, body, content_type="application/json").status_code == 200

    save(desk, {"a": {"value": 1}, "b": {"value": 1}})
    mine, other = read(desk), read(phone)
    save(desk, {**mine, "a": {"value": 2}})
    save(phone, {**other, "b": {"value": 2}})
    save(desk, {**mine, "a": {"value": 3}})
    assert read(desk) == {"a": {"value": 3}, "b": {"value": 2}}


# --- A login that cannot be stored ---------------------------------------------------------------


@pytest.fixture
def accepted_by_the_crm(monkeypatch, user):
    for name in ("login", "exchange_code"):
        monkeypatch.setattr(f"adapters.testcrm.adapter.Adapter.{name}", lambda self, form: user.credentials())
    monkeypatch.setattr("adapters.testcrm.adapter.Adapter.user_profile", lambda self: user.profile())
    monkeypatch.setattr("adapters.registry.missing_secrets", lambda manifest: [])


@pytest.fixture
def read_only():
    """The database takes no change, as after a fail-over or on a full disk."""
    sqlite = connection.vendor == "sqlite"
    on, off = (f"PRAGMA query_only={value}" if sqlite else f"SET default_transaction_read_only={value}"
               for value in ("on", "off"))  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(on)
    yield
    with connection.cursor() as cursor:
        cursor.execute(off)


LOGINS = [
    ("post", "/apiKeyLogin", {"platform": "testCRM", "apiKey": "k"}),
    ("get", "/oauth-callback?callbackUri=https://x.test/?code=c&state=platform=testCRM", None),
]


@pytest.mark.parametrize(("method", "path", "body"), LOGINS, ids=["key", "code"])
def test_a_login_that_cannot_be_stored_is_an_error(client, accepted_by_the_crm, read_only, method, path, body):
    reply = getattr(client, method)(path, body, content_type="application/json")
    assert reply.status_code == 503
    assert b"jwtToken" not in reply.content


@pytest.mark.parametrize(("method", "path", "body"), LOGINS, ids=["key", "code"])
def test_nor_is_one_for_a_login_that_the_database_refuses(client, accepted_by_the_crm, monkeypatch, method, path, body):
    def refuse(self, **options):
        raise InternalError("cannot execute UPDATE in a read-only transaction")

    monkeypatch.setattr(CrmUser, "save", refuse)
    reply = getattr(client, method)(path, body, content_type="application/json")
    assert reply.status_code == 503
    assert reply.content.startswith(b"You are not connected: the login could not be stored")
