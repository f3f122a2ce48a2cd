"""What logins mean for kept changes: revocation of old ones, and what a new one sets free."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from adapters.contract import Credentials, CredentialsRejected, UnsupportedOperation
from audit.prepared import PreparedQuery, delete
from connectors.deliveries import clock
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind
from connectors.deliveries.queue import State
from connectors.models import CrmUser
from connectors.release_notes import RELEASE_NOTES
from connectors.services.crm_access import build_adapter, pace_key_of

_BETWEEN_REFUSED_LOGINS = timedelta(hours=1)


def revoke(delivery: Delivery, credentials: Credentials, **_: Any) -> None:
    """Ends a login at the CRM that is gone here already, unless the user has connected again meanwhile.

    Some vendors end every login of the user then, the new one included.
    """
    user = delivery.user
    user.refresh_from_db()
    if user.is_connected:
        return
    adapter = build_adapter(
        platform=user.platform,
        user=user.profile(),
        credentials=credentials,
        owner=user.owner,
        pace_key=pace_key_of(user),
    )
    with contextlib.suppress(CredentialsRejected, UnsupportedOperation):  # useless already, or not to be made so
        adapter.revoke()


def drop_revocations(user: CrmUser) -> None:
    """The user has connected again: a revocation kept from before would end the new login."""
    delete(Delivery, {"user": user.pk, "kind": Kind.REVOKE})


def wake(user: CrmUser) -> int:
    """The user can be served again: everything of theirs is due now. Returns how many changes there are.

    What was accepted at another account of the CRM waits on for a login there.
    """
    of_this_account = Q(call_log__owner=user.owner) | Q(conversation__owner=user.owner)
    waiting = Delivery.objects.filter(of_this_account, user=user, state__in=(State.WAITING, State.LOGIN))
    now = clock.now()
    return waiting.update(state=State.WAITING, next_attempt_at=now, hold_until=now)


def given_up(user: CrmUser) -> int:
    """How many changes of the user could not be sent, and wait for support."""
    return len(_given_up(user.pk))


_given_up = PreparedQuery(
    lambda user: (
        Delivery.objects.filter(user=user, state__in=(State.GIVEN_UP, State.PERSON))
        .exclude(kind=Kind.REVOKE)
        .only("pk")
    )
)


def retry_logins() -> None:
    """Makes due, once an hour, what waits for a login though its user is connected: a CRM may refuse one in error."""
    since = clock.now() - _BETWEEN_REFUSED_LOGINS
    waiting = Delivery.objects.filter(state=State.LOGIN, next_attempt_at__lt=since)
    for delivery in waiting.exclude(user__access_token="").select_related("user", "call_log", "conversation"):
        if delivery.has_its_login:
            Delivery.objects.filter(pk=delivery.pk, state=State.LOGIN).update(state=State.WAITING)


def keys_and_version() -> str:
    """What decides whether a stored change can be read."""
    return ",".join([*sorted(settings.CREDENTIAL_KEYS), next(iter(RELEASE_NOTES))])[:255]


def retry_unreadable() -> None:
    """Makes due what could not be read with other keys, or by another version, than this server has now."""
    unreadable = Delivery.objects.filter(state=State.PERSON).exclude(unreadable_with__in=("", keys_and_version()))
    unreadable.update(state=State.WAITING, next_attempt_at=clock.now())
