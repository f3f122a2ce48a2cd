"""Twenty-three faults written from reading ``connectors/deliveries``, before their author had seen the simulation.

Each is one slip that a person could make there: file, text as it stands, text with the fault.
"""

from __future__ import annotations

BLIND: dict[str, tuple[str, str, str]] = {
    "any process ends a delivery, whoever holds the lease": (
        "models.py",
        'return {"pk": self.pk, "lease": self.lease}',
        'return {"pk": self.pk}',
    ),
    "every doubt counts as settled at once": (
        "models.py",
        "return self.settles_at is None or self.settles_at <= clock.now()",
        "return True",
    ),
    "texts that were refused stay marked as known": (
        "models.py",
        "            MessageLog.objects.filter(delivery_id=self.pk).delete()\n            self._note(decision, error)",
        "            self._note(decision, error)",
    ),
    "a call accepted and leased is not in doubt": (
        "accepting.py",
        "    elif leased and begun:\n        delivery.settles_at, delivery.has_begun = "
        "now + lease_of(user.platform) + settling_time(user.platform), True",
        "    elif leased and begun:\n        delivery.has_begun = True",
    ),
    "the next change does not wait for one in doubt": (
        "queue.py",
        "is_at_work = Q(lease_until__gte=now) | Q(settles_at__gt=now)",
        "is_at_work = Q(lease_until__gte=now)",
    ),
    "whatever waits for a login is passed over": (
        "queue.py",
        "(Q(state=State.LOGIN) & of_colleague)",
        "Q(state=State.LOGIN)",
    ),
    "two windows log one session without a lock": (
        "calls.py",
        "        SessionLock.take(user, session_id)\n",
        "",
    ),
    "a call given up in doubt is logged again without a look": (
        "calls.py",
        "    if log.may_be_there and shows_by is None:",
        "    if False:",
    ),
    "an edit in doubt is repeated before it is settled": (
        "calls.py",
        "        wait_until_settled(delivery)\n        with precondition(reads_the_record=True):",
        "        with precondition(reads_the_record=True):",
    ),
    "an edit is composed on nothing": (
        "calls.py",
        "    return update_call(\n        current.body,",
        '    return update_call(\n        "",',
    ),
    "texts are appended without a look at what is there": (
        "messages.py",
        "may_be_present = delivery.attempts > 1 or delivery.is_in_doubt or row.may_be_there",
        "may_be_present = False",
    ),
    "stuck texts are dropped when any of them comes again": (
        "messages.py",
        'if given.issuperset(messages.values_list("message_id", flat=True)):',
        'if given.intersection(messages.values_list("message_id", flat=True)):',
    ),
    "each request takes all texts for its own": (
        "messages.py",
        "return tuple(message for message in messages if holders[message.id] == delivery.pk)",
        "return messages",
    ),
    "an error without effect clears an earlier doubt": (
        "sending.py",
        "delivery.settles_at = settled if happened.event.leaves_doubt else delivery.doubt_before",
        "delivery.settles_at = settled if happened.event.leaves_doubt else None",
    ),
    "a fault of ours in mid-write leaves no doubt": (
        "sending.py",
        "fault = OwnFault(maybe_applied=delivery.has_begun and requests.value > 0)",
        "fault = OwnFault(maybe_applied=False)",
    ),
    "what is sent does not depend on whose account it is": (
        "sending.py",
        "    if not delivery.has_its_login:",
        "    if not delivery.user.is_connected:",
    ),
    "what could not be read is never tried again": (
        "logins.py",
        "    unreadable.update(state=State.WAITING, next_attempt_at=clock.now())",
        "    unreadable.update(next_attempt_at=clock.now())",
    ),
    "a kept revocation is not sent": (
        "logins.py",
        "    if user.is_connected:\n        return\n",
        "    return\n",
    ),
    "after a restored back-up new calls are sent unlooked": (
        "restore.py",
        "in_doubt += writes.filter(platform=platform).update(settles_at=shows_by)",
        "in_doubt += writes.filter(platform=platform).update(settles_at=None)",
    ),
    "after a restored back-up edits are sent once more": (
        "restore.py",
        "            state=State.PERSON,\n",
        "            state=State.WAITING,\n",
    ),
    "support's word to send clears every doubt": (
        "support.py",
        "looked_for = free.filter(state=State.PERSON, last_error=_CANNOT_BE_ASKED)",
        "looked_for = free",
    ),
    "support gives up what is in doubt as if it were not there": (
        "support.py",
        "return LogState.UNCERTAIN if delivery.is_in_doubt else LogState.FAILED",
        "return LogState.FAILED",
    ),
    "what is given up is removed at once": (
        "worker.py",
        "since = clock.now() - timedelta(days=settings.DELIVERY_KEEP_DAYS)",
        "since = clock.now()",
    ),
}
