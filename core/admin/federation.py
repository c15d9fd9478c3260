"""Who people are at the issuers that this exchange trusts (docs/smart.md). Made and removed here, never edited."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from core.admin.base import ExchangeAdmin, ExchangeForm
from core.models import FederatedIdentity


class FederatedIdentityForm(ExchangeForm):
    def clean_issuer(self) -> str:
        issuer: str = self.cleaned_data["issuer"]
        if issuer not in settings.TRUSTED_ISSUERS:
            raise forms.ValidationError("This issuer is none of JHE_TRUSTED_ISSUERS: spell it as its tokens do.")
        return issuer


@admin.register(FederatedIdentity)
class FederatedIdentityAdmin(ExchangeAdmin):
    form = FederatedIdentityForm
    list_display = ("id", "user", "issuer", "subject", "created")
    list_display_links = ("id", "user")
    list_select_related = ("user",)
    list_filter = ("issuer",)
    search_fields = ("user__email", "subject")
    number_fields = ("id", "user_id")
    autocomplete_fields = ("user",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
