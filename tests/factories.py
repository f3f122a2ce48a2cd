"""Rows of our own models."""

from __future__ import annotations

import factory
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.utils import timezone

from adapters.contract import Credentials
from connectors.models import CrmUser
from connectors.roles import make_roles


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


def signed_in(client, role):
    """The test client, signed in as a member of staff with that role."""
    make_roles(apps)
    account, _ = User.objects.get_or_create(username="lee", defaults={"is_staff": True})
    account.groups.set([Group.objects.get(name=role)])
    client.force_login(account)
    return client
