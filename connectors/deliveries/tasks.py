"""The worker on Celery, where a broker is configured: the row is the truth, the message only its id."""

from __future__ import annotations

import uuid

from celery import shared_task

from connectors.deliveries import circuit, worker
from connectors.deliveries.models import Delivery
from connectors.observation import heartbeat

#: Seconds after which a message that no worker took is forgotten: the next sweep sends another.
_EXPIRES = 60
_MOST = 500


@shared_task(name="connectors.deliver", ignore_result=True)
def deliver(delivery_id: str) -> None:
    """One attempt, unless somebody else is at it, it is done, or the message is older than the last attempt."""
    delivery = Delivery.objects.take(uuid.UUID(delivery_id), if_due=True)
    if delivery is not None:
        worker.deliver(delivery)


@shared_task(name="connectors.sweep", ignore_result=True)
def sweep() -> None:
    """Sends out the ids of all that is due; clears up, and leaves a sign that workers run."""
    down, _ = circuit.down()
    for delivery_id in Delivery.objects.due(not_to=down).values_list("pk", flat=True)[:_MOST]:
        deliver.apply_async((str(delivery_id),), expires=_EXPIRES)
    heartbeat.leave_sign()
    worker.clear_up()
