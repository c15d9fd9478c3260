"""Other MCP servers that this exchange is connected with (docs/federation.md)."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from core.actions.peers import save_peer
from core.admin.base import ExchangeAdmin, ExchangeForm, LinkInline
from core.models import Peer, PeerLogin, PeerOrganization


class PeerForm(ExchangeForm):
    new_secret = forms.CharField(
        label="OAuth client secret",
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Of this exchange there. It is kept encrypted and never shown; empty leaves it as it is.",
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("method") == Peer.Method.EXCHANGE and not cleaned.get("client_id"):
            self.add_error("client_id", "Token exchange needs the client that this exchange is there.")
        return cleaned


class PeerOrganizationInline(LinkInline):
    model = PeerOrganization
    fk_name = "peer"
    autocomplete_fields = ("organization",)


@admin.register(Peer)
class PeerAdmin(ExchangeAdmin):
    form = PeerForm
    list_display = ("prefix", "name", "url", "method", "enabled")
    list_filter = ("method", "enabled")
    search_fields = ("prefix", "name", "url")
    inlines = (PeerOrganizationInline,)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_peer(obj, secret=form.cleaned_data["new_secret"])


@admin.register(PeerLogin)
class PeerLoginAdmin(ExchangeAdmin):
    """Who has logged in where. Ended here, never looked into."""

    list_display = ("id", "user", "peer", "created", "expires")
    list_select_related = ("user", "peer")
    search_fields = ("user__email", "peer__name")
    number_fields = ("id", "user_id")
    exclude = ("tokens",)
    hidden_columns = ExchangeAdmin.hidden_columns | {"tokens"}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
