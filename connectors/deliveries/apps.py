from __future__ import annotations

from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    name = "connectors.deliveries"
    label = "deliveries"
    default_auto_field = "django.db.models.BigAutoField"
