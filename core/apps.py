from typing import Any

from django.apps import AppConfig
from django.apps import apps as apps_of_now
from django.db import connection
from django.db.models.signals import post_migrate

from core.sql import statement


class CoreConfig(AppConfig):
    name = "core"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Exchange"

    def ready(self) -> None:
        from core import checks  # noqa: F401 - registers them
        from core.oauth import sessions  # noqa: F401 - hears of logins

        post_migrate.connect(_register_client, sender=self)
        post_migrate.connect(_grant_privileges, sender=self)


def _register_client(*, apps: Any = apps_of_now, **_: Any) -> None:
    """Like Django's own permissions, the exchange's own client is there after every migrate, and after a flush.

    `apps` is the state that was migrated to, which may be one before there were clients.
    """
    from core.actions.clients import register_stdio_client

    try:
        application_model = apps.get_model("oauth2_provider", "Application")
    except LookupError:
        return
    register_stdio_client(application_model=application_model)


def _grant_privileges(*, apps: Any = apps_of_now, **_: Any) -> None:
    """What the web service's database role may do with each table that there is now, of this app and of others.

    `apps` is the state that was migrated to, which may be one before that role.
    """
    try:
        apps.get_model("core", "AuditSeal")
    except LookupError:
        return
    with connection.cursor() as cursor:
        cursor.execute(statement("privileges_of_jhe_app"))
