from typing import Any

from django.apps import AppConfig
from django.apps import apps as apps_of_now
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    name = "core"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Exchange"

    def ready(self) -> None:
        from core import checks  # noqa: F401 - registers them

        post_migrate.connect(_after_migrate, sender=self)


def _after_migrate(*, apps: Any = apps_of_now, **_: Any) -> None:
    """Like Django's own permissions, the exchange's own client is there after every migrate, and after a flush.

    `apps` is the state that was migrated to, which may be one before there were clients.
    """
    from core.actions.clients import register_stdio_client

    try:
        application_model = apps.get_model("oauth2_provider", "Application")
    except LookupError:
        return
    register_stdio_client(application_model=application_model)
