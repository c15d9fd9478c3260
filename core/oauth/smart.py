"""What SMART apps ask first (SMART App Launch 2.2, conformance): where to log in, and what works here."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from core.oauth.metadata import document
from core.oauth.scopes import LISTED_SCOPES

CAPABILITIES = [
    "client-confidential-symmetric",
    "client-public",
    "context-standalone-patient",
    "launch-standalone",
    "permission-offline",
    "permission-patient",
    "permission-user",
    "permission-v2",
    "sso-openid-connect",
]
"""SMART App Launch 2.2, capabilities. There is no launch from an EHR, no client with keys, no scope of version 1."""

_FROM_SERVER_METADATA = (
    "issuer",
    "jwks_uri",
    "authorization_endpoint",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "registration_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "grant_types_supported",
    "response_types_supported",
    "code_challenge_methods_supported",
)


@require_GET
def smart_configuration(request: HttpRequest) -> JsonResponse:
    server = document(request)
    configuration = {name: server[name] for name in _FROM_SERVER_METADATA if name in server}
    configuration |= {"scopes_supported": LISTED_SCOPES, "capabilities": CAPABILITIES}
    return JsonResponse(configuration)
