"""What members of staff may see and do, by role. A role is a group; an account with ``is_staff`` may have several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SUPPORT_VIEW, SUPPORT_ACT = "Support (view)", "Support (act)"
AUDITOR, ADMINISTRATOR = "Auditor", "Administrator"

_SEES = (
    "audit.view_calllog",
    "audit.view_conversationlog",
    "audit.view_messagelog",
    "audit.view_auditevent",
    "connectors.view_crmuser",
    "deliveries.view_delivery",
    "deliveries.view_circuit",
)
#: Decides about what waits, signs users out, forgets cached contacts.
_ACTS = ("deliveries.change_delivery", "connectors.change_crmuser")
_AUDITS = ("audit.view_auditseal", "audit.view_auditpruning", "audit.view_traffichour", "admin.view_logentry")
#: Of accounts other than superusers', see ``connectors.staff_accounts``.
_STAFF = ("auth.view_user", "auth.add_user", "auth.change_user", "auth.delete_user", "auth.view_group")

ROLES: dict[str, tuple[str, ...]] = {
    SUPPORT_VIEW: _SEES,
    SUPPORT_ACT: (*_SEES, *_ACTS),
    #: ``view_bodies`` counts only where AUDIT_KEEP_BODIES is on.
    AUDITOR: (*_SEES, *_AUDITS, "audit.view_bodies"),
    ADMINISTRATOR: (*_SEES, *_ACTS, *_AUDITS, *_STAFF),
}
_FURTHER_NAMES = {"view_bodies": "Can read the text of notes and messages that are kept"}


def make_roles(apps: Any) -> None:
    """Makes the groups, and gives each what its role needs; what somebody gave it besides stays.

    ``apps``: the registry of a migration, or Django's own. Django makes permissions only after all migrations, so those
    that are missing yet are made here, as it would.
    """
    groups = apps.get_model("auth", "Group").objects
    for role, names in ROLES.items():
        group, _ = groups.get_or_create(name=role)
        group.permissions.add(*_permissions(apps, names))


def _permissions(apps: Any, names: Iterable[str]) -> list[Any]:
    content_types = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    found = []
    for name in names:
        app, codename = name.split(".")
        action, model = ("view", "calllog") if codename in _FURTHER_NAMES else codename.split("_", 1)
        label = _FURTHER_NAMES.get(codename) or f"Can {action} {apps.get_model(app, model)._meta.verbose_name_raw}"
        content_type, _ = content_types.get_or_create(app_label=app, model=model)
        permission, _ = permissions.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": label}
        )
        found.append(permission)
    return found
