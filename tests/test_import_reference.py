"""Users, logs and settings of a reference server: nobody connects again, and nothing is logged twice."""

from __future__ import annotations

import sqlite3

import jwt
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone

from adapters import registry
from adapters.contract import ConnectorError, Credentials, FormerLogin, LoginForm, UserProfile
from adapters.testcrm.adapter import Adapter as SandboxAdapter
from audit.models import AuditEvent, CallLog, ConversationLog, MessageLog
from connectors.management.commands import import_reference
from connectors.models import AccountSettings, CallDownEntry, CrmUser
from connectors.reference import source
from connectors.services.sessions import connect_by_form
from tests.extension import call, conversation
from tests.factories import CrmUserFactory
from tests.reference_database import ReferenceDatabase

pytestmark = pytest.mark.django_db
INES = {"id": 41207, "name": "Ines Pardo", "type": "Contact", "phone": "+14155550123"}


@pytest.fixture
def reference(tmp_path, settings):
    database = ReferenceDatabase(tmp_path)
    settings.REFERENCE_DATABASE = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database.path)}
    yield database
    database.close()


def _imported(capsys, *options):
    call_command("import_reference", *options)
    return set(capsys.readouterr().out.splitlines())


def _token(wire_id="u1-testCRM"):
    """As the reference server issued it: without an epoch."""
    claims = {"id": wire_id, "platform": wire_id.rpartition("-")[2]}
    return jwt.encode(claims, settings.APP_SERVER_SECRET_KEY, algorithm="HS256")


def test_who_was_signed_in_stays_so_and_nothing_is_logged_twice(reference, capsys, client):
    reference.user(timezoneName="Europe/Berlin", userSettings={"autoLogCall": {"value": True}})
    reference.call("7200001")
    reference.message("951")
    reference.message("952")
    assert _imported(capsys) == {
        "users: 1 taken over",
        "call logs: 1 taken over",
        "messages: 2 taken over",
        "conversation days: 1 taken over",
    }
    token = _token()
    (log,) = client.get(f"/callLog?sessionIds=7200001&jwtToken={token}").json()["logs"]
    assert (log["matched"], log["logId"]) == (True, 97200001)
    reply = client.post(f"/callLog?jwtToken={token}", call("7200001", INES), content_type="application/json").json()
    assert reply["returnMessage"]["message"].startswith("Existing log")
    texts = conversation("c1", INES, 0, info={"conversationLogId": "c1/2026-01-14"})
    texts["logInfo"]["messages"] = [{"id": number, "type": "SMS", "direction": "Inbound"} for number in (951, 952)]
    for message in texts["logInfo"]["messages"]:
        message |= {"subject": "hi", "creationTime": "2026-01-14T17:00:00Z", "from": {"phoneNumber": INES["phone"]}}
    reply = client.post(f"/messageLog?jwtToken={token}", texts, content_type="application/json").json()
    assert (reply["successful"], reply["logIds"]) == (True, [])
    assert CallLog.objects.count() == MessageLog.objects.filter(message_id="951").count() == 1
    settings_here = client.get(f"/user/settings?jwtToken={token}").json()
    assert settings_here["autoLogCall"]["value"] is True
    user = CrmUser.objects.get()
    assert (user.timezone, user.credentials().access_token) == ("Europe/Berlin", "demo-key")
    assert user.__dict__["access_token"] != "demo-key"  # encrypted
    assert AuditEvent.objects.get(action="reference.import").detail["counts"]


def test_times_and_records_are_those_of_the_past(reference, capsys):
    reference.user()
    reference.call("1", contactId="abc", log="0042")
    reference.message("5", thirdPartyLogId="7001")
    reference.message("6", thirdPartyLogId="7002", createdAt="2026-01-14 18:00:00.000 +00:00")
    _imported(capsys)
    log, day = CallLog.objects.get(), ConversationLog.objects.get()
    assert log.created_at.isoformat() == "2026-01-14T17:31:07+00:00"
    assert (log.wire_log_id(), log.wire_contact_id(), log.state) == ("0042", "abc", "logged")
    assert (day.wire_log_id(), day.earlier_ids, day.messages.count()) == (7002, ["7001"], 2)


