"""Users of the extension: who they are, and how they log in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from adapters.contract import Credentials, LoginForm, OAuthCallback
from adapters.testcrm.server_api import RINGCENTRAL_REDIRECT
from adapters.testcrm.server_store import TIME_ZONE, User
from audit.prepared import PreparedQuery, insert
from connectors.models import CrmUser
from connectors.services import sessions
from simulation.crm import crm

PLATFORM = "testCRM"
#: The company to which a person may move.
ELSEWHERE = "beta"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user: the API key, or the name of an OAuth login, which names the company too.

    ``extension``: whose calls they log, "" where the client does not say.
    """

    key: str
    extension: str = ""
    is_oauth: bool = False

    @property
    def company(self) -> str | None:
        return "acme" if self.key.startswith("acme-") else None

    @property
    def known(self) -> User:
        """As the CRM knows them."""
        return crm.user_named(self.key) if self.is_oauth else crm.store.user_of_key(self.key)

    def row(self) -> CrmUser:
        (row,) = _rows(PLATFORM, f"{self.known.id}-{PLATFORM}")
        return row


def _rows_of(platform: str, wire_id: str) -> QuerySet[CrmUser]:
    return CrmUser.objects.filter(platform=platform, wire_id=wire_id)


_rows = PreparedQuery(_rows_of)  # windows ask for it all the time

ANN = Person(key="acme-ann")
BOB = Person(key="acme-bob")
CLEO = Person(key="acme-cleo", is_oauth=True)
EVE = Person(key="eve")
DORA = Person(key="dora", is_oauth=True)
EVERYBODY: Sequence[Person] = (ANN, BOB, CLEO, EVE, DORA)


def connect(person: Person, *, is_token_old: bool = False) -> None:
    """The row of a connected user, without asking the CRM."""
    known = person.known
    user = CrmUser(
        platform=PLATFORM,
        wire_id=f"{known.id}-{PLATFORM}",
        crm_user_id=known.id,
        crm_account_id=known.company or "",
        name=known.name,
        timezone=TIME_ZONE,
        host="127.0.0.1:8070",
        connected_at=timezone.now(),
    )
    if person.is_oauth:
        tokens = crm.tokens(person.key)
        expires_at = timezone.now() + timedelta(seconds=0 if is_token_old else tokens.expires_in)
        user.set_credentials(
            Credentials(access_token=tokens.access, refresh_token=tokens.refresh, expires_at=expires_at)
        )
    else:
        user.set_credentials(Credentials(access_token=person.key))
    insert(user)


def login(person: Person) -> None:
    """Connects the user again."""
    if person.is_oauth:
        code = crm.store.new_code(person.key, RINGCENTRAL_REDIRECT)
        callback = OAuthCallback(code=code, redirect_uri=RINGCENTRAL_REDIRECT)
        sessions.connect_by_code(platform=PLATFORM, callback=callback, rc_account_id="", hashed_extension_id="")
    else:
        sessions.connect_by_form(
            platform=PLATFORM,
            form=LoginForm(fields={"apiKey": person.key}),
            rc_account_id="",
            rc_account_verified=False,
            hashed_extension_id="",
        )


def tenant_of(user: CrmUser) -> str:
    """Where in the CRM the user's records are: the sandbox's rule."""
    return user.crm_account_id or user.crm_user_id
