"""Redtail's login: user name and password are exchanged once for a user key, which signs all later requests.

Source: the vendor's API collection, "Authentication". The key has no documented end, and changing the password does
not end it; there is no request to revoke it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from adapters.contract import (
    AdoptedLogin,
    Credentials,
    FormerLogin,
    HttpClient,
    LoginForm,
    RequestRejected,
    UnexpectedResponse,
    UserProfile,
    dig,
)
from adapters.redtail.replies import number_of

#: Where the pages of contacts and activities are; nothing else is taken from the caller.
PAGE_HOST = "crm.redtailtechnology.com"
_PAGES = re.compile(r"([a-z0-9-]+\.)+redtailtechnology\.com", re.ASCII)


def key_header(api_key: str, user_key: str) -> str:
    """Signs every request but the login."""
    return f"UserKeyAuth {_encoded(api_key, user_key)}"


def exchange(http: HttpClient, *, api_key: str, form: LoginForm) -> Credentials:
    """The user key for the form's ``username`` and ``password``; the password is not kept anywhere."""
    username = str(form.fields.get("username") or "").strip()
    password = str(form.fields.get("password") or "")
    if not username or not password:
        raise RequestRejected("Enter your Redtail user name and password.")
    header = f"Basic {_encoded(api_key, username, password)}"
    reply = http.get("authentication", headers={"Authorization": header})
    # Either under this member or at the top level: the vendor's examples show both.
    user = dig(reply, "authenticated_user", dict, None) or (reply if isinstance(reply, dict) else {})
    user_key = dig(user, "user_key", str, "")
    if not user_key:
        raise UnexpectedResponse(reason="expected a text at 'user_key'")
    return Credentials(
        access_token=user_key,
        hostname=page_host(form.hostname),
        extra={
            "username": username,
            "user_id": number_of(user.get("id", user.get("redtail_user_id"))),
            "database_id": _database(user) or _database(reply),
            **{key: dig(user, key, str, "") for key in ("first_name", "last_name")},
        },
    )


def adopted(former: FormerLogin) -> AdoptedLogin:
    """A login of another server, which keeps the answer to it (``userResponse``) beside the user key."""
    user = dig(former.facts, "userResponse", dict, {})
    user_id = number_of(user.get("id", user.get("redtail_user_id")))
    key = former.credentials.access_token and (dig(user, "user_key", str, "") or former.credentials.access_token)
    host = page_host(former.hostname)
    names = {name: dig(user, name, str, "") for name in ("first_name", "last_name")}
    facts = {"username": former.user_id, "user_id": user_id, "database_id": _database(user), **names}
    return AdoptedLogin(
        profile=UserProfile(
            id=former.user_id,
            id_ignores_case=True,
            name=" ".join(filter(None, names.values())),
            hostname=host,
            account_id=_database(user),
            extra={"redtail_user_id": user_id},
        ),
        credentials=Credentials(access_token=key, hostname=host, extra=facts) if key else Credentials(),
        used=frozenset({"userResponse", "username"}),
    )


def page_host(hostname: str) -> str:
    """The host of page links: the caller's where it is one of Redtail's."""
    return hostname if _PAGES.fullmatch(hostname) else PAGE_HOST


def _database(row: Mapping[str, Any]) -> str:
    found = number_of(row.get("redtail_database_id", row.get("database_id")))
    return "" if found is None else str(found)


def _encoded(*parts: str) -> str:
    """The password comes last, since it may contain colons."""
    return base64.b64encode(":".join(parts).encode()).decode()
