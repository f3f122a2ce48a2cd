"""The people of the demonstration: agents of four companies, and those they talk to. All of them are made up."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from adapters import registry
from adapters.contract import ContactRef, Credentials
from audit.numbers import ending_of, hashed_number
from connectors.models import CrmUser

#: Tenants whose name begins so are the demonstration's.
COMPANY = "demo-"
_AGENTS = (
    "Ada Lindqvist", "Ben Okafor", "Carla Mendes", "Dmitri Volkov", "Elif Demir", "Femi Adeyemi", "Grace Whitfield",
    "Hiro Tanaka", "Ines Duarte", "Jonas Keller", "Kim Sorensen", "Leila Haddad", "Marco Bianchi", "Nadia Kowalska",
    "Omar Rahman", "Priya Nair",
)  # fmt: skip
_FIRST = ("Alice", "Bruno", "Chloe", "David", "Emma", "Farid", "Gina", "Hugo", "Irene", "Jack", "Karen", "Louis")
_LAST = ("Archer", "Bennet", "Castillo", "Dubois", "Eriksen", "Fontaine", "Grant", "Holloway", "Ito", "Jensen")
_ZONES = ("America/Los_Angeles", "America/New_York", "Europe/Zurich", "America/Chicago")
_AGENTS_EACH = 4
_CONTACTS_EACH = 40


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Somebody in a CRM."""

    id: int
    name: str
    number: str

    @property
    def ref(self) -> ContactRef:
        return ContactRef(id=self.id, type="Contact", name=self.name, phone=self.number)

    @property
    def columns(self) -> dict[str, str]:
        """The columns of a log that tell who it is about."""
        return {
            "contact_id": str(self.id),
            "contact_type": "Contact",
            "number_hash": hashed_number(self.number),
            "number_ending": ending_of(self.number),
        }


@dataclass(kw_only=True)
class Company:
    """A tenant of a CRM, with its agents and contacts."""

    platform: str
    host: str
    zone: ZoneInfo
    agents: list[CrmUser] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    #: The next id that its CRM gives to a record.
    next_record: int = 41_000

    @property
    def crm(self) -> str:
        return f"{self.platform}:{self.host}"

    def new_record(self) -> str:
        self.next_record += 1
        return str(self.next_record)


def platforms() -> list[str]:
    """Four CRMs: first those that are set up on this server."""
    manifests = registry.manifests()
    return sorted(manifests, key=lambda name: (bool(registry.missing_secrets(manifests[name])), name.lower()))[:4]


def companies(dice: random.Random, since: datetime) -> list[Company]:
    """A company for each CRM. Its agents connected ``since``; their logins are none that a CRM would know."""
    found = []
    for place, platform in enumerate(platforms()):
        company = Company(platform=platform, host=f"{COMPANY}{place + 1}.example", zone=ZoneInfo(_ZONES[place]))
        for number in range(_AGENTS_EACH):
            name = _AGENTS[place * _AGENTS_EACH + number]
            company.agents.append(_agent(company, name, 7000 + place * 100 + number, since))
        for number in range(_CONTACTS_EACH):
            name = f"{_FIRST[number % len(_FIRST)]} {_LAST[(number * 7 + place) % len(_LAST)]}"
            digits = f"+1650555{(place * _CONTACTS_EACH + number):04d}"
            company.contacts.append(Contact(id=90_000 + place * 1000 + number, name=name, number=digits))
        dice.shuffle(company.contacts)
        found.append(company)
    return found


def _agent(company: Company, name: str, number: int, since: datetime) -> CrmUser:
    agent = CrmUser(
        platform=company.platform,
        wire_id=f"{number}-{company.platform}",
        crm_user_id=str(number),
        crm_user_id_is_number=True,
        name=name,
        email=f"{name.split()[0].lower()}@{company.host}",
        host=company.host,
        identity_host=company.host,
        timezone=company.zone.key,
        crm_account_id=f"{COMPANY}{company.platform}",
        hashed_rc_extension_id=hashed_number(f"extension {number}"),
        connected_at=since + timedelta(minutes=number % 60),
        last_seen_at=since,
    )
    agent.set_credentials(Credentials(access_token="demonstration"))  # noqa: S106 - opens nothing  # nosec
    agent.save(force_insert=True)
    return agent
