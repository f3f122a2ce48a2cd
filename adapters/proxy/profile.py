"""Who signed in: the profile out of the answer, and its way from the sign-in to the stored user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.contract import AdapterContext, Credentials, Manifest, UserProfile, dig, require_id
from adapters.proxy.definition import Operation
from adapters.proxy.reading import name_at, place, text
from adapters.proxy.template import MISSING, is_host_name

_MESSAGE_KEPT = 200


def plain_host(given: str) -> str:
    """The host name in what a user typed or pasted, in lower case; "" when there is none to be trusted."""
    host = given.strip().lower().rpartition("://")[2].split("/")[0]
    return host if is_host_name(host) else ""


def host_of(context: AdapterContext) -> str:
    """The host the user belongs to, for addresses; whether it is one of the CRM's is checked with every request."""
    return plain_host(context.credentials.hostname or context.user.hostname)


def blank_fields(manifest: Manifest, requests: Iterable[Operation], given: Mapping[str, Any]) -> list[str]:
    """Titles of the required fields of the sign-in form that its requests send and that hold nothing."""
    sent = {path.removeprefix("additionalInfo.") for one in requests for _, path in one.variables()}
    rows = dig(manifest.client, "auth.apiKey.page.content", list, [])
    return [
        str(row.get("title") or row["const"])
        for row in rows
        if row.get("required") and row.get("const") in sent and not str(given.get(row["const"]) or "").strip()
    ]


def profile_of(answer: Mapping[str, Any], mapping: Mapping[str, Any], *, url: str) -> UserProfile:
    """The user. Raises ``UnexpectedResponse`` without an id: all users would share one row.

    The host is the one that answered, unless the definition says where another is. Identity rests on the one that
    answered in any case.
    """
    user_id = require_id(answer, place(mapping["idPath"]))
    extras = {
        key: dig(answer, place(path), object, MISSING)
        for key, path in mapping.get("platformAdditionalInfoPaths", {}).items()
    }
    return UserProfile(
        id=user_id,
        name=name_at(answer, mapping, str(user_id)),
        timezone=_text(answer, mapping, "timezoneNamePath"),
        hostname=_text(answer, mapping, "hostnamePath") or urlsplit(url).netloc,
        identity_host=urlsplit(url).netloc,
        account_id=_text(answer, mapping, "accountIdPath"),
        email=_text(answer, mapping, "emailPath"),
        extra={key: value for key, value in extras.items() if value is not MISSING},
    )


def welcome_of(answer: Mapping[str, Any], mapping: Mapping[str, Any]) -> str:
    """What the CRM says to the user after the sign-in."""
    return _text(answer, mapping, "messagePath")[:_MESSAGE_KEPT]


def kept_profile(profile: UserProfile, welcome: str) -> dict[str, Any]:
    """A profile among the credentials: what was typed at sign-in is gone when the user is stored."""
    names = ("id", "name", "timezone", "hostname", "identity_host", "account_id", "email", "extra")
    return {"profile": {name: getattr(profile, name) for name in names}, "welcome": welcome}


def profile_kept_in(credentials: Credentials) -> UserProfile | None:
    kept = credentials.extra.get("profile")
    return UserProfile(**kept) if isinstance(kept, dict) else None


def _text(answer: Mapping[str, Any], mapping: Mapping[str, Any], key: str) -> str:
    return text(answer, mapping[key]) if key in mapping else ""
