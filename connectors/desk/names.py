"""What people call those who act."""

from __future__ import annotations

from connectors.models import CrmUser


def name_of(user: CrmUser | None) -> str:
    """Of a connected user: the name, else the e-mail address, else the id on the wire."""
    return (user.name or user.email or user.wire_id) if user else "an agent who was removed"
