"""What support staff see and do, what is cleaned up, and who never sees whose logs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from adapters.contract import Credentials
from audit.models import AuditEvent, CallLog, ConversationLog, LogState, MessageLog
from audit.recorder import record
from connectors.api.authentication import issue_token
from connectors.api.sessions import take_apart
from connectors.models import ContactCreation, ContactMatch, CrmUser, NoteDraft
from connectors.services.cleaning import clear_tokens
from tests.factories import CrmUserFactory


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("kim", password="x" * 16))
    return client


@pytest.mark.django_db
def test_the_start_page_names_the_crms_that_are_not_offered_and_what_they_lack(staff, settings):
    settings.ADAPTER_VARIABLES = {"PIPEDRIVE_CLIENT_ID": "id"}
    page = staff.get("/admin/").content.decode()
    rows = dict(re.findall(r'<th scope="row">(.*?)</th><td><code>(.*?)</code>', page))
    assert rows["Pipedrive"] == "PIPEDRIVE_CLIENT_SECRET"
    assert rows["Redtail"] == "REDTAIL_API_KEY"
    assert "Insightly" not in rows, "it needs no secret of ours"
    settings.ENABLED_ADAPTERS = ["insightly"]
    assert "Not offered to users" not in staff.get("/admin/").content.decode()


def _logged(user, session_id="900"):
    return CallLog.objects.create(
        platform=user.platform,
        owner=user.owner,
        user=user,
        session_id=session_id,
        crm_log_id="call-1",
        state=LogState.LOGGED,
    )


@pytest.mark.django_db
def test_support_sees_no_token(staff):
    user = CrmUserFactory(credentials=Credentials(access_token="very-secret"))
    log = _logged(user)
    record("call_log.create", actor=user.actor, subject="900", target="call-1")
    for path in ("crmuser", "calllog", "conversationlog", "auditevent"):
        app = "connectors" if path == "crmuser" else "audit"
        page = staff.get(f"/admin/{app}/{path}/")
        assert page.status_code == 200
        assert "very-secret" not in page.content.decode()
    for path, name in ((f"connectors/crmuser/{user.pk}", user.name), (f"audit/calllog/{log.pk}", "call-1")):
        detail = staff.get(f"/admin/{path}/change/", follow=True).content.decode()
        assert name in detail
        assert "v1.test" not in detail
        assert "very-secret" not in detail


LISTS = {
    "connectors/crmuser": "Agent {}<",
    "audit/calllog": "Agent {}<",
    "audit/conversationlog": "Agent {}<",
    "audit/auditevent": "subject-{}",
}


def _rows_of_five_days():
    """Rows of every list, of one day each, stored in another order."""
    now = timezone.now()
    for number in (3, 1, 5, 2, 4):
        with time_machine.travel(now - timedelta(days=number), tick=False):
            user = CrmUserFactory(crm_user_id=f"u-{number}", name=f"Agent {number}")
            _logged(user, f"session-{number}")
            day = ConversationLog.objects.create(
                platform=user.platform, owner=user.owner, user=user, conversation_log_id=f"conversation-{number}/day"
            )
            MessageLog.objects.create(
                platform=user.platform, owner=user.owner, conversation=day, message_id=f"message-{number}"
            )
    for number in (5, 4, 3, 2, 1):  # nobody writes an event into the past
        record("call_log.create", actor="user:x", subject=f"subject-{number}")


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "name"), LISTS.items())
def test_the_newest_row_of_a_list_stands_first(staff, path, name):
    _rows_of_five_days()
    page = staff.get(f"/admin/{path}/").content.decode()
    table = page[page.index('id="result_list"') :]
    places = [table.index(name.format(number)) for number in (1, 2, 3, 4, 5)]
    assert places == sorted(places)


@pytest.mark.django_db
@pytest.mark.parametrize("path", LISTS)
def test_a_list_asks_the_database_no_more_for_more_rows(staff, path):
    _rows_of_five_days()
    with CaptureQueriesContext(connection) as few:
        staff.get(f"/admin/{path}/")
    for number in range(6, 30):
        user = CrmUserFactory(crm_user_id=f"u-{number}")
        _logged(user, f"session-{number}")
        day = ConversationLog.objects.create(platform="testCRM", owner=user.owner, user=user, conversation_log_id="c")
        MessageLog.objects.create(platform="testCRM", owner=user.owner, conversation=day, message_id="m")
        record("call_log.create", actor=user.actor, subject="s")
    with CaptureQueriesContext(connection) as many:
        staff.get(f"/admin/{path}/")
    assert len(many) == len(few)


@pytest.mark.django_db
def test_no_link_of_the_start_page_leads_nowhere(staff):
    links = re.findall(r'href="(/[^"#]*)"', staff.get("/admin/").content.decode())
    assert "/admin/audit/calllog/" in links
    assert [link for link in links if not link.startswith(("/admin/", "/static/"))] == []


@pytest.mark.django_db
def test_times_are_shown_to_the_second_and_with_their_zone(staff):
    with time_machine.travel(datetime(2026, 5, 4, 16, 31, 7, tzinfo=UTC), tick=False):
        log = _logged(CrmUserFactory())
        record("call_log.create", actor="user:x")
    event = AuditEvent.objects.get(actor="user:x")
    for path in (f"calllog/{log.pk}/change/", "auditevent/", f"auditevent/{event.pk}/change/"):
        assert "2026-05-04 16:31:07 UTC" in staff.get(f"/admin/audit/{path}", follow=True).content.decode()


@pytest.mark.django_db
def test_support_changes_nothing_but_signs_a_user_out(staff):
    user = CrmUserFactory()
    token = issue_token(user)
    assert staff.get("/admin/connectors/crmuser/add/").status_code == 403
    assert staff.post(f"/admin/connectors/crmuser/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    page = staff.post("/admin/connectors/crmuser/", {"action": "sign_out", "_selected_action": [str(user.pk)]})
    assert "1 will be signed out." in page.content.decode()
    assert CrmUser.objects.get(pk=user.pk).is_connected, "nothing happens before it is confirmed"
    staff.post("/admin/desk/decide/sign-out/", {"confirmed": "yes", "ids": str(user.pk)})
    assert not CrmUser.objects.get(pk=user.pk).is_connected
    assert staff.get(f"/hostname?jwtToken={token}").status_code == 400
    assert AuditEvent.objects.get(action="session.disconnect").actor == "staff:kim"


@pytest.mark.django_db
def test_an_audit_event_can_be_neither_changed_nor_deleted_in_the_database():
    record("call_log.create", actor="user:x")
    for statement in ("UPDATE audit_auditevent SET actor = 'y'", "DELETE FROM audit_auditevent"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert AuditEvent.objects.get().actor == "user:x"


@pytest.mark.django_db
def test_clear_tokens_counts_first_and_then_removes_what_has_expired():
    old, fresh = timezone.now() - timedelta(days=200), timezone.now()
    expired = CrmUserFactory(last_seen_at=old)
    dead = CrmUserFactory(credentials=Credentials(access_token="a", expires_at=fresh - timedelta(days=1)))
    alive = CrmUserFactory()
    ContactMatch.objects.create(user=alive, key="k", result={}, fetched_at=old)
    NoteDraft.objects.create(user=alive, session_id="1", note="n", expires_at=old)
    out = StringIO()
    call_command("clear_tokens", "--dry-run", stdout=out)
    line = "testCRM: expired sessions 1, dead tokens 1, stale look-ups 1, note drafts 1"
    assert line in out.getvalue()
    assert CrmUser.objects.exclude(access_token="").count() == 3
    call_command("clear_tokens", stdout=StringIO())
    assert list(CrmUser.objects.exclude(access_token="")) == [alive]
    assert {expired.pk, dead.pk} == set(CrmUser.objects.filter(access_token="").values_list("pk", flat=True))
    assert not ContactMatch.objects.exists()
    assert not NoteDraft.objects.exists()


@pytest.mark.django_db
def test_clear_tokens_counts_what_is_remembered_of_created_contacts():
    long_ago = timezone.now() - timedelta(days=2)
    ContactCreation.objects.create(platform="testCRM", owner="user:x", key="k", changed_at=long_ago)
    for arguments in (["--dry-run"], []):
        out = StringIO()
        call_command("clear_tokens", *arguments, stdout=out)
        assert "testCRM: remembered contact creations 1" in out.getvalue()
    assert not ContactCreation.objects.exists()


@pytest.mark.django_db
def test_a_user_who_comes_back_while_tokens_are_cleared_stays_connected():
    users = [CrmUserFactory(last_seen_at=timezone.now() - timedelta(days=200)) for _ in range(2)]

    def come_back(done, total):
        CrmUser.objects.exclude(access_token="").update(last_seen_at=timezone.now())

    clear_tokens(dry_run=False, progress=come_back)
    assert CrmUser.objects.filter(pk__in=[user.pk for user in users]).exclude(access_token="").count() == 1


@pytest.mark.django_db
def test_one_users_log_is_neither_seen_nor_in_the_way_of_another_tenants(client):
    mine, theirs = CrmUserFactory(), CrmUserFactory()
    _logged(theirs)
    token = issue_token(mine)
    (row,) = client.get(f"/callLog?sessionIds=900&jwtToken={token}").json()["logs"]
    assert row == {"sessionId": "900", "matched": False}
    edit = client.patch(
        f"/callLog?jwtToken={token}", {"sessionId": "900", "note": "x"}, content_type="application/json"
    )
    assert edit.json()["successful"] is False
    choice = {"sessionId": "900", "dispositions": {"deals": 1}}
    reply = client.put(f"/callDisposition?jwtToken={token}", choice, content_type="application/json").json()
    assert reply["returnMessage"]["message"] == "Cannot find log"


@pytest.mark.django_db
def test_colleagues_of_one_account_share_their_logs(client):
    mine, colleague = CrmUserFactory(crm_account_id="acme"), CrmUserFactory(crm_account_id="acme")
    _logged(colleague)
    (row,) = client.get(f"/callLog?sessionIds=900&jwtToken={issue_token(mine)}").json()["logs"]
    assert row["matched"] is True


@pytest.mark.django_db
def test_rows_of_one_session_cannot_exist_twice():
    user = CrmUserFactory()
    _logged(user)
    with pytest.raises(DatabaseError), transaction.atomic():
        _logged(user)
    assert ConversationLog.objects.count() == MessageLog.objects.count() == 0


REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"


@pytest.mark.parametrize(
    "query",
    [
        {"callbackUri": f"{REDIRECT}?code=abc", "state": "platform=testCRM"},
        {"callbackUri": f"{REDIRECT}?state=platform=testCRM", "code": "abc"},
        {"callbackUri": f"{REDIRECT}?code=abc", "state": "platform%3DtestCRM"},
        {"callbackUri": "https%3A%2F%2Fringcentral.github.io%2Fringcentral-embeddable%2Fredirect.html"
                        "%3Fcode%3Dabc%26state%3Dplatform%253DtestCRM"},
    ],
)  # fmt: skip
def test_every_variant_of_the_callback_gives_platform_code_and_redirect_address(query):
    platform, callback = take_apart(query, server_url="https://switchboard.example")
    assert platform == "testCRM"
    assert (callback.code, callback.redirect_uri) == ("abc", REDIRECT)


def test_a_declined_authorisation_is_told_apart_from_a_broken_one():
    query = {"callbackUri": f"{REDIRECT}?error=access_denied&state=platform=testCRM"}
    assert take_apart(query, server_url="https://switchboard.example") == ("testCRM", None)


@pytest.mark.parametrize(("path", "leads_to"), [("/", "/admin/login/?next=/"), ("/admin", "/admin/")])
def test_who_opens_the_servers_address_is_led_to_the_sign_in_or_the_admin(client, path, leads_to):
    assert client.get(path).headers["Location"] == leads_to
