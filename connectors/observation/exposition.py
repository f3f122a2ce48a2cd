"""``/metrics`` in Prometheus' text format: what the processes counted, and what the database holds now."""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connectors.api.envelope import text_reply
from connectors.deliveries.models import Circuit, Delivery
from connectors.deliveries.queue import State
from connectors.observation import heartbeat
from connectors.observation.metrics import platform_label

log = logging.getLogger("switchboard.metrics")

_FORWARDING = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA", "HTTP_X_FORWARDED_HOST")


def metrics(request: HttpRequest) -> HttpResponse:
    """For callers on this machine that no proxy passed on, and for those who know METRICS_TOKEN."""
    if request.method not in ("GET", "HEAD"):
        return text_reply("Method not allowed.", 405)
    if not _may_read(request):
        return text_reply("Metrics are for callers on this machine, or with the bearer token METRICS_TOKEN.", 403)
    shown = CollectorRegistry()
    if settings.METRICS_DIR.is_dir():
        MultiProcessCollector(shown, path=str(settings.METRICS_DIR))  # type: ignore[no-untyped-call]
    shown.register(_Present())
    return HttpResponse(generate_latest(shown), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    if any(name in request.META for name in _FORWARDING):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class _Present(Collector):
    """What the database holds at this moment; without it, the rest is shown all the same."""

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("switchboard_info", "The version that runs", labels=["version"])
        info.add_metric([settings.VERSION], 1)
        yield info
        try:
            found = list(_of_database())
        except DatabaseError as error:
            log.warning("metrics without the database", extra={"error": type(error).__name__})
            found = []
        yield GaugeMetricFamily("switchboard_database_up", "Whether the database answered", value=bool(found))
        yield from found


def _of_database() -> Iterator[Metric]:
    depth = GaugeMetricFamily(
        "switchboard_queue_depth", "Changes that wait for a CRM", labels=["platform", "waits_for"]
    )
    oldest = GaugeMetricFamily(
        "switchboard_queue_oldest_seconds", "Age of the oldest change that waits", labels=["platform", "waits_for"]
    )
    now = timezone.now()
    rows: dict[tuple[str, str], tuple[int, float]] = {}
    waiting = (
        Delivery.objects.exclude(state=State.GIVEN_UP)
        .values_list("platform", "state")
        .annotate(Count("pk"), Min("accepted_at"))
    )
    for platform, state, count, since in waiting.order_by():
        key = (platform_label(platform), "crm" if state == State.WAITING else state)
        known, age = rows.get(key, (0, 0.0))
        rows[key] = (known + count, max(age, (now - since).total_seconds()))
    for key, (count, age) in rows.items():
        depth.add_metric(key, count)
        oldest.add_metric(key, max(0.0, age))
    yield from (depth, oldest)
    circuits = GaugeMetricFamily("switchboard_circuits_open", "Hosts that do not answer", labels=["platform"])
    hosts = Circuit.objects.exclude(open_until=None).values_list("crm", flat=True)
    for label, count in Counter(platform_label(crm.partition(":")[0]) for crm in hosts).items():
        circuits.add_metric([label], count)
    yield circuits
    given_up = GaugeMetricFamily(
        "switchboard_given_up", "Changes given up, kept for DELIVERY_KEEP_DAYS", labels=["platform"]
    )
    lost = Delivery.objects.filter(state=State.GIVEN_UP).values_list("platform").annotate(Count("pk")).order_by()
    counts: Counter[str] = Counter()
    for platform, count in lost:
        counts[platform_label(platform)] += count
    for label, count in counts.items():
        given_up.add_metric([label], count)
    yield given_up
    yield GaugeMetricFamily("switchboard_worker_up", "Whether a delivery worker runs", value=heartbeat.is_there())
