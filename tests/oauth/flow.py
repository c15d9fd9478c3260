"""A client's way through login and consent to tokens, over Django's test client; every part can be bent."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from oauth2_provider.models import Application

from core.actions.clients import STDIO_CLIENT_ID
from core.models import User

REDIRECT_URI = "http://127.0.0.1:49152/callback"
VERIFIER = secrets.token_urlsafe(48)
NONCE = "a nonce of the client"
STATE = "a state of the client"


def challenge(verifier: str = VERIFIER) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def asked(**changes: Any) -> dict[str, Any]:
    """An authorization request; `changes` replace parameters, a value of None leaves one out."""
    request = {
        "response_type": "code",
        "client_id": STDIO_CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "openid mcp",
        "state": STATE,
        "nonce": NONCE,
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        "resource": settings.MCP_URL,
    }
    return _changed(request, changes)


def ask(client: Client, **changes: Any) -> HttpResponse:
    """The page that somebody who is logged in sees, or the redirect that refuses the request."""
    return client.get("/o/authorize/", asked(**changes))


def answer(page: HttpResponse, *, allow: bool = True, **changes: Any) -> HttpResponse:
    """Press a button of the page with all its boxes ticked as they are; `changes` are other answers, or made up."""
    fields = {field.html_name: field.value() for field in page.context["form"]}
    return page.client.post(
        page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"],
        _changed({**fields, **({"allow": "on"} if allow else {})}, changes),
    )


def said(response: HttpResponse) -> dict[str, str]:
    """What a redirect tells the client."""
    assert response.status_code == 302, response.content
    assert response["Location"].startswith(REDIRECT_URI)
    return {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}


def code(user: User, **changes: Any) -> str:
    client = Client()
    client.force_login(user)
    return said(answer(ask(client, **changes)))["code"]


def code_for_web(user: User, application: Application, redirect_uri: str) -> str:
    client = Client()
    client.force_login(user)
    page = ask(client, client_id=application.client_id, redirect_uri=redirect_uri)
    return parse_qs(urlsplit(answer(page)["Location"]).query)["code"][0]


def redeem(code: str, /, **changes: Any) -> HttpResponse:
    request = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": STDIO_CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    return Client().post("/o/token/", _changed(request, changes))


def refresh(refresh_token: str, /, **changes: Any) -> HttpResponse:
    request = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": STDIO_CLIENT_ID}
    return Client().post("/o/token/", _changed(request, changes))


def tokens(user: User, **changes: Any) -> dict[str, Any]:
    """What the token endpoint gives this person's client."""
    response = redeem(code(user, **changes))
    assert response.status_code == 200, response.content
    return response.json()


def refused(response: HttpResponse) -> str:
    """The error code (RFC 6749 §5.2) of a refused token request."""
    assert response.status_code in (400, 401), response.content
    return response.json()["error"]


def verified(token: str, audience: str) -> dict[str, Any]:
    """The claims of a JWT, checked as a resource server would, with the published keys."""
    keys = jwt.PyJWKSet.from_dict(Client().get("/o/.well-known/jwks.json").json())
    return jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["RS256"],
        audience=audience,
        issuer=settings.BASE_URL,
        options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
    )


def stands(token: str) -> bool:
    """Whether the database knows an access token, or the ID token of the stdio login, at this moment."""
    return granted(token) is not None


def granted(token: str) -> str | None:
    """The scope with which such a token stands; None when it does not."""
    keys = [hashlib.sha256(token.encode()).hexdigest()]
    if token.count(".") == 2:
        keys.append(jwt.decode(token, options={"verify_signature": False})["jti"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT scope FROM access_token WHERE token_key = ANY(%s)", [keys])
        row = cursor.fetchone()
    return row and row[0]


def _changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}
