"""The page at the app's callback URL: where Pipedrive's Marketplace sends the browser, and its uninstall hook."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from adapters.contract import RouteReply, RouteRequest, UserToForget

_HTML = Path(__file__).with_name("install_page.html").read_text(encoding="utf-8")
_PAGE = Template(_HTML)
_INLINE_CODE = tuple(re.findall(r"<(?:style|script)>(.*?)</", _HTML, re.DOTALL))
# The extension's content script looks for #rc-stepper, takes the page over there and writes its progress into it.
_INSTALLING = (
    '<p id="rc-stepper" class="step" role="status">(1/3) Please install the RingCentral browser extension, '
    "then refresh this page.</p>"
)
_DECLINED = (
    "<p>The connection was declined in Pipedrive, so nothing was installed. You can start again at any time.</p>"
)
_THANKS = "<p>Thank you for installing. To connect, start from the app's page in the Pipedrive Marketplace.</p>"


def install_page(request: RouteRequest) -> RouteReply:
    """The page that the extension takes over to finish the login. Nothing of the query is repeated in it."""
    if request.query.get("code"):
        content = _INSTALLING
    elif request.query.get("error"):
        content = _DECLINED
    else:
        content = _THANKS
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
