"""Access tokens: a JWT (RFC 9068) where a resource was asked for, opaque otherwise."""

import time
import uuid
from typing import Any

from django.conf import settings
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.tokens import random_token_generator

from core.models.signing_key import Algorithm
from core.oauth.claims import claims_of
from core.oauth.keys import sign
from core.oauth.resources import is_for_mcp


def access_token(request: Request) -> str:
    """oauthlib's hook. `request.resource` is settled by then: the validator does it when it accepts code or token."""
    resources: list[str] = vars(request).get("resource", [])
    return _jwt(request, resources) if resources else random_token_generator(request)


def person_claims(request: Request) -> dict[str, Any]:
    """`claims_of` the user of a request, looked up once for all tokens that the request gives."""
    own = vars(request)  # not getattr(), which oauthlib answers with what the client sent
    if "_person_claims" not in own:
        narrowing, consent = own.get("_narrowing"), own.get("consent")
        own["_person_claims"] = claims_of(request.user, narrowing.pk if narrowing else consent and consent.narrowing_id)
    return own["_person_claims"]


def _jwt(request: Request, resources: list[str]) -> str:
    now = int(time.time())
    claims = {
        "iss": settings.BASE_URL,
        "sub": str(request.user.pk),
        "aud": resources[0] if len(resources) == 1 else resources,
        "client_id": request.client.client_id,
        "scope": " ".join(request.scopes),
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + request.expires_in,
    }
    if any(map(is_for_mcp, resources)):
        claims |= person_claims(request)
    return sign(claims, typ="at+jwt", algorithm=Algorithm(settings.ACCESS_TOKEN_ALGORITHM))