def test_a_day_that_went_on_here_keeps_its_record(reference, capsys):
    reference.user()
    reference.message("5")
    reference.message("6")  # in the same record: the day has no earlier one
    _imported(capsys)
    day = ConversationLog.objects.get()
    assert (day.wire_log_id(), day.earlier_ids) == (7001, [])
    MessageLog.objects.create(platform="testCRM", owner=day.owner, message_id="7", conversation=day)  # logged today
    reference.message("8", thirdPartyLogId="7002", createdAt="2026-01-14 18:00:00.000 +00:00")
    _imported(capsys)
    day.refresh_from_db()
    assert (day.wire_log_id(), day.earlier_ids, day.messages.count()) == (7001, [], 4)


def test_a_dry_run_counts_and_writes_nothing(reference, capsys):
    reference.user()
    reference.call("1")
    reference.message("5")
    before = AuditEvent.objects.count()
    assert _imported(capsys, "--dry-run") >= {"call logs: 1 taken over", "users: 1 taken over", "Nothing was written."}
    assert [model.objects.count() for model in (CrmUser, CallLog, ConversationLog, MessageLog)] == [0, 0, 0, 0]
    assert AuditEvent.objects.count() == before


def test_what_is_here_already_stays_as_it_is(reference, capsys):
    here = CrmUserFactory(wire_id="u1-testCRM", name="Kim", session_epoch=3, crm_account_id="acme")
    CallLog.objects.create(platform="testCRM", owner=here.owner, session_id="1", extension="own", crm_log_id="5")
    reference.user(accessToken="another-key")
    reference.call("1")
    reference.call("2")
    expected = {"users: 1 here already", "call logs: 1 here already", "call logs: 1 taken over"}
    assert _imported(capsys) == expected
    here.refresh_from_db()
    assert (here.session_epoch, here.credentials().access_token) == (3, "demo-key")
    assert set(CallLog.objects.values_list("session_id", "owner")) == {("1", here.owner), ("2", here.owner)}
    assert _imported(capsys) == {"users: 1 here already", "call logs: 2 here already"}


def test_an_import_that_was_killed_goes_on_where_it_was(reference, capsys, monkeypatch):
    monkeypatch.setattr(source, "PAGE", 10)
    reference.user()
    for number in range(35):
        reference.call(f"{number}")
        reference.message(f"m{number}", day=f"c{number % 4}/2026-01-14")

    def killed(stream, what):
        return lambda done, total: (_ for _ in ()).throw(SystemExit) if (what, done) == ("messages", 20) else None

    with monkeypatch.context() as patch:
        patch.setattr(import_reference, "Progress", killed)
        with pytest.raises(SystemExit):
            _imported(capsys)
    assert CallLog.objects.count() == 35
    assert MessageLog.objects.count() == 20
    assert "messages: 15 taken over" in _imported(capsys)
    assert sorted(MessageLog.objects.values_list("message_id", flat=True)) == sorted(f"m{n}" for n in range(35))
    assert ConversationLog.objects.count() == 4


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {"wire_id": "7-otherCRM", "platform": "otherCRM"},
            "users: 1 left out (of a CRM that this server does not have)",
        ),
        ({"accessToken": ""}, "users: 1 taken over (logged out)"),
        ({"userSettings": "no JSON"}, "users: 1 taken over"),
        (
            {"userSettings": {"a": {"value": 1}, "b": 5}, "platformAdditionalInfo": {"secret": "x"}},
            "users' further facts: 1 left out (not needed here)",
        ),
    ],
)
def test_what_becomes_of_a_user_is_told(reference, capsys, row, line):
    reference.user(**row)
    assert line in _imported(capsys)


def test_logs_of_nobody_and_of_nothing_are_left_out(reference, capsys):
    reference.user()
    reference.call("1", user="gone-testCRM")
    reference.call("2", thirdPartyLogId=None)
    reference.call("3", sessionId="9" * 300)
    assert _imported(capsys) == {
        "users: 1 taken over",
        "call logs: 1 left out (of a user who is not in the database)",
        "call logs: 1 left out (without an id in the CRM)",
        "call logs: 1 left out (an id is longer than any that RingCentral or a CRM makes)",
    }


