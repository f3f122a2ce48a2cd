"""Counts what this process does. Several processes keep their counts in one folder, and any web process sums them up.

Until ``start`` nothing is counted: a command that runs once has nobody who would ask. Labels take values from fixed
sets only; whatever else comes is ``other``. ``exposition`` prints all of it.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, values

from adapters import registry

#: Kinds of processes; their counts are kept apart, so that a restart of one resets no series of the other.
WEB, WORKER = "web", "worker"
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})
_OTHER = "other"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROUNDS = (0, 1, 2, 3, 5, 10)
_FILE = re.compile(r"(?:counter|histogram)_(web|worker)-(.+)-(\d+)\.db")


@dataclass(frozen=True)
class _Metrics:
    process: str
    requests: Counter
    request_seconds: Histogram
    throttled: Counter
    events: Counter
    crm_requests: Counter
    crm_seconds: Histogram
    lookup_rounds: Histogram
    refreshes: Counter


_metrics: _Metrics | None = None


def start(process: str, folder: Path) -> None:
    """Counts from now on, in files of that folder. Raises ``OSError`` where it cannot be written.

    What processes left there that ended is removed once none of their kind runs on this machine: until then it
    belongs to the sum, which must never fall.
    """
    global _metrics
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "Permission denied", str(folder))
    _remove_left_overs(process, folder)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    host = _host()
    values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
        lambda: f"{process}-{host}-{os.getpid()}"
    )
    own = CollectorRegistry()  # of this process alone, and never shown: what is shown is read from the files

    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"switchboard_{name}", text, labels, registry=own)

    def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"switchboard_{name}", text, labels, registry=own, buckets=buckets)

    _metrics = _Metrics(
        process=process,
        requests=counter("requests", "Requests answered", "method", "route", "status"),
        request_seconds=histogram("request_seconds", "Time to answer", _SECONDS, "route"),
        throttled=counter("throttled", "Requests refused as too many", "limit"),
        events=counter("events", "What was done or tried", "process", "action", "platform", "outcome"),
        crm_requests=counter("crm_requests", "Requests to CRMs", "process", "platform", "status"),
        crm_seconds=histogram("crm_request_seconds", "Time of CRMs to answer", _SECONDS, "process", "platform"),
        lookup_rounds=histogram("lookup_rounds", "Rounds of requests of a look-up", _ROUNDS, "platform"),
        refreshes=counter("token_refreshes", "Renewals of logins", "process", "platform", "outcome"),
    )


def stop() -> None:
    """Counts no more, for tests."""
    global _metrics
    _metrics = None


def request_ended(*, method: str | None, route: str, status: int, seconds: float) -> None:
    """``route``: a path of the URL table, with names instead of values."""
    if _metrics:
        _metrics.requests.labels(method_label(method), route, str(status)).inc()
        _metrics.request_seconds.labels(route).observe(seconds)


def throttled(limit: str) -> None:
    if _metrics:
        _metrics.throttled.labels(limit).inc()


def event_recorded(*, action: str, platform: str, outcome: str) -> None:
    """``action`` and ``outcome``: as in the audit trail."""
    if _metrics:
        _metrics.events.labels(_metrics.process, action, platform_label(platform), outcome).inc()


def crm_request_ended(platform: str, status: int, seconds: float) -> None:
    """``status`` 0: there was no answer."""
    if _metrics:
        label = platform_label(platform)
        kind = "429" if status == 429 else f"{status // 100}xx" if 100 <= status < 600 else "none"
        _metrics.crm_requests.labels(_metrics.process, label, kind).inc()
        _metrics.crm_seconds.labels(_metrics.process, label).observe(seconds)


def looked_up(platform: str, rounds: int) -> None:
    """``rounds``: requests to the CRM that did not overlap."""
    if _metrics:
        _metrics.lookup_rounds.labels(platform_label(platform)).observe(rounds)


def login_renewed(platform: str, outcome: str) -> None:
    """``outcome``: ``success``, ``ended`` (only a new login helps) or ``failure``."""
    if _metrics:
        _metrics.refreshes.labels(_metrics.process, platform_label(platform), outcome).inc()


def method_label(method: str | None) -> str:
    return method if method in _METHODS else _OTHER


def platform_label(platform: str) -> str:
    return platform if platform in registry.manifests() else _OTHER


def _host() -> str:
    """Containers that share a folder may all have the same process ids."""
    return re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname())


def _remove_left_overs(process: str, folder: Path) -> None:
    host = _host()
    found = [(path, match) for path in folder.glob("*.db") if (match := _FILE.fullmatch(path.name))]
    mine = [(path, int(match[3])) for path, match in found if match[1] == process and match[2] == host]
    if any(pid != os.getpid() and Path(f"/proc/{pid}").exists() for _, pid in mine):
        return
    for path, _ in mine:
        with suppress(FileNotFoundError):  # another process that starts does the same
            path.unlink()
