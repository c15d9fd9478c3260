"""What this authorization server says about itself."""

import json

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET
from oauth2_provider.views import ConnectDiscoveryInfoView, OAuthServerMetadataView

from core.oauth.tokens import ALGORITHM

_OAUTH = OAuthServerMetadataView.as_view()
_OPENID = ConnectDiscoveryInfoView.as_view()


@require_GET
def metadata(request: HttpRequest) -> JsonResponse:
    """One document at every well-known address: clients look for either name, at the root and below /o/.

    It is what the library says for RFC 8414 and for OpenID Connect Discovery, together. Every URL comes from settings.
    """
    document = {**json.loads(_OAUTH(request).content), **json.loads(_OPENID(request).content)}
    document["claims_supported"] = sorted(document["claims_supported"])
    document["id_token_signing_alg_values_supported"] = [ALGORITHM]
    document["introspection_endpoint_auth_methods_supported"] = [
        method for method in document["introspection_endpoint_auth_methods_supported"] if method != "none"
    ]
    return JsonResponse(document, headers={"Access-Control-Allow-Origin": "*"})
