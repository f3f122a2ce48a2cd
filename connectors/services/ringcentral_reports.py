"""Reports on calls and texts out of RingCentral, as the extension's report tabs show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.contract import HttpClient, dig, require, run_together

#: What a company's calls can be grouped by (RingCentral API reference, "Call Aggregate Data").
GROUPS = (
    "Company", "CompanyNumbers", "Users", "Queues", "IVRs", "IVAs", "SharedLines", "UserGroups", "Sites", "Departments",
)  # fmt: skip
_ANSWERED = ("Call connected", "Accepted", "Answered Not Accepted")
_PER_PAGE = 1000
_MOST_PAGES = 30


class TooMuch(Exception):
    """There are more records in the time asked for than one report reads."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """From when until when, and in whose time zone (its name)."""

    start: datetime
    end: datetime
    zone: str


@dataclass(kw_only=True)
class Calls:
    """Counts, and seconds of talk."""

    inbound: float = 0
    outbound: float = 0
    answered: float = 0
    seconds: float = 0

    def on_wire(self) -> dict[str, Any]:
        """``callLogStats`` of a report; times in minutes."""
        share = 100 * self.answered / self.inbound if self.inbound else 0
        count = self.inbound + self.outbound
        return {
            "inboundCallCount": round(self.inbound),
            "outboundCallCount": round(self.outbound),
            "answeredCallCount": round(self.answered),
            "answeredCallPercentage": f"{min(share, 100):.2f}%" if share else "0%",
            "totalTalkTime": round(self.seconds / 60),
            "averageTalkTime": round(self.seconds / 60 / count, 1) if count else 0,
        }


def company_report(client: HttpClient, period: Period) -> dict[str, Any]:
    """The calls of the whole company as one object."""
    total = Calls()
    for _, calls in _aggregated(client, period, GROUPS[0]):
        total.inbound += calls.inbound
        total.outbound += calls.outbound
        total.answered += calls.answered
        total.seconds += calls.seconds
    return {"callLogStats": total.on_wire()}


def grouped_report(client: HttpClient, period: Period, group: str) -> dict[str, Any]:
    """The same as a list of named groups, for clients that ask for one of ``GROUPS``."""
    named = [(name, calls) for name, calls in _aggregated(client, period, group) if name]
    return {
        "callLogStats": [{"name": name, **calls.on_wire()} for name, calls in named],
        "itemKeys": [name for name, _ in named],
        "groupedBy": group,
        "groupKeys": list(GROUPS),
    }


def _aggregated(client: HttpClient, period: Period, group: str) -> Iterator[tuple[str, Calls]]:
    body = {
        "grouping": {"groupBy": group},
        "timeSettings": {
            "timeZone": period.zone,
            "timeRange": {"timeFrom": _iso(period.start), "timeTo": _iso(period.end)},
        },
        "responseOptions": {
            "counters": {"callsByDirection": {"aggregationType": "Sum"}, "callsByResponse": {"aggregationType": "Sum"}},
            "timers": {"allCallsDuration": {"aggregationType": "Sum"}},
        },
    }
    for page in range(1, _MOST_PAGES + 1):
        asked = {"page": str(page), "perPage": "200"}
        found = client.post("/analytics/calls/v1/accounts/~/aggregation/fetch", params=asked, json=body, read=True)
        for record in require(found, "data.records", list):
            counters, timers = dig(record, "counters", dict, {}), dig(record, "timers", dict, {})
            yield (
                dig(record, "info.name", str, ""),
                Calls(
                    inbound=_number(counters, "callsByDirection", "inbound"),
                    outbound=_number(counters, "callsByDirection", "outbound"),
                    answered=_number(counters, "callsByResponse", "answered"),
                    seconds=_number(timers, "allCalls"),
                ),
            )
        if page >= dig(found, "paging.totalPages", int, 1):
            return
    raise TooMuch


def _number(part: Mapping[str, Any], *path: str) -> float:
    """``part[path[0]].values``, or a member of it; 0 where there is none: RingCentral leaves counts of 0 out."""
    value: Any = part.get(path[0])
    value = value.get("values") if isinstance(value, Mapping) else None
    for name in path[1:]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def user_report(client: HttpClient, period: Period, extension_id: str) -> dict[str, Any]:
    """Calls and texts of one extension of the login's account; RingCentral refuses any other."""
    base = f"/restapi/v1.0/account/~/extension/{extension_id}"
    calls, texts = run_together(
        lambda: list(_records(client, f"{base}/call-log", period, view="Simple")),
        lambda: list(_records(client, f"{base}/message-store", period, messageType="SMS")),
    )
    counted = Calls()
    for call in calls:
        if call.get("direction") == "Inbound":
            counted.inbound += 1
            counted.answered += call.get("result") in _ANSWERED
        elif call.get("direction") == "Outbound":
            counted.outbound += 1
        counted.seconds += dig(call, "duration", int, 0)
    return {
        "callLogStats": counted.on_wire(),
        "smsLogStats": {
            "smsSentCount": sum(text.get("direction") == "Outbound" for text in texts),
            "smsReceivedCount": sum(text.get("direction") == "Inbound" for text in texts),
        },
    }


def _records(client: HttpClient, path: str, period: Period, **query: str) -> Iterator[dict[str, Any]]:
    """Every record of a list, page by page."""
    template = path.rpartition("/")[2]
    for page in range(1, _MOST_PAGES + 1):
        asked = {
            "dateFrom": _iso(period.start),
            "dateTo": _iso(period.end),
            "page": str(page),
            "perPage": str(_PER_PAGE),
            **query,
        }
        found = client.get(path, params=asked, template=f"/extension/{{id}}/{template}")
        yield from (record for record in require(found, "records", list) if isinstance(record, dict))
        if not dig(found, "navigation.nextPage", dict, {}):
            return
    raise TooMuch


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
