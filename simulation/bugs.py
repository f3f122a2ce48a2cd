"""``python -m simulation.bugs``: plants small faults, one at a time, and tells at which schedule each is found.

Each fault is checked to have been applied. Exit status 1 where one is not found.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from simulation import installation


@dataclass(frozen=True)
class Bug:
    """A name of a module or class, and what takes its place: given the original, returns the faulty one."""

    words: str
    owner: Any
    name: str
    faulty: Callable[[Any], Any]

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        original = self.owner.__dict__[self.name]
        reached = 0

        def noted(*args: Any, **options: Any) -> Any:
            nonlocal reached
            reached += 1
            return replacement(*args, **options)

        replacement = self.faulty(original.__func__ if isinstance(original, classmethod) else original)
        is_call = callable(replacement)
        planted = noted if is_call else replacement
        setattr(self.owner, self.name, classmethod(planted) if isinstance(original, classmethod) else planted)
        try:
            yield
        finally:
            setattr(self.owner, self.name, original)
        if is_call and not reached:
            print(f"never reached: {self.words}")


def bugs() -> list[Bug]:
    """The faults, each of which a careless change could make."""
    from adapters.contract import write_fence
    from audit.models import OwnedLog
    from audit.states import LogState
    from connectors.deliveries import accepting, calls, circuit, messages, models, sending
    from connectors.deliveries.models import Delivery, SessionLock
    from connectors.deliveries.policy import Decision, Next
    from connectors.deliveries.queue import DeliveryQuerySet
    from connectors.services import contact_creations

    def instead(value: Any) -> Callable[[Any], Any]:
        return lambda original: lambda *args, **options: value

    def becoming(wrong: Next, right: Next) -> Callable[[Any], Any]:
        def faulty(decide: Any) -> Any:
            def wrongly(situation: Any) -> Decision:
                decision: Decision = decide(situation)
                return Decision(next=wrong, told=decision.told) if decision.next is right else decision

            return wrongly

        return faulty

    def loses(postpone: Any) -> Any:
        def wrongly(delivery: Delivery, *args: Any, **options: Any) -> bool:
            return bool(Delivery.objects.filter(pk=delivery.pk).delete()[0])

        return wrongly

    def everybody(ready: Any) -> Any:
        return lambda queryset: queryset.free()

    def without_doubt(with_doubt: Any) -> Any:
        def wrongly(delivery: Delivery, happened: Any) -> Any:
            happened = with_doubt(delivery, happened)
            delivery.settles_at = None
            return happened

        return wrongly

    def forgets_others(created: Any) -> Any:
        def wrongly(log: Any, log_id: Any, **held: Any) -> None:
            log.state, log.crm_log_id = LogState.LOGGED, str(log_id)
            type(log)._default_manager.filter(pk=log.pk).update(state=LogState.LOGGED)

        return wrongly

    def never_present(write: Any) -> Any:
        def wrongly(adapter: Any, delivery: Any, entry: Any, may_be_present: bool, before: Any) -> Any:
            return write(adapter, delivery, entry, False, before)

        return wrongly

    def on_nothing(recomposed: Any) -> Any:
        from dataclasses import replace

        return lambda adapter, edit, current: recomposed(adapter, edit, replace(current, body=""))

    def no_time(settling_time: Any) -> Any:
        return lambda platform: timedelta(0)

    def first_place(next_position: Any) -> Any:
        def wrongly(record: Any) -> int:
            return 1_000_000 - int(next_position(record))

        return wrongly

    return [
        Bug("a record in doubt is not looked for", calls, "_found", instead(None)),
        Bug("a day's record in doubt is not looked for", messages, "_found", instead(None)),
        Bug("not found counts at once", calls, "settled", lambda _: lambda d, record, marker, found: found),
        Bug("the order of changes is ignored", DeliveryQuerySet, "ready", everybody),
        Bug("a change goes before earlier ones", accepting, "next_position", first_place),
        Bug("what is postponed is deleted", Delivery, "postpone", loses),
        Bug("a doubt is forgotten", sending, "_with_doubt", without_doubt),
        Bug("a lease is not asked for before writing", Delivery, "begin", lambda _: _begins),
        Bug("an edit is composed on nothing", calls, "_recomposed", on_nothing),
        Bug("texts of an earlier attempt are written again", messages, "_change", never_present),
        Bug("a text may belong to two requests", messages, "_new_messages", lambda _: _all_are_new),
        Bug("a session is not locked", SessionLock, "take", instead(None)),
        Bug("the id is not kept", OwnedLog, "created", forgets_others),
        Bug("a late effect is not waited for", models, "settling_time", no_time),
        Bug("a failed probe keeps the CRM closed", circuit, "to_probe", instead(set())),
        Bug("everything is down", circuit, "may_call", instead(False)),
        Bug("busy counts as done", sending, "decide", becoming(Next.DONE, Next.AGAIN)),
        Bug("doubt counts as refused", sending, "decide", becoming(Next.PERSON, Next.SETTLE)),
        Bug("doubt is forgotten for good", sending, "decide", becoming(Next.FORGET, Next.SETTLE)),
        Bug("a contact in doubt is not looked for", contact_creations, "found", instead(None)),
        Bug("a contact's claim binds nobody", contact_creations, "complete", instead(None)),
        Bug("a login wakes nothing", _sessions(), "wake", instead(0)),
        Bug("the fence is open", write_fence, "may_write", instead(True)),
    ]


def _begins(delivery: Any) -> bool:
    delivery.has_begun = True
    return True


def _all_are_new(user: Any, messages: Any, *, or_stuck: bool = False) -> Any:
    return tuple(messages)


def _sessions() -> Any:
    from connectors.services import sessions

    return sessions


def main() -> int:
    options = _options()
    installation.set_up()
    from simulation.schedule import run

    missed = 0
    for bug in bugs():
        if options.only not in bug.words:
            continue
        found: tuple[int, str] | None = None
        with bug.planted():
            for seed in range(options.seed, options.seed + options.schedules):
                if result := run(seed).findings:
                    found = seed, result[0]
                    break
        missed += found is None
        print(f"{found[0] if found else 'NOT FOUND':>9}  {bug.words}: {found[1] if found else ''}", flush=True)
    print(f"{missed} not found within {options.schedules} schedules")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation.bugs", description=__doc__)
    parser.add_argument("--schedules", type=int, default=2000, help="how many at most for each, from SEED on")
    parser.add_argument("--seed", type=int, default=1, help="number of the first schedule")
    parser.add_argument("--only", default="", help="those whose words contain this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
