"""The one page of allauth's SAML that meets whatever anybody sends."""

from typing import Any

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.saml.views import FinishACSView
from django.http import HttpRequest, HttpResponse
from lxml.etree import XMLSyntaxError


class FinishSamlView(FinishACSView):
    def dispatch(self, request: HttpRequest, organization_slug: str) -> HttpResponse:
        """What is no XML, or has a DTD or entities, is refused like what is not signed; the library lets it fail."""
        try:
            return super().dispatch(request, organization_slug)
        except (XMLSyntaxError, ValueError):
            provider: Any = self.get_provider(organization_slug)
            return render_authentication_error(request, provider)
