"""What people let others do on their behalf: consents to clients, and tokens for agents. Looked at and ended here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.actions import mcp_tokens
from core.admin.base import DOOR, person
from core.admin.oauth import CredentialAdmin
from core.models import ClientConsent, McpToken


@admin.register(ClientConsent)
class ClientConsentAdmin(CredentialAdmin):
    list_display = ("id", "user", "application", "scope", "given")
    list_display_links = ("id", "user")
    search_fields = ("user__email", "application__name")

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
        return self._named(token, token.narrowing.studies.all() if token.narrowing else [])

    @admin.display(description="Organizations it is for")
    def organizations(self, token: McpToken) -> str:
        return self._named(token, token.narrowing.organizations.all() if token.narrowing else [])

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

    def _named(self, token: McpToken, places: Any) -> str:
        return "All" if token.narrowing is None else ", ".join(f"{place.pk} ({place})" for place in places) or "None"