def test_hashed_ids_are_taken_over_with_the_same_key_only(reference, capsys):
    reference.user(rcAccountId="a" * 64, hashedRcExtensionId="e1")
    reference.call("1", hashedExtensionId="e1")
    reference.add("adminConfigs", id="a" * 64, userSettings={"x": {"value": 1}}, userMappings=[{"crmUserId": "7"}])
    assert "administrators' settings: 1 left out (their ids are hashes: see --same-hash-key)" in _imported(capsys)
    assert (CrmUser.objects.get().hashed_rc_extension_id, CallLog.objects.get().extension) == ("", "")
    CallLog.objects.all().delete()
    CrmUser.objects.all().delete()
    assert "administrators' settings: 1 taken over" in _imported(capsys, "--same-hash-key")
    user, account = CrmUser.objects.get(), AccountSettings.objects.get()
    assert (user.hashed_rc_extension_id, user.claimed_rc_account_hash) == ("e1", "a" * 64)
    assert (account.settings, account.user_mappings) == ({"x": {"value": 1}}, [{"crmUserId": "7"}])
    assert CallLog.objects.get().extension == "e1"


def test_call_down_lists_are_taken_over_once(reference, capsys):
    reference.user()
    entry = {"id": "1", "userId": "u1-testCRM", "contactId": "9", "contactType": "Contact", "status": "scheduled"}
    reference.add("callDownLists", **entry, scheduledAt="2026-02-01 10:00:00.000 +00:00")
    assert "call-down entries: 1 taken over" in _imported(capsys)
    assert "call-down entries: 1 here already" in _imported(capsys)
    found = CallDownEntry.objects.get()
    assert (found.status, found.contact_id, found.scheduled_at.day) == ("scheduled", "9", 1)


def test_the_reference_servers_database_is_only_read(reference):
    with (
        source.opened(settings.REFERENCE_DATABASE) as opened,
        opened.connection.cursor() as cursor,
        pytest.raises(DatabaseError),
    ):
        cursor.execute('DELETE FROM "users"')


def test_a_database_that_is_none_of_a_reference_server_is_told(tmp_path, settings, capsys):
    path = tmp_path / "other.sqlite3"
    sqlite3.connect(path).close()
    settings.REFERENCE_DATABASE = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    with pytest.raises(CommandError, match="no reference server wrote it"):
        _imported(capsys)
    settings.REFERENCE_DATABASE = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "none")}
    with pytest.raises(CommandError, match="cannot be read"):
        _imported(capsys)
    settings.REFERENCE_DATABASE = None
    with pytest.raises(CommandError, match="Set REFERENCE_DATABASE_URL"):
        _imported(capsys)


# --- the tenant, which only the CRM knows ----------------------------------------------------------


@pytest.fixture
def connect(monkeypatch):
    """Logs somebody of the company in."""

    def login(user_id="u1"):
        profile = UserProfile(id=user_id, name="Kim", account_id="acme")
        monkeypatch.setattr(SandboxAdapter, "login", lambda self, form: Credentials(access_token="new"))
        monkeypatch.setattr(SandboxAdapter, "user_profile", lambda self: profile)
        user, _ = connect_by_form(
            platform="testCRM",
            form=LoginForm(fields={"apiKey": "new"}),
            rc_account_id="",
            rc_account_verified=False,
            hashed_extension_id="",
        )
        return user

    return login


def test_the_next_login_gives_the_logs_to_the_company(reference, capsys, connect):
    reference.user()
    reference.user("u2-testCRM")
    reference.call("1")
    reference.call("2")
    reference.call("2", user="u2-testCRM", log="555")
    reference.message("951")
    reference.message("951", user="u2-testCRM")
    reference.message("952", user="u2-testCRM")
    _imported(capsys)
    assert CallLog.objects.filter(owner__startswith="user:").count() == 3
    owner = connect("u1").owner
    assert set(CallLog.objects.filter(owner=owner).values_list("session_id", flat=True)) == {"1", "2"}
    user = connect("u2")
    assert user.owner == owner
    assert CallLog.objects.filter(owner=owner, session_id="2").get().crm_log_id == "92"  # the first one stays
    assert CallLog.objects.filter(session_id="2").count() == 2  # and the other can be found
    assert set(MessageLog.objects.filter(owner=owner).values_list("message_id", flat=True)) == {"951", "952"}


