"""The sandbox CRM's pages: plain HTML without scripts, every value escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --quiet: #6b6b6b; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --quiet: #a3a3a3; --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 50rem; overflow-wrap: anywhere; }
a { color: var(--link); }
h1 { font-size: 1.4rem; margin: .5rem 0; } h1 a { color: inherit; text-decoration: none; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 0; }
p { margin: .5rem 0; } .quiet { color: var(--quiet); font-size: .9rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem 0; } nav b { text-decoration: underline; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: .75rem 0; }
pre { background: var(--soft); border-radius: .25rem; padding: .5rem .75rem; margin: .5rem 0 0; white-space: pre-wrap;
  font: .875rem/1.5 ui-monospace, monospace; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--quiet); } dd { margin: 0; }
input, button { font: inherit; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .25rem; }
input { width: 100%; margin: .25rem 0 1rem; } button { margin-right: .5rem; cursor: pointer; }
"""


def home(
    *,
    logins: Iterable[Mapping[str, Any]],
    chosen: Mapping[str, Any] | None,
    activities: list[dict[str, Any]],
    contacts: list[dict[str, Any]],
) -> str:
    """Everything that was logged, newest first, and the contacts; of one user's company where one is chosen."""
    links = [_choice("Everybody", "/", chosen is None)]
    for login in logins:
        name = login["name"] + (f" ({login['company']})" if login["company"] else "")
        links.append(_choice(name, f"/?user={quote(login['id'])}", bool(chosen and chosen["id"] == login["id"])))
    return _page(
        "Activities",
        '<p class="quiet">Connect with any API key: every key is a person with contacts of their own. Keys that begin'
        " with <code>acme-</code> are colleagues, those that begin with <code>readonly-</code> may change nothing, and"
        " <code>bad-key</code> is refused.</p>",
        f'<nav aria-label="Users">{"".join(links)}</nav>',
        "<h2>Calls and conversations</h2>",
        "".join(_activity_card(activity) for activity in activities)
        or '<p class="quiet">Nothing has been logged yet.</p>',
        "<h2>Contacts</h2>",
        "".join(_contact_card(contact) for contact in contacts) or '<p class="quiet">None.</p>',
    )


def contact(row: Mapping[str, Any], activities: list[dict[str, Any]]) -> str:
    """One contact and what was logged with it."""
    return _page(
        row["name"],
        f"<h2>{escape(row['name'])}</h2>",
        _facts(
            {
                "Id": row["id"],
                "Type": row["type"],
                "Title": row["title"],
                "Company": row["company"],
                "Phone": ", ".join(row["phones"]),
                "Email": row["email"],
                "Deals": _deals(row),
                "Created": _moment(row["created_at"]),
            }
        ),
        "<h2>Calls and conversations</h2>",
        "".join(_activity_card(activity) for activity in activities)
        or '<p class="quiet">Nothing has been logged yet.</p>',
    )


def activity(row: Mapping[str, Any]) -> str:
    """One call or conversation with all that is known of it."""
    return _page(
        row["subject"] or row["id"],
        f"<h2>{escape(row['subject'] or '(no subject)')}</h2>",
        _facts(
            {
                "Id": row["id"],
                "Kind": row["kind"],
                "Direction": row["direction"],
                "Started": _moment(row["started_at"]),
                "Duration": _duration(row["duration_seconds"]),
                "Result": row["disposition"],
                "Logged by": row["owner_name"],
                "Deal": row["deal_id"],
                "Category": row["category"],
                "Address": row["address"],
                "Department": row["department"],
                "External id": row["external_id"],
                "Changed": _moment(row["updated_at"]),
            }
        ),
        f"<p>With {_contact_link(row)}</p>",
        f"<pre>{escape(row['body'] or '')}</pre>",
    )


def consent(asked: Mapping[str, Any], *, hint: str = "") -> str:
    """Asks who is there and whether the application may act for them."""
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(str(asked.get(name, "")))}">'
        for name in ("response_type", "client_id", "redirect_uri", "state")
    )
    return _page(
        "Allow access",
        "<h2>Allow access</h2>",
        f"<p>The application <b>{escape(str(asked.get('client_id', '')))}</b> asks to read contacts and to write calls"
        " and conversations for you.</p>",
        f'<p role="alert">{escape(hint)}</p>' if hint else "",
        '<form method="post" action="/oauth/authorize">',
        hidden,
        '<label>User name <input name="user" value="Robin Vale" autocomplete="off" required></label>'
        '<button name="decision" value="allow">Allow</button>'
        '<button name="decision" value="deny" formnovalidate>Deny</button></form>',
        '<p class="quiet">There are no passwords here: any name is a person, made on first use. Names that begin with'
        " <code>acme-</code> are colleagues.</p>",
    )


def message(title: str, text: str) -> str:
    """A page that only says something."""
    return _page(title, f"<h2>{escape(title)}</h2>", f"<p>{escape(text)}</p>")


def _page(title: str, *parts: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Sandbox CRM</title><style>{_STYLE}</style></head>"
        f'<body><header><h1><a href="/">Sandbox CRM</a></h1></header><main>{"".join(parts)}</main></body></html>'
    )


def _choice(label: str, url: str, is_chosen: bool) -> str:
    return (
        f'<b aria-current="page">{escape(label)}</b>' if is_chosen else f'<a href="{escape(url)}">{escape(label)}</a>'
    )


def _activity_card(row: Mapping[str, Any]) -> str:
    facts = [
        str(row["direction"] or "").capitalize() + f" {row['kind']}" if row["direction"] else row["kind"].capitalize(),
        _moment(row["started_at"]),
        _duration(row["duration_seconds"]),
        row["deal_id"],
        f"logged by {row['owner_name']}" if row["owner_name"] else "",
    ]
    line = " · ".join(escape(str(fact)) for fact in facts if fact)
    return (
        f'<article><h3><a href="/activities/{quote(row["id"])}">{escape(row["subject"] or row["id"])}</a></h3>'
        f'<p class="quiet">{line} · with {_contact_link(row)}</p>'
        + (f"<pre>{escape(row['body'])}</pre>" if row["body"] else "")
        + "</article>"
    )


def _contact_card(row: Mapping[str, Any]) -> str:
    facts = [row["type"], row["title"], row["company"], ", ".join(row["phones"]), _deals(row)]
    line = " · ".join(escape(fact) for fact in facts if fact)
    link = f'<a href="/contacts/{row["id"]}">{escape(row["name"])}</a>'
    return f'<article><h3>{link}</h3><p class="quiet">{line}</p></article>'


def _contact_link(row: Mapping[str, Any]) -> str:
    if row["contact_name"] is None:
        return "a contact that no longer exists" if row["contact_id"] else "nobody"
    return f'<a href="/contacts/{row["contact_id"]}">{escape(row["contact_name"])}</a>'


def _deals(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{deal['title']} ({deal['status']})" for deal in row["deals"])


def _facts(values: Mapping[str, Any]) -> str:
    shown = ((name, value) for name, value in values.items() if value not in (None, ""))
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{escape(str(value))}</dd>' for name, value in shown)}</dl>"


def _moment(text: str | None) -> str:
    """``2026-05-04 16:31 UTC``; times are stored in UTC."""
    return f"{text[:10]} {text[11:16]} UTC" if text else ""


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
