"""The admin is for superusers alone: Django's groups and permissions would be a second policy beside core/policy."""

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest


class ExchangeAdminSite(AdminSite):
    site_header = site_title = "JupyterHealth Exchange"
    index_title = "Administration"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and bool(request.user.is_superuser)


class ExchangeAdminConfig(AdminConfig):
    default_site = "core.admin_site.ExchangeAdminSite"
