"""What this authorization server says about itself."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET
from oauth2_provider.views import ConnectDiscoveryInfoView, OAuthServerMetadataView

from core.models.signing_key import Algorithm

_OAUTH = OAuthServerMetadataView.as_view()
_OPENID = ConnectDiscoveryInfoView.as_view()


@require_GET
def metadata(request: HttpRequest) -> JsonResponse:
    """One document at every well-known address: clients look for either name, at the root and below /o/."""
    return JsonResponse(document(request))


def document(request: HttpRequest) -> dict[str, Any]:
    """What the library says for RFC 8414 and for OpenID Connect Discovery, together. Every URL comes from settings."""
    said = {**json.loads(_OAUTH(request).content), **json.loads(_OPENID(request).content)}
    said["device_authorization_endpoint"] = f"{settings.BASE_URL}{reverse('oauth2_provider:device-authorization')}"
    said["prompt_values_supported"] = ["none", "login", "consent", "select_account"]
    said["claims_supported"] = sorted(said["claims_supported"])
    said["id_token_signing_alg_values_supported"] = [Algorithm.RS256]
    said["introspection_endpoint_auth_methods_supported"] = [
        method for method in said["introspection_endpoint_auth_methods_supported"] if method != "none"
    ]
    return said
