"""Who of the CRM is who of RingCentral: automatic matches, and what an administrator's save changes of a mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.contract import DirectoryUser

#: How the extension writes that a CRM user has no RingCentral user.
NOBODY = "none"


@dataclass(frozen=True, kw_only=True)
class Extension:
    """One RingCentral user as the client lists them; ``id`` in the client's own JSON type."""

    id: str | int
    name: str = ""
    number: str = ""
    email: str = ""


def extension_ids(entry: Mapping[str, Any]) -> list[str]:
    """The extensions of a stored or sent entry: a text, a number or a list of them; empty for ``none``."""
    value = entry.get("rcExtensionId")
    values = value if isinstance(value, list) else [value]
    return [str(item) for item in values if isinstance(item, str | int) and str(item) not in ("", NOBODY)]


def by_crm_user(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """CRM user id -> extension ids."""
    return {str(entry.get("crmUserId")): extension_ids(entry) for entry in entries}


def matched(
    users: Sequence[DirectoryUser], extensions: Sequence[Extension], *, taken: Iterable[str] = ()
) -> dict[str, Extension]:
    """CRM user id -> the extension with the same e-mail address, else with the same name.

    Letter case and blanks do not count. What is empty matches nothing, and what several people have decides nothing,
    but for a shared address where the name tells them apart. Each extension is given once, and none of ``taken``.
    """
    found: dict[str, Extension] = {}
    used = set(taken)
    addresses = Counter(_plain(user.email) for user in users)
    names = Counter(_plain(user.name) for user in users)

    def give(user: DirectoryUser, candidates: list[Extension]) -> None:
        free = [extension for extension in candidates if str(extension.id) not in used]
        if len(free) > 1:
            free = [extension for extension in free if _same(extension.name, user.name)]
        if len(free) == 1:
            found[str(user.id)] = free[0]
            used.add(str(free[0].id))

    for user in users:
        if addresses[_plain(user.email)] == 1 or names[_plain(user.name)] == 1:
            same = [extension for extension in extensions if _same(extension.email, user.email)]
            if addresses[_plain(user.email)] > 1:
                same = [extension for extension in same if _same(extension.name, user.name)]
            give(user, same)
    for user in users:
        if str(user.id) not in found and names[_plain(user.name)] == 1:
            give(user, [extension for extension in extensions if _same(extension.name, user.name)])
    return found


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _same(one: str, other: str) -> bool:
    return bool(_plain(one)) and _plain(one) == _plain(other)


def merged(
    given: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]] | None, stored: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The stored entries with what differs between ``seen`` and ``given``; with nothing seen, all of ``given``.

    The extension shows the first of several extensions only, and sends that one back: the others stay. An upload that
    leaves nobody mapped where somebody is comes from a client that misread our answer; nothing of it counts.
    """
    kept, sent = by_crm_user(stored), by_crm_user(given)
    if any(kept.values()) and not any(sent.values()):
        return [dict(entry) for entry in stored]
    shown = None if seen is None else by_crm_user(seen)
    result = {} if shown is None else {str(entry.get("crmUserId")): dict(entry) for entry in stored}
    for entry in given:
        key = str(entry.get("crmUserId"))
        if shown is not None and shown.get(key) == sent[key] and key in result:
            continue
        extensions = sent[key]
        if not isinstance(entry.get("rcExtensionId"), list) and extensions:
            extensions = _with_the_others(extensions[0], kept.get(key, []), (shown or {}).get(key))
        result[key] = dict(entry) if extensions == sent[key] else {**entry, "rcExtensionId": extensions}
    for key in shown or {}:
        if key not in sent:
            result.pop(key, None)
    return list(result.values())


def _with_the_others(chosen: str, kept: list[str], shown: list[str] | None) -> list[str]:
    """The chosen extension, and after it those that were not shown beside the one it replaces."""
    replaced = chosen if chosen in kept else (shown or kept)[0] if shown or kept else ""
    return [chosen, *(extension for extension in kept if extension not in (chosen, replaced))]
