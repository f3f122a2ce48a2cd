from __future__ import annotations

from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "connectors.desk"
    label = "desk"
    verbose_name = "Support desk"
    default_auto_field = "django.db.models.BigAutoField"
