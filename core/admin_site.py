"""The admin is for superusers alone: Django's groups and permissions would be a second policy beside core/policy."""

from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.http import HttpRequest, HttpResponse


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

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return cast("HttpResponse", AuditedAutocomplete.as_view(admin_site=self)(request))


class ExchangeAdminConfig(AdminConfig):
    default_site = "core.admin_site.ExchangeAdminSite"
