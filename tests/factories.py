"""Rows of our own models."""

from __future__ import annotations

import factory
from django.utils import timezone

from adapters.contract import Credentials
from connectors.models import CrmUser


class CrmUserFactory(factory.django.DjangoModelFactory):
    """A user of the sandbox CRM, connected with the API key ``demo-key``."""

    class Meta:
        model = CrmUser
        skip_postgeneration_save = True

    platform = "testCRM"
    crm_user_id = factory.Sequence(lambda number: f"u{number}")
    wire_id = factory.LazyAttribute(lambda row: f"{row.crm_user_id}-{row.platform}")
    name = "Agent Kim"
    connected_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def credentials(self, create, extracted, **kwargs):
        self.set_credentials(extracted or Credentials(access_token="demo-key"))
        self.save()
