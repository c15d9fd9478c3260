"""What people let others do on their behalf: consents to clients, and tokens for agents. Looked at and ended here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.actions import mcp_tokens
from core.actions.client_consents import withdraw
from core.admin.base import DOOR, person
from core.admin.oauth import CredentialAdmin
from core.models import ClientConsent, McpToken, Narrowing


@admin.register(ClientConsent)
class ClientConsentAdmin(CredentialAdmin):
    """To delete one is to withdraw: it ends all that the client has of the person, at once."""

    list_display = ("id", "user", "application", "scope", "given")
    list_display_links = ("id", "user")
    search_fields = ("user__email", "application__name")
    number_fields = ("id", "user_id", "application_id")
    exclude = ("family", "narrowing")
    readonly_fields = ("studies", "organizations")

    @admin.display(description="Studies it is for")
    def studies(self, consent: ClientConsent) -> str:
        return _named(consent.narrowing, "studies")

    @admin.display(description="Organizations it is for")
    def organizations(self, consent: ClientConsent) -> str:
        return _named(consent.narrowing, "organizations")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        withdraw(actor=person(request), door=DOOR, user=obj.user, application=obj.application)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        for consent in queryset:
            self.delete_model(request, consent)

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(McpToken)
class McpTokenAdmin(CredentialAdmin):
    """Made over REST and with `manage.py mcp_token`, which can show the token this once."""

    list_display = ("id", "user", "description", "created", "expires", "revoked", "last_used")
    list_display_links = ("id", "user")
    list_select_related = ("user",)
    search_fields = ("user__email", "description")
    number_fields = ("id", "user_id")
    exclude = ("token_hash", "narrowing")
    readonly_fields = ("studies", "organizations")
    actions = ("revoke",)

    @admin.display(description="Studies it is for")
    def studies(self, token: McpToken) -> str:
        return _named(token.narrowing, "studies")

    @admin.display(description="Organizations it is for")
    def organizations(self, token: McpToken) -> str:
        return _named(token.narrowing, "organizations")

    @admin.action(description="Revoke the selected MCP tokens: they end at once", permissions=["delete"])
    def revoke(self, request: HttpRequest, tokens: "QuerySet[McpToken]") -> None:
        for token in tokens:
            mcp_tokens.revoke_token(actor=person(request), door=DOOR, token=token)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        mcp_tokens.delete_token(actor=person(request), door=DOOR, token=obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        for token in queryset:
            self.delete_model(request, token)

    def has_add_permission(self, request: object) -> bool:
        return False


def _named(narrowing: Narrowing | None, places: str) -> str:
    if narrowing is None or narrowing.everywhere:
        return "All"
    return ", ".join(f"{place.pk} ({place})" for place in getattr(narrowing, places).all()) or "None"
