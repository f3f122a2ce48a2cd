"""Which role may open which page and do which action of the admin: every address there is, none forgotten."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from audit.models import AuditEvent, CallLog, ConversationLog
from audit.recorder import record
from audit.sealing import seal_all
from audit.seals import AuditSeal
from connectors.deliveries.models import Circuit, Delivery
from connectors.desk.decision_page import DECISIONS
from connectors.desk.site import site
from connectors.models import LookUp
from connectors.roles import ADMINISTRATOR, AUDITOR, ROLES, SUPPORT_ACT, SUPPORT_VIEW, make_roles
from tests.factories import CrmUserFactory

EVERYBODY = frozenset({*ROLES, "nobody"})
STAFF = frozenset(ROLES)
ACT = frozenset({SUPPORT_ACT, ADMINISTRATOR})
NOBODY = frozenset()
ACCOUNTS = frozenset({ADMINISTRATOR})
AUDIT = frozenset({AUDITOR, ADMINISTRATOR})

#: Name of an address -> who may open it.
PAGES = {
    "index": EVERYBODY,
    "password_change": EVERYBODY,
    "password_change_done": EVERYBODY,
    "jsi18n": EVERYBODY,
    "desk_search": STAFF,
    "desk_queue": STAFF,
    "desk_call": STAFF,
    "desk_day": STAFF,
    "desk_user": STAFF,
    "desk_look_up": STAFF,
    "desk_placeholders": STAFF,
    "desk_export": AUDIT,
    "desk_crms": STAFF,
    "desk_try": ACT,
    "desk_text": NOBODY,  # AUDIT_KEEP_BODIES is off
    "desk_mark": ACT,
    "desk_contact": ACT,
    "auth_user_changelist": ACCOUNTS,
    "auth_user_add": ACCOUNTS,
    "auth_user_change": ACCOUNTS,
    "auth_user_delete": ACCOUNTS,
    "auth_user_history": ACCOUNTS,
    "auth_user_password_change": ACCOUNTS,
}
_LISTS = ("audit_calllog", "audit_conversationlog", "audit_auditevent", "connectors_crmuser",
          "deliveries_delivery", "deliveries_circuit")  # fmt: skip
for _name in _LISTS:
    PAGES |= {f"{_name}_{page}": STAFF for page in ("changelist", "change", "history")}
    PAGES |= {f"{_name}_{page}": NOBODY for page in ("add", "delete")}
PAGES |= {f"desk_decide {key}": ACT for key in DECISIONS}
PAGES |= {f"audit_auditseal_{page}": AUDIT for page in ("changelist", "change", "history")}
PAGES |= {f"audit_auditseal_{page}": NOBODY for page in ("add", "delete")}
#: Not pages: they sign in or out, look something up for a form, or lead on.
_OTHERS = {"login", "logout", "autocomplete", "view_on_site", "app_list", ""}


@pytest.fixture
def addresses(db):
    """An address of each name, with something to show."""
    user = CrmUserFactory()
    owned = {"platform": user.platform, "owner": user.owner, "user": user}
    log = CallLog.objects.create(session_id="1", **owned)
    day = ConversationLog.objects.create(conversation_log_id="d", **owned)
    delivery = Delivery.objects.create(
        kind="call_log.create", platform=user.platform, crm="testCRM:", user=user, call_log=log, payload="{}",
        last_error="ReferenceGone", state="person",
    )  # fmt: skip
    record("call_log.create", actor=user.actor)
    seal_all()
    rows = {
        "audit_calllog": log,
        "audit_conversationlog": day,
        "audit_auditevent": AuditEvent.objects.latest("pk"),
        "audit_auditseal": AuditSeal.objects.latest("pk"),
        "connectors_crmuser": user,
        "deliveries_delivery": delivery,
        "deliveries_circuit": Circuit.objects.create(crm="testCRM:"),
        "auth_user": User.objects.create_user("somebody", password="x" * 16, is_staff=True),
        "desk_call": log,
        "desk_day": day,
        "desk_user": user,
        "desk_look_up": LookUp.objects.create(user=user, trace="{}"),
        "desk_text": delivery,
        "desk_mark": delivery,
        "desk_contact": delivery,
    }
    for row in rows.values():
        LogEntry.objects.create(
            user=rows["auth_user"], content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk),
            object_repr="x", action_flag=CHANGE, action_time=timezone.now(),
        )  # fmt: skip

    def address(name):
        name, _, key = name.partition(" ")
        if name == "desk_try":
            return reverse("admin:desk_try", args=["testCRM"])
        if key:
            pk = delivery.pk if DECISIONS[key].action == "delivery.decide" else user.pk
            return f"{reverse(f'admin:{name}', args=[key])}?ids={pk}"
        try:
            return reverse(f"admin:{name}")
        except NoReverseMatch:
            of = name if name in rows else name.removesuffix("_password_change")
            return reverse(f"admin:{name}", args=[rows.get(of, rows.get(of.rpartition("_")[0])).pk])

    return address


def test_every_address_of_the_admin_is_in_the_table():
    known = {name.split(" ")[0] for name in PAGES}
    patterns = [item for pattern in site.get_urls() for item in getattr(pattern, "url_patterns", [pattern])]
    assert {pattern.name or "" for pattern in patterns} - known - _OTHERS == set()


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_opens_what_it_may_and_nothing_else(client, addresses, role):
    make_roles(apps)
    account = User.objects.create_user("lee", password="x" * 16, is_staff=True)
    if role != "nobody":
        account.groups.set([Group.objects.get(name=role)])
    client.force_login(account)
    wrong = {}
    for name, roles in PAGES.items():
        status = client.get(addresses(name), follow=True).status_code
        expected = {200} if role in roles else {403, 404}
        if status not in expected:
            wrong[name] = status
    assert wrong == {}


def test_nobody_who_is_not_signed_in_sees_anything(client, addresses):
    for name in PAGES:
        reply = client.get(addresses(name))
        assert reply.status_code == 302, name
        assert "/admin/login/" in reply["Location"], name


#: Roles -> the actions that lists offer them.
ACTIONS = {
    SUPPORT_VIEW: set(),
    AUDITOR: set(),
    SUPPORT_ACT: {"sign_out", "forget_contacts", "send_now", "hand_back", "give_up"},
    ADMINISTRATOR: {"sign_out", "forget_contacts", "send_now", "hand_back", "give_up", "delete_selected"},
}


@pytest.mark.parametrize("role", list(ROLES))
def test_a_list_offers_a_role_its_actions_and_no_others(rf, addresses, role):
    make_roles(apps)
    account = User.objects.create_user("lee", password="x" * 16, is_staff=True)
    account.groups.set([Group.objects.get(name=role)])
    request = rf.get("/admin/")
    request.user = account
    offered = {name for admin in site._registry.values() for name in admin.get_actions(request)}
    assert offered == ACTIONS[role]