@pytest.mark.parametrize("company", ["other", ""])
def test_a_user_who_comes_from_elsewhere_takes_no_logs_along(connect, company):
    user = CrmUserFactory(wire_id="u1-testCRM", crm_user_id="u1", crm_account_id=company)
    CallLog.objects.create(platform="testCRM", owner=user.owner, session_id="1", crm_log_id="5")
    assert connect("u1").owner != user.owner
    assert CallLog.objects.get().owner == user.owner


# --- what each adapter makes of a login ------------------------------------------------------------

REST = "https://rest30.bullhornstaffing.com/rest-services"
BULLHORN = {
    "id": 11,
    "restUrl": f"{REST}/abc/",
    "loginUrl": REST,
    "tokenUrl": "https://auth-east.bullhornstaffing.com/oauth/token",
    "bhRestToken": "session",
}
ACME = {"companyId": 7, "companyDomain": "acme"}
KEY = {"userResponse": {"user_key": "k", "id": 3, "database_id": 8}}
POD = {"apiUrl": "https://api.na1.insightly.com/v3.1/"}
ELSEWHERE = {**BULLHORN, "tokenUrl": "https://evil.example/oauth/token"}
#: Id, host and facts there; token, account and page host here.
LOGINS = {
    "clio": ("345", "eu.app.clio.com", {}, "token", "", "eu.app.clio.com"),
    "clio, another host": ("345", "clio.evil.example", {}, "", "", ""),
    "pipedrive": ("12", "acme.pipedrive.com", ACME, "token", "7", "acme.pipedrive.com"),
    "pipedrive, temp": ("12", "temp", ACME, "token", "7", "acme.pipedrive.com"),
    "pipedrive, another host": ("12", "acme.evil.example", {"companyId": 7}, "", "7", ""),
    "insightly": ("9", "crm.na1.insightly.com", POD, "token", "", "crm.na1.insightly.com"),
    "bullhorn": ("5", "app.bullhornstaffing.com", BULLHORN, "session", "abc", "app.bullhornstaffing.com"),
    "bullhorn, another host": ("5", "x", ELSEWHERE, "", "abc", ""),
    "redtail": ("jane", "crm.redtailtechnology.com", KEY, "k", "8", "crm.redtailtechnology.com"),
    "exampleCRM": ("u7", "", {"team": "red"}, "token", "", ""),
}


@pytest.mark.parametrize(("user_id", "host", "facts", "token", "account", "page_host"), LOGINS.values(), ids=LOGINS)
def test_a_login_is_taken_over_and_sent_to_no_other_host(request, user_id, host, facts, token, account, page_host):
    platform = request.node.callspec.id.partition(",")[0]
    manifest = registry.manifests()[platform]
    former = FormerLogin(
        user_id=user_id,
        credentials=Credentials(access_token="token", refresh_token="r", expires_at=timezone.now()),
        hostname=host,
        facts=facts,
    )
    login = registry.adapter_class(platform).adopt(former, manifest=manifest, allowed=registry.hosts_for(manifest))
    assert (login.credentials.access_token, login.profile.account_id) == (token, account)
    assert (login.profile.hostname, str(login.profile.id)) == (page_host, user_id)
    assert "evil" not in repr((login.credentials.hostname, login.credentials.extra, login.profile))


def test_an_insightly_key_for_another_host_is_refused():
    former = FormerLogin(
        user_id="9", credentials=Credentials(access_token="k"), facts={"apiUrl": "https://evil.example"}
    )
    with pytest.raises(ConnectorError):
        registry.adapter_class("insightly").adopt(former, manifest=registry.manifests()["insightly"], allowed=[])
