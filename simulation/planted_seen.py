"""Faults written by somebody who knows the simulation: file, text as it stands, text with the fault."""

from __future__ import annotations

_DELIVERIES = "connectors/deliveries/"
_SERVICES = "connectors/services/"

SEEN: dict[str, tuple[str, str, str]] = {
    "a call in doubt is not looked for": (
        f"{_DELIVERIES}calls.py",
        "    if delivery.has_begun or not delivery.is_in_doubt:\n        return None\n",
        "    return None\n",
    ),
    "a day's record in doubt is not looked for": (
        f"{_DELIVERIES}messages.py",
        "is_sought = not delivery.has_begun and (delivery.is_in_doubt or row.may_be_there)",
        "is_sought = False",
    ),
    "not found counts at once": (
        f"{_DELIVERIES}calls.py",
        "    if not delivery.is_settled:\n        raise NotNow(Event.NOT_FOUND_YET)\n    delivery.rewrites",
        "    delivery.rewrites",
    ),
    "the order of changes is ignored": (
        f"{_DELIVERIES}queue.py",
        "return model.objects.filter(_STARTS | goes_first | ~PreparedExists(before))",
        "return model.objects.all()",
    ),
    "a change goes before earlier ones": (
        f"{_DELIVERIES}accepting.py",
        'return int(rows.values_list("last_position", flat=True).get())',
        'return 1_000_000 - int(rows.values_list("last_position", flat=True).get())',
    ),
    "what is postponed is deleted": (
        f"{_DELIVERIES}models.py",
        "        now = clock.now()\n        pause = backoff(self.attempts)\n",
        "        self._mine().delete()\n        now = clock.now()\n        pause = backoff(self.attempts)\n",
    ),
    "a lease ends before the work does": (
        f"{_SERVICES}leases.py",
        "        return settings.DELIVERY_LEASE\n",
        "        return timedelta(seconds=1)\n",
    ),
    "an attempt begins without a mark": (
        f"{_DELIVERIES}models.py",
        'if not change(Delivery, {**self._held(), "lease_until__gt": clock.now()}, {"settles_at": settles_at}):',
        "if not self._mine().filter(lease_until__gt=clock.now()).exists():",
    ),
    "texts of an earlier attempt are written again": (
        f"{_DELIVERIES}message_entries.py",
        "skip_present=may_be_present",
        "skip_present=False",
    ),
    "texts in doubt are dropped when they come again": (
        f"{_DELIVERIES}messages.py",
        "Delivery.objects.of(row).free().filter(_stuck(user), settles_at=None):",
        "Delivery.objects.of(row).free().filter(_stuck(user)):",
    ),
    "a newer version replaces one that may be in the CRM": (
        f"{_DELIVERIES}calls.py",
        "        if taken is not None and not taken.is_in_doubt:",
        "        if taken is not None:",
    ),
    "the id of a record is not kept": (
        "audit/models.py",
        'values = {**id_columns, "state": LogState.LOGGED, "last_error": ""}',
        'values = {"state": LogState.LOGGED, "last_error": ""}',
    ),
    "a late effect is not waited for": (
        f"{_SERVICES}leases.py",
        "    known = manifest.server.settling_seconds if manifest else None",
        "    known = 0",
    ),
    "whoever answers does not open the CRM again": (
        f"{_DELIVERIES}circuit.py",
        "    if not Circuit.objects.filter(pk=crm).delete()[0]:",
        "    if not Circuit.objects.filter(pk=crm).update(open_until=clock.now() + timedelta(days=30)):",
    ),
    "a probe is not let through": (
        f"{_DELIVERIES}circuit.py",
        "    return bool(probe.update(",
        "    return False and bool(probe.update(",
    ),
    "a busy CRM counts as done": (
        f"{_DELIVERIES}policy.py",
        "events=(Event.LIMIT, Event.HELD),\n        next=Next.AGAIN",
        "events=(Event.LIMIT, Event.HELD),\n        next=Next.DONE",
    ),
    "doubt is left to support": (
        f"{_DELIVERIES}policy.py",
        "events=(Event.IN_DOUBT, Event.NOT_FOUND_YET),\n        next=Next.SETTLE",
        "events=(Event.IN_DOUBT, Event.NOT_FOUND_YET),\n        next=Next.PERSON",
    ),
    "what is in doubt is forgotten": (
        f"{_DELIVERIES}policy.py",
        "events=(Event.IN_DOUBT, Event.NOT_FOUND_YET),\n        next=Next.SETTLE",
        "events=(Event.IN_DOUBT, Event.NOT_FOUND_YET),\n        next=Next.FORGET",
    ),
    "a contact in doubt is not looked for": (
        f"{_SERVICES}contact_creations.py",
        "    if creation.uncertain_since is None:\n        return None\n",
        "    return None\n",
    ),
    "a second click makes a second contact": (
        f"{_SERVICES}contact_creations.py",
        "_mine(creation).update(state=_State.CREATED, result=result, changed_at=clock.now())",
        "_mine(creation).delete()",
    ),
    "a contact that another process makes is made": (
        f"{_SERVICES}contact_creations.py",
        """        if row.state != _State.CLAIMED or age > lease_of(user.platform):  # its process died in mid-write
            again = ContactCreation.objects.filter(pk=row.pk, state=row.state, changed_at=row.changed_at)
            if again.update(state=_State.CLAIMED, result=None, changed_at=now):
                ended = {_State.UNCERTAIN: row.changed_at, _State.CLAIMED: row.changed_at + lease_of(user.platform)}
""",
        """        if True:
            again = ContactCreation.objects.filter(pk=row.pk, state=row.state, changed_at=row.changed_at)
            if again.update(state=_State.CLAIMED, result=None, changed_at=now):
                ended = {_State.UNCERTAIN: row.changed_at}
""",
    ),
    "a contact found too early counts as not there": (
        f"{_SERVICES}contact_creations.py",
        "if contact is None and clock.now() < settles_at:",
        "if contact is None and clock.now() < creation.uncertain_since:",
    ),
    "a login wakes nothing": (f"{_SERVICES}sessions.py", "waiting = wake(user)", "waiting = 0"),
    "texts forget that others may have made the record": (
        f"{_DELIVERIES}models.py",
        "others = self.kind == Kind.TEXTS and",
        "others = False and",
    ),
    "texts of a colleague pass what only another login finds": (
        f"{_DELIVERIES}queue.py",
        "before = others.filter(is_earlier | is_at_work | hides_record)",
        "before = others.filter(is_earlier | is_at_work)",
    ),
    "a request goes on with the login of another account": (
        f"{_SERVICES}crm_access.py",
        "    if user.owner != owner:",
        "    if False and user.owner != owner:",
    ),
    "two windows change settings that both read before": (
        f"{_SERVICES}settings_changes.py",
        "user.settings = change(dict(row.settings or {}))",
        "user.settings = change(dict(user.settings or {}))",
    ),
    "a disposition that the CRM does not know waits for support": (
        f"{_DELIVERIES}policy.py",
        "kinds=(Kind.DISPOSITION,),\n        next=Next.DONE",
        "kinds=(Kind.DISPOSITION,),\n        next=Next.PERSON",
    ),
    "texts of a day whose record is gone are forgotten": (
        f"{_DELIVERIES}policy.py",
        "next=Next.ANEW",
        "next=Next.FORGET",
    ),
    "an old change is forgotten": (f"{_DELIVERIES}policy.py", "next=Next.GIVE_UP", "next=Next.FORGET"),
    "renewed tokens are not kept": (
        f"{_SERVICES}crm_access.py",
        "keep_trying(lambda: (mine | unchanged).update(**columns))",
        "keep_trying(lambda: mine.none().update(**columns))",
    ),
    "two processes renew a login at once": (
        f"{_SERVICES}crm_access.py",
        "        if lease:\n            break\n",
        "        break\n",
    ),
    "an edit of a call on its way is refused": (
        f"{_DELIVERIES}calls.py",
        "    if not is_coming:\n",
        "    if True:\n",
    ),
    "what waits for a login is woken as if sent": (
        f"{_DELIVERIES}logins.py",
        "    return waiting.update(state=State.WAITING, next_attempt_at=now, hold_until=now)",
        "    return waiting.filter(kind=Kind.CREATE).update(state=State.WAITING, next_attempt_at=now, hold_until=now)",
    ),
    "a follow-up that is refused takes the log back": (
        f"{_DELIVERIES}policy.py",
        "kinds=(Kind.CREATE,),\n        known=_THERE,\n        next=Next.DONE",
        "kinds=(Kind.CREATE,),\n        known=_THERE,\n        next=Next.PERSON",
    ),
    "an incomplete log counts as whole": (
        f"{_DELIVERIES}calls.py",
        "            return adapter.complete_call_log(log.wire_log_id(), entry)",
        "            return LogResult(log_id=log.wire_log_id())",
    ),
    "the second try of an append is not read back": (
        f"{_DELIVERIES}messages.py",
        "        if row.crm_log_id:\n            wait_until_settled(delivery)\n        elif",
        "        if row.crm_log_id:\n            pass\n        elif",
    ),
    "a probe that has to be shortened keeps the CRM closed": (
        f"{_DELIVERIES}sending.py",
        "            _note_for_circuit(delivery, happened)  # it has answered",
        "            # it has answered",
    ),
    "a day that began before the back-up seems to be empty": (
        f"{_DELIVERIES}messages.py",
        "return Restoration.covers(row.created_at) or Restoration.covers(started_at)",
        "return Restoration.covers(row.created_at)",
    ),
    "texts that may have made the day's record wait for those of colleagues": (
        f"{_DELIVERIES}queue.py",
        "return model.objects.filter(_STARTS | goes_first | ~PreparedExists(before))",
        "return model.objects.filter(_STARTS | ~PreparedExists(before))",
    ),
    "two processes take two changes of one record at once": (
        f"{_DELIVERIES}queue.py",
        "rows = model.objects.filter(_STARTS | ~at_work, pk=delivery_id, lease=lease)",
        "rows = model.objects.filter(Q(lease_until__gte=now), pk=delivery_id, lease=lease)",
    ),
    "a change that could not be read undoes a newer one": (
        f"{_DELIVERIES}models.py",
        "                _overtake(self.call_log_id, self.kind, self.position)\n",
        "                pass\n",
    ),
}
