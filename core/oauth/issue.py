"""Tokens for somebody who is not sitting in front of a browser: for trying things, and for tests."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.db import transaction
from oauth2_provider.oauth2_backends import get_oauthlib_core

from core.actions.clients import STDIO_CLIENT_ID, STDIO_REDIRECT_URI
from core.models import User
from core.policy.errors import InvalidInput

ALL_SCOPES = ("openid", "profile", "email", "offline_access", "mcp", "user/*.cruds", "own_clients")


@transaction.atomic
def issue(user: User, *, resource: str = "", scopes: tuple[str, ...] = ALL_SCOPES) -> dict[str, Any]:
    """What the token endpoint answers (RFC 6749 §5.1) after this person agreed to the stdio login's request.

    It drives the provider's own authorization and token endpoints; only the page with the question is left out.
    Raises InvalidInput with the provider's sentence.
    """
    server = get_oauthlib_core().server
    verifier = secrets.token_urlsafe(48)
    headers, _, _ = server.create_authorization_response(
        "/",
        scopes=list(scopes),
        credentials={
            "user": user,
            "client_id": STDIO_CLIENT_ID,
            "redirect_uri": STDIO_REDIRECT_URI,
            "response_type": "code",
            "code_challenge": urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
            "resource": [resource] if resource else [],
        },
    )
    answer = parse_qs(urlsplit(headers["Location"]).query)
    if "code" not in answer:
        raise InvalidInput(answer["error_description"][0])
    exchange = {
        "grant_type": "authorization_code",
        "client_id": STDIO_CLIENT_ID,
        "redirect_uri": STDIO_REDIRECT_URI,
        "code": answer["code"][0],
        "code_verifier": verifier,
    }
    _, body, status = server.create_token_response("/", body=urlencode(exchange))
    tokens: dict[str, Any] = json.loads(body)
    if status != 200:
        raise InvalidInput(tokens.get("error_description") or tokens["error"])
    return tokens
