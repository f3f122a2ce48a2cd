"""The RingCentral login of an administrator, and the reports made with it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from adapters.contract import AccessDenied, ConnectorError, HttpClient, RateLimited, RecordNotFound, RequestRejected
from audit.recorder import audited
from connectors.api.envelope import PlainText
from connectors.api.wire import WireViewSet, operation, token_user
from connectors.log_body import parse_time
from connectors.services import ringcentral_login
from connectors.services.ringcentral_reports import (
    GROUPS,
    Period,
    TooMuch,
    company_report,
    grouped_report,
    user_report,
)

log = logging.getLogger("switchboard.api")

_NOT_ADMIN = (
    "Reports are for administrators of your RingCentral account. "
    "If you are one, close the extension and open it again, then try once more."
)
_NOT_ALLOWED = "RingCentral does not allow this report for your account."
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)
_EXTENSION = re.compile(r"~|\d{1,32}", re.ASCII)


def _period(request: Request) -> Period:
    """``timeFrom``, ``timeTo`` and ``timezone`` of the query, whose ``+`` has become a blank."""
    given = {key: request.query_params.get(key, "").replace(" ", "+") for key in ("timeFrom", "timeTo", "timezone")}
    start, end = parse_time(given["timeFrom"]), parse_time(given["timeTo"])
    if start is None or end is None or start > end:
        raise PlainText("Invalid request: timeFrom and timeTo must be times, the earlier one first.")
    if not _ZONE.fullmatch(given["timezone"] or "UTC"):
        raise PlainText("Invalid request: timezone: must be the name of a time zone.")
    return Period(start=start, end=end, zone=given["timezone"] or "UTC")


class RingCentralViewSet(WireViewSet):
    """``/ringcentral/…``. Account and extension ids in the address prove nothing: RingCentral is asked each time."""

    @operation("ringcentral")
    def connect(self, request: Request) -> Response:
        """The client sends a code after every login and reads nothing of the answer."""
        user = token_user(request)
        if not ringcentral_login.is_configured():
            return Response({"successful": False})
        code = request.query_params.get("code", "")
        if not code:
            raise PlainText("Invalid request: code is missing.")
        with audited("ringcentral.connect", actor=user.actor, platform=user.platform, owner=user.owner) as event:
            try:
                connected = ringcentral_login.connect_administrator(user=user, code=code[:4000])
            except ConnectorError as error:
                log.info("RingCentral login refused", extra={"error": type(error).__name__})
                connected, event.error = False, type(error).__name__
            event.detail["connected"] = connected
        return Response({"successful": connected})

    @operation("report")
    def company(self, request: Request) -> Response:
        if not ringcentral_login.is_configured():
            token_user(request)
            return Response({"callLogStats": {}})
        period = _period(request)
        asked = request.query_params.get("groupBy")
        if asked is None:
            return self._report(request, "report.company", lambda client: company_report(client, period))
        group = GROUPS[0] if asked in ("", "undefined") else asked
        if group not in GROUPS:
            raise PlainText(f"Invalid request: groupBy: must be one of {', '.join(GROUPS)}.")
        return self._report(request, "report.company", lambda client: grouped_report(client, period, group))

    @operation("report")
    def user(self, request: Request) -> Response:
        if not ringcentral_login.is_configured():
            token_user(request)
            return Response({"callLogStats": {}, "smsLogStats": {}})
        period = _period(request)
        extension_id = request.query_params.get("rcExtensionId") or "~"
        if not _EXTENSION.fullmatch(extension_id):
            raise PlainText("Invalid request: rcExtensionId: must be the id of an extension.")
        return self._report(request, "report.user", lambda client: user_report(client, period, extension_id))

    def _report(self, request: Request, action: str, report: Callable[[HttpClient], dict[str, Any]]) -> Response:
        user = token_user(request)
        with audited(action, actor=user.actor, platform=user.platform, owner=user.owner):
            try:
                return Response(ringcentral_login.as_administrator(user, report))
            except ringcentral_login.NotAdministrator:
                raise PlainText(_NOT_ADMIN, 403) from None
            except TooMuch:
                raise PlainText("There are too many records in this time. Please choose a shorter one.") from None
            except (AccessDenied, RecordNotFound):
                raise PlainText(_NOT_ALLOWED, 403) from None
            except RateLimited:
                raise PlainText("RingCentral's request limit is reached. Please try again in a minute.", 429) from None
            except RequestRejected as error:
                raise PlainText(f"RingCentral refused the report. {error.reason}".strip()) from None
            except ConnectorError as error:
                log.info("report failed", extra={"error": type(error).__name__, "reason": error.reason})
                raise PlainText("RingCentral could not make the report. Please try again later.", 503) from None
