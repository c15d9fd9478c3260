"""What people let others do on their behalf: consents to clients, and tokens for agents. Looked at and ended here."""

from django.contrib import admin

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
    list_display = ("id", "user", "description", "created", "expires", "revoked", "last_used")
    list_display_links = ("id", "user")
    search_fields = ("user__email", "description")
    exclude = ("token_hash",)

    def has_add_permission(self, request: object) -> bool:
        return False
