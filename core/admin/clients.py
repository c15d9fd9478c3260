from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core.admin.base import ExchangeAdmin, PatientDataAdmin, ReadOnly
from core.models import OrganizationClient, PatientInvitation, PractitionerClient, Setting


@admin.register(OrganizationClient)
class OrganizationClientAdmin(ExchangeAdmin):
    """Which organization looks after an application, and where patients begin who are invited to it."""

    list_display = ("application", "organization", "invitation_url")
    list_select_related = ("application", "organization")
    search_fields = ("application__name", "organization__name")
    number_fields = ("application_id", "organization_id")
    autocomplete_fields = ("application", "organization")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("application",) if obj else ()


@admin.register(PractitionerClient)
class PractitionerClientAdmin(ReadOnly, ExchangeAdmin):
    """Practitioners' own: made over REST, where the secret is shown, and deleted here as applications."""

    list_display = ("application", "owner", "scope")
    list_select_related = ("application__user",)
    search_fields = ("application__name", "application__user__email")
    number_fields = ("application_id", "application__user_id")

    @admin.display(ordering="application__user")
    def owner(self, obj: PractitionerClient) -> Any:
        return obj.application.user


@admin.register(PatientInvitation)
class PatientInvitationAdmin(ReadOnly, PatientDataAdmin):
    """Issued and cancelled over REST, which is where its link can be shown."""

    list_display = ("id", "patient_id", "client", "state", "expires")
    list_select_related = ("client", "patient")
    list_filter = ("status",)
    search_fields = ("client__name",)
    number_fields = ("id", "patient_id")
    exclude = ("token_hash",)


@admin.register(Setting)
class SettingAdmin(ExchangeAdmin):
    list_display = ("key", "value")
    search_fields = ("key", "value")
    number_fields = ("value",)
