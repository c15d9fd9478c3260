"""Requests with a bearer token, as clients of REST and FHIR make them."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import AccessToken, Application

from core.actions.clients import STDIO_CLIENT_ID
from core.models import ClientConsent, ConsentedToken, Narrowing, User

ALL_SCOPES = "openid user/*.cruds patient/*.cruds mcp_tokens own_clients"


def token_of(user: User, *, scope: str = ALL_SCOPES, narrowing: Narrowing | None = None, **fields: Any) -> str:
    """A token that stands; `fields` replace those of its row. With a narrowing, the person consented to that much."""
    token: str = generate_client_secret()
    row = AccessToken.objects.create(
        **{
            "user": user,
            "token": token,
            "application": Application.objects.get(client_id=STDIO_CLIENT_ID),
            "expires": timezone.now() + timedelta(hours=1),
            "scope": scope,
            **fields,
        }
    )
    if narrowing is not None:
        consent = ClientConsent.objects.create(
            user=user, application=row.application, family=uuid4(), scope=row.scope, narrowing=narrowing
        )
        ConsentedToken.objects.create(access_token=row, consent=consent)
    return token


def client_of(user: User, *, scope: str = ALL_SCOPES, **fields: Any) -> Client:
    """Django's test client with the person's token on every request; its answers to faults are answers (5xx)."""
    token = token_of(user, scope=scope, **fields)
    return Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)
