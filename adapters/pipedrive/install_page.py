"""The page at the app's callback URL, where a login at Pipedrive begins and ends, and Pipedrive's uninstall hook."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlencode

from adapters.contract import RouteReply, RouteRequest, UserToForget

_HTML = Path(__file__).with_name("install_page.html").read_text(encoding="utf-8")
_PAGE = Template(_HTML)
_INLINE_CODE = tuple(re.findall(r"<(?:style|script)>(.*?)</", _HTML, re.DOTALL))
# The extension's content script looks for #rc-stepper, takes the page over there and writes its progress into it.
_INSTALLING = (
    '<p id="rc-stepper" class="step" role="status">(1/3) Please install the RingCentral browser extension, '
    "then refresh this page.</p>"
)
_START = (
    "<p>App Connect finds callers among your Pipedrive contacts, and logs calls and messages as activities.</p>"
    '<p><a id="connect" class="button" href="$address">Connect to Pipedrive</a></p>'
)
_DECLINED = (
    "<p>The connection was declined in Pipedrive, so nothing was installed. You can start again at any time.</p>"
    '<p><a id="connect" class="button" href="$address">Try again</a></p>'
)
_NOT_SET_UP = "<p>Pipedrive is not set up on this server yet. Please tell the administrator of this server.</p>"


def install_page(request: RouteRequest, *, client_id: str, authorize_url: str, redirect_uri: str) -> RouteReply:
    """The page that the extension opens to begin a login, and takes over to finish it.

    It leads to Pipedrive's authorisation page for our own app. Nothing of the query is repeated in it.
    """
    if request.query.get("code"):
        content = _INSTALLING
    elif not client_id:
        content = _NOT_SET_UP
    else:
        asked = urlencode({"client_id": client_id, "redirect_uri": redirect_uri, "state": "platform=pipedrive"})
        template = Template(_DECLINED if request.query.get("error") else _START)
        content = template.substitute(address=escape(f"{authorize_url}?{asked}"))
    return RouteReply(body=_PAGE.substitute(content=content), inline_code=_INLINE_CODE)


def uninstalled(request: RouteRequest, secrets: Mapping[str, str]) -> RouteReply:
    """Pipedrive's notice that a user removed the app: ``{client_id, company_id, user_id, timestamp}``, Basic auth.

    The tokens are dead by then, so the user is only forgotten here. ``user_id`` is the bare number; the form with the
    platform behind it is understood too.
    """
    if not _is_from_pipedrive(request, secrets):
        return _text(401, "Unauthorized")
    user_id = _id_text(request.body.get("user_id")).removesuffix("-pipedrive")
    if not user_id:
        return _text(400, "Missing user_id")
    user = UserToForget(user_id=user_id, account_id=_id_text(request.body.get("company_id")))
    return RouteReply(status=200, body="User deleted", content_type="text/plain; charset=utf-8", forget=(user,))


def _is_from_pipedrive(request: RouteRequest, secrets: Mapping[str, str]) -> bool:
    client_id, client_secret = secrets.get("PIPEDRIVE_CLIENT_ID", ""), secrets.get("PIPEDRIVE_CLIENT_SECRET", "")
    if not client_id or not client_secret:  # else ":" would be valid credentials
        return False
    expected = "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode("ascii")
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), expected.encode())


def _id_text(value: object) -> str:
    return str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _text(status: int, body: str) -> RouteReply:
    return RouteReply(status=status, body=body, content_type="text/plain; charset=utf-8")
