"""The admin is for superusers alone: Django's groups and permissions would be a second policy beside core/policy."""

from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode


class AuditedAutocomplete(AutocompleteJsonView):
    """What one types is searched for like in a list, patients' names among it, and leaves an audit row like a list."""

    model_admin: Any  # each is an ExchangeAdmin

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        self.model_admin.record_shown(self.request, context["object_list"])
        return context


class ExchangeAdminSite(AdminSite):
    site_header = site_title = "JupyterHealth Exchange"
    index_title = "Administration"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and bool(request.user.is_superuser)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one login of the exchange, with its lock-out and second factors. There is no other door."""
        if request.user.is_authenticated and not self.has_permission(request):
            return render(request, "core/not_for_you.html", status=403)
        wanted = urlencode({"next": request.GET.get("next") or reverse("admin:index")})
        return redirect(f"{reverse('account_login')}?{wanted}")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return cast("HttpResponse", AuditedAutocomplete.as_view(admin_site=self)(request))


class ExchangeAdminConfig(AdminConfig):
    default_site = "core.admin_site.ExchangeAdminSite"
