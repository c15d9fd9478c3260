"""What is kept of other MCP servers, and of this exchange's own when it asks for their tokens."""

from datetime import timedelta
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import Application

from core.derived_keys import seal, unseal
from core.models import Peer, PeerLogin, User
from core.policy.peers import MCP_SERVER_CLIENT_ID

_PURPOSE = "peers"
_OF_A_LOGIN = ("url", "issuer", "client_id", "method")
_LONGEST_SECONDS = 86_400
_USUAL_SECONDS = 300
"""Of a token of which its server does not say for how long it is good (RFC 6749 §5.1)."""


def save_peer(peer: Peer, *, secret: str = "") -> None:
    """Logins were made at one authorization server, for one endpoint and one client: with another of these they end."""
    with transaction.atomic():
        before = Peer.objects.filter(pk=peer.pk).values(*_OF_A_LOGIN).first()
        if secret:
            peer.secret = secret
        peer.save()
        if before is not None and before != {name: getattr(peer, name) for name in _OF_A_LOGIN}:
            PeerLogin.objects.filter(peer=peer).delete()


def keep_login(user: User, peer: Peer, answer: dict[str, Any]) -> PeerLogin:
    """What a token endpoint answered; a login of theirs at this peer that was there before is replaced."""
    with transaction.atomic():
        PeerLogin.objects.filter(user=user, peer=peer).delete()
        return PeerLogin.objects.create(user=user, peer=peer, tokens=_sealed(answer), expires=_end_of(answer))


def renew_login(login: PeerLogin, answer: dict[str, Any]) -> None:
    """A refresh token that the answer does not replace stays (RFC 6749 §6)."""
    kept = {"refresh_token": tokens_of(login).get("refresh_token"), **answer}
    login.tokens, login.expires = _sealed(kept), _end_of(answer)
    login.save(update_fields=["tokens", "expires"])


def tokens_of(login: PeerLogin) -> dict[str, Any]:
    """`access_token` and, where there is one, `refresh_token`. Nothing where SECRET_KEY is another now."""
    tokens: dict[str, Any] = orjson.loads(unseal(_PURPOSE, login.tokens) or "{}")
    return tokens


def seconds_of(answer: dict[str, Any]) -> int:
    """For how long the access token of an answer is good, as far as that is believed."""
    seconds = answer.get("expires_in", _USUAL_SECONDS)
    return min(max(seconds, 0), _LONGEST_SECONDS) if isinstance(seconds, int) else _USUAL_SECONDS


def renew_mcp_server_secret() -> str:
    """A new secret for the client that the MCP server is; the one before is worth nothing any more."""
    secret: str = generate_client_secret()
    client, _ = Application.objects.get_or_create(
        client_id=MCP_SERVER_CLIENT_ID,
        defaults={
            "name": "MCP server of this exchange",
            "client_type": Application.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Application.GRANT_CLIENT_CREDENTIALS,
            "algorithm": Application.RS256_ALGORITHM,
        },
    )
    client.client_secret = secret
    client.save(update_fields=["client_secret"])
    return secret


def _sealed(answer: dict[str, Any]) -> str:
    kept = {name: answer[name] for name in ("access_token", "refresh_token") if answer.get(name)}
    return seal(_PURPOSE, orjson.dumps(kept).decode())


def _end_of(answer: dict[str, Any]) -> Any:
    return timezone.now() + timedelta(seconds=seconds_of(answer))
