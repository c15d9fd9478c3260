"""Clients that are known by the URL of a document about them (draft-ietf-oauth-client-id-metadata-document).

The library fetches it from public addresses only, over https, without redirects, in five seconds and 16 kB; here is
what of it is accepted, and when it is fetched at all.
"""

from typing import Any
from urllib.parse import urlsplit

from django.urls import reverse
from oauth2_provider.cimd import CIMDError, SafeMetadataFetcher
from oauth2_provider.models import Application
from oauthlib.common import Request

from core.oauth.registration import InvalidMetadataError, accepted


class MetadataFetcher(SafeMetadataFetcher):
    def fetch(self, client_id: str) -> tuple[dict[str, Any], int]:
        """The metadata and how many seconds it holds. Raises CIMDError."""
        document, seconds = self.retrieve(client_id)
        try:
            kept = accepted(document, auth_method="none")
        except InvalidMetadataError as error:
            raise CIMDError(str(error)) from None
        # The library refuses a document with a secret, and one that names another client.
        named = {name: document[name] for name in document if name == "client_id" or name.startswith("client_secret")}
        return {**named, **kept}, seconds

    def retrieve(self, client_id: str) -> tuple[dict[str, Any], int]:
        """The document as it is served, and its age. Raises CIMDError."""
        return super().fetch(client_id)


class WhereAPersonIsAsked:
    """At the authorization endpoint, that is when somebody has logged in: no stranger makes us fetch anything."""

    def has_permission(self, request: Request, client_id: str) -> bool:
        could_be_kept = len(client_id) <= Application._meta.get_field("client_id").max_length
        return could_be_kept and urlsplit(request.uri).path == reverse("oauth2_provider:authorize")
