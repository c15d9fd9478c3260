"""django-oauth-toolkit's own admin, made safe: clients are registered here, tokens only looked at and revoked."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from oauth2_provider import admin as toolkit
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken
from oauth2_provider.settings import oauth2_settings

from core.admin.base import ExchangeAdmin, ReadOnly
from core.models import ResourceServer, SigningKey


class ApplicationAdmin(toolkit.ApplicationAdmin, ExchangeAdmin):
    """The secret can be copied from the page that makes the client, and never again: it is kept hashed."""

    form = toolkit.ApplicationForm
    list_display = ("id", "name", "client_id", "client_type", "authorization_grant_type")
    list_display_links = ("id", "name")
    list_filter = ("client_type", "authorization_grant_type")
    search_fields = ("name", "client_id")

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Nobody can skip the consent page, so it is not offered (core/sql/consent_page_v1.sql)."""
        fixed = ("hash_client_secret", "skip_authorization")
        return (*fixed, "client_secret") if obj else fixed

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "authorization_grant_type":
            # The library spells one and the same grant in two ways.
            supported = [name.replace("-", "_") for name in oauth2_settings.OAUTH2_GRANT_TYPES_SUPPORTED]
            kwargs["choices"] = [grant for grant in Application.GRANT_TYPES if grant[0].replace("-", "_") in supported]
        if db_field.name == "algorithm":
            kwargs["choices"] = [choice for choice in Application.ALGORITHM_TYPES if choice[0] != "HS256"]
        return super().formfield_for_choice_field(db_field, request, **kwargs)


class CredentialAdmin(ExchangeAdmin):
    """Revoked, not edited."""

    list_select_related: ClassVar[tuple[str, ...]] = ("application", "user")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AccessTokenAdmin(CredentialAdmin, toolkit.AccessTokenAdmin):
    exclude = ("token_checksum",)


class RefreshTokenAdmin(CredentialAdmin, toolkit.RefreshTokenAdmin):
    exclude = ("token_checksum",)


class GrantAdmin(CredentialAdmin, toolkit.GrantAdmin):
    exclude = ("code_challenge", "nonce")
    hidden_columns = ExchangeAdmin.hidden_columns | {"code"}


class IDTokenAdmin(CredentialAdmin, toolkit.IDTokenAdmin):
    pass


@admin.register(ResourceServer)
class ResourceServerAdmin(ExchangeAdmin):
    """Which clients may ask what a token is (RFC 7662). They need a secret, so only confidential ones are offered."""

    list_display = ("application",)
    list_select_related = ("application",)
    search_fields = ("application__name", "application__client_id")
    number_fields = ("application_id",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "application":
            kwargs["queryset"] = Application.objects.filter(
                client_type=Application.CLIENT_CONFIDENTIAL,
                registration_source=Application.RegistrationSource.MANUAL,
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnly, ExchangeAdmin):
    """Public parts; changed by `manage.py rotate_keys`, which knows the order in which things have to happen."""

    list_display = ("kid", "algorithm", "created", "active_from", "verify_until")
    search_fields = number_fields = ("kid",)


for model, model_admin in (
    (Application, ApplicationAdmin),
    (AccessToken, AccessTokenAdmin),
    (RefreshToken, RefreshTokenAdmin),
    (Grant, GrantAdmin),
    (IDToken, IDTokenAdmin),
):
    admin.site.unregister(model)
    admin.site.register(model, model_admin)
