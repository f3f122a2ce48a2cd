"""Who acts besides the windows: workers, support, the operator of the installation, and people at the CRM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.db import connection, transaction
from django.db.utils import OperationalError

from connectors.deliveries import worker
from connectors.deliveries.models import Delivery
from connectors.deliveries.restore import after_restore
from simulation import databases
from simulation.crm import crm
from simulation.expectation import Expectation, Restored
from simulation.people import Person
from simulation.support import decide_next
from simulation.threads import Actor, Killed
from simulation.windows import subject_of
from simulation.world import world

_DELIVERIES = Delivery._meta.db_table


class Rounds:
    """A thread of the server's own, which does a thing now and then, and starts anew after its process was killed."""

    def __init__(
        self,
        expectation: Expectation,
        work: Callable[[], Any],
        *,
        rounds: int,
        pauses: Sequence[float] = (1.0, 8.0, 40.0, 130.0),
    ) -> None:
        self.expected, self.work, self.rounds, self.pauses = expectation, work, rounds, pauses

    def __call__(self, actor: Actor) -> None:
        for _ in range(self.rounds):
            failing = world.failing_statements_left
            world.begin_work(actor)
            try:
                self.work()
            except Killed:
                connection.close()
            except Exception as error:
                connection.close()
                if not (isinstance(error, OperationalError) and world.failing_statements_left < failing):
                    self.expected.surprises.append(f"{actor.name}: {error!r}")
            finally:
                crm.leave(actor)
                world.end_work(actor)
            world.sleep(world.rng.choice(self.pauses))


def send_due() -> None:
    """A round of a worker."""
    if world.rng.random() < 0.15:
        worker.clear_up()
    if not databases.has_rows(
        _DELIVERIES
    ):  # a round that finds nothing asks the database several times, and changes nothing
        return
    for delivery in worker.take_due(limit=4):
        worker.deliver(delivery)


def support(expected: Expectation, *, rounds: int = 3, pauses: Sequence[float] = (1.0, 8.0, 40.0, 130.0)) -> Rounds:
    """Support decides about one thing that waits for it, now and then."""
    return Rounds(expected, lambda: decide_next(expected), rounds=rounds, pauses=pauses)


class Update:
    """The operator installs another release, here with a further key: some processes go on with what they have."""

    def __init__(self, expectation: Expectation) -> None:
        self.expected = expectation

    def __call__(self, actor: Actor) -> None:
        for _ in range(world.rng.randint(1, 2)):
            world.sleep(world.rng.choice((0.2, 1.0, 6.0, 60.0)))
            world.count("a release is installed")
            change = world.rng.choice(("keys", "version", "both"))
            installed = world.release
            world.release = replace(
                installed,
                keys=min(installed.keys + (change != "version"), 3),
                version=2 if change != "keys" else installed.version,
            )
            for process in dict.fromkeys(other.process for other in world.actors if other is not actor):
                if world.rng.random() < 0.5:
                    world.kill(process)


class BackUp:
    """The operator saves the database, and restores it some time later, as ``docs/deliveries.md`` tells."""

    def __init__(
        self,
        expectation: Expectation,
        *,
        saves_after: Sequence[float] = (0.1, 0.5, 2.0, 10.0),
        restores_after: Sequence[float] = (1.0, 5.0, 30.0, 200.0),
    ) -> None:
        self.expected, self.saves_after, self.restores_after = expectation, saves_after, restores_after

    def __call__(self, actor: Actor) -> None:
        world.sleep(world.rng.choice(self.saves_after))
        with transaction.atomic():
            world.switch("saves the database")
            actor.is_alone = True
            databases.save()
            saved = world.now
        actor.is_alone = False
        world.sleep(world.rng.choice(self.restores_after))
        with world.gate:
            world.end_processes(actor)
            while any(other.may_be_killed for other in world.actors if other is not actor):
                world.sleep(0.01)
            actor.is_alone = True
            with transaction.atomic():
                databases.restore()
            after_restore()
            actor.is_alone = False
            self.expected.restored = Restored(saved=saved, restored=world.now)
            crm.has_ended_logins = True
            world.count("a back-up is restored")
            world.note("the back-up is restored")


class PeopleAtTheCrm:
    """They write into records, delete some, and end logins; called at every switch."""

    def __init__(self, expected: Expectation, people: list[Person], habits: set[str], *, share: float) -> None:
        self.expected, self.people, self.share = expected, people, share
        self.habits = sorted(habits)

    def __call__(self) -> None:
        crm.settle()
        if not self.habits or world.rng.random() >= self.share:
            return
        habit = world.rng.choice(self.habits)
        if habit == "end logins":
            if names := [person.key for person in self.people if person.is_oauth]:
                world.count("a login is revoked at the CRM")
                crm.end_logins(world.rng.choice(names))
            return
        tenants = sorted({person.known.tenant for person in self.people})
        rows = [(tenant, row) for tenant in tenants for row in crm.records(tenant)]
        if not rows:
            return
        tenant, row = world.rng.choice(rows)
        if habit == "write":
            write_by_hand(self.expected, row)
        else:
            world.count("a person deletes a record")
            world.note(f"a person deletes {row['id']}")
            self.expected.deleted[tenant, subject_of(row["external_id"])] = world.now
            crm.delete_by_hand(row)


def write_by_hand(expected: Expectation, row: dict[str, Any]) -> None:
    """A person adds a line to a record, unless somebody has just read it to write it back."""
    if not crm.is_quiet(row["id"]):
        return
    text = f"By hand: {world.rng.randrange(10**9):09}."
    crm.write_by_hand(row, text)
    expected.by_people.setdefault(row["id"], []).append(text)
    world.count("a person writes into a record")
    world.note(f"a person writes into {row['id']}")
