"""The delivery worker on Celery, where a broker is configured: the row is the truth, the message only its id."""

from __future__ import annotations

import uuid

from celery import shared_task

from connectors.services import circuits, delivery_queue, delivery_worker

#: Seconds after which a message that no worker took is forgotten: the next sweep sends another.
_EXPIRES = 60
_MOST = 500


@shared_task(name="connectors.deliver", ignore_result=True)
def deliver(delivery_id: str) -> None:
    """One attempt, unless somebody else is at it, it is done, or the message is older than the last attempt."""
    delivery = delivery_queue.take(uuid.UUID(delivery_id), if_due=True)
    if delivery is not None:
        delivery_worker.deliver(delivery)


@shared_task(name="connectors.sweep", ignore_result=True)
def sweep() -> None:
    """Sends out the ids of all that is due; clears what is too old."""
    for delivery_id in delivery_queue.due_ids(limit=_MOST, not_to=circuits.down()):
        deliver.apply_async((str(delivery_id),), expires=_EXPIRES)
    delivery_worker.clear_up()
