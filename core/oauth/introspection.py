"""What a token is (RFC 7662), fast enough to be asked with every request: two statements and no password hash."""

import hashlib
import json
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from oauth2_provider.models import Application
from oauthlib.common import Request

from core.oauth.validator import Validator
from core.oauth.wrong_secrets import CountsWrongSecrets
from core.policy.claims import MAX_STUDIES
from core.sql import statement

_INTROSPECT = statement("introspect")


@method_decorator(never_cache, name="dispatch")
class IntrospectionView(CountsWrongSecrets):
    """Of a token that stands: what it was granted for. Of anything else, or what is not the asker's to know: inactive.

    Clients ask with their secret: each about its own tokens, a resource server (core/models/client.py) about all.
    """

    http_method_names = ["post", "options"]  # RFC 7662 §2.1; a token in a URL ends up in logs

    def post(self, request: HttpRequest) -> JsonResponse:
        asker = _asker(request)
        if asker is None:
            challenge = {"WWW-Authenticate": 'Basic realm="JupyterHealth Exchange"'}
            return _error("invalid_client", "Ask with a client's id and secret.", status=401, headers=challenge)
        tokens = request.POST.getlist("token")
        if len(tokens) != 1:
            return _error("invalid_request", "Send one token.", status=400)
        return JsonResponse(_told(tokens[0], asker))


def _asker(request: HttpRequest) -> Application | None:
    """The client that shows its secret, in the header or the body (RFC 6749 §2.3.1); a public one has none to show."""
    shown = Request(
        request.path,
        http_method="POST",
        body=[(name, value) for name, value in request.POST.items() if name in ("client_id", "client_secret")],
        headers={"HTTP_AUTHORIZATION": request.headers.get("Authorization", "")},
    )
    if not Validator().authenticate_client(shown) or shown.client.client_type != Application.CLIENT_CONFIDENTIAL:
        return None
    return shown.client


def _told(token: str, asker: Application) -> dict[str, Any]:
    parameters = {
        "checksum": hashlib.sha256(token.encode()).hexdigest(),
        "asker": asker.client_id,
        "most": MAX_STUDIES + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INTROSPECT, parameters)
        row = cursor.fetchone()
    if row is None:
        return {"active": False}
    user_id, caller_id, client_id, scope, permissions, issued, expires, resource, studies = row
    told = {
        "active": True,
        "iss": settings.BASE_URL,
        "sub": str(user_id),
        "client_id": client_id,
        "scope": scope,
        "token_type": "Bearer",
        "iat": issued,
        "exp": expires,
    }
    if audiences := json.loads(resource):
        told["aud"] = audiences
    if caller_id < 0:
        told["narrowing"] = caller_id
        told["jhe_permissions"] = {"studies": studies[:MAX_STUDIES], "truncated": len(studies) > MAX_STUDIES}
    if permissions is not None:
        told["permissions"] = permissions
    return told


def _error(error: str, description: str, *, status: int, headers: dict[str, str] | None = None) -> JsonResponse:
    return JsonResponse({"error": error, "error_description": description}, status=status, headers=headers)
