"""A person logs in at a peer: authorization code with PKCE, for its MCP endpoint (RFC 6749, 7636, 8707, 9207)."""

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from core.actions.peers import keep_login, tokens_of
from core.models import Peer, PeerLogin, User
from core.oauth.peers import outbound
from core.oauth.peers.servers import Server, server_of
from core.oauth.peers.tokens import as_client
from core.policy.errors import DomainError, InvalidInput, PermissionDenied, Unavailable

NAME_THERE = "A connected exchange"
"""What this exchange calls itself where it registers. Another one refuses names that look like its own; whoever
consents is shown the host that the answer goes to besides."""


def redirect_uri() -> str:
    return f"{settings.BASE_URL}{reverse('peer-answer')}"


def authorization_request(peer: Peer) -> tuple[str, dict[str, Any]]:
    """Where to send the person, and what is to be remembered of it until they are back, in their session.

    Raises Unavailable, and PermissionDenied where the peer lets no client register itself.
    """
    server = server_of(peer)
    if not server.authorization_endpoint:
        raise PermissionDenied(f"Nobody can log in at {peer.name} by way of a browser.")
    if not peer.client_id:
        _register(peer, server)
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    asked = {
        "response_type": "code",
        "client_id": peer.client_id,
        "redirect_uri": redirect_uri(),
        "scope": peer.scope,
        "state": state,
        "resource": peer.url,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    remembered = {"peer": peer.pk, "state": state, "verifier": verifier}
    return f"{server.authorization_endpoint}?{urlencode(asked)}", remembered


@sensitive_variables()
def take_answer(user: User, peer: Peer, answer: Mapping[str, str], remembered: Mapping[str, Any]) -> PeerLogin:
    """Raises InvalidInput for an answer to another question, PermissionDenied for a no, Unavailable."""
    if not secrets.compare_digest(answer.get("state", "").encode(), str(remembered["state"]).encode()):
        raise InvalidInput("This answer belongs to another login: begin again.")
    server = server_of(peer)
    if answer.get("iss", "" if server.names_itself else server.issuer) != server.issuer:
        raise InvalidInput("This answer comes from somebody else: begin again.")
    if not answer.get("code"):
        raise PermissionDenied(f"{peer.name} did not let you in: begin again, and agree there.")
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": redirect_uri(),
        "code_verifier": str(remembered["verifier"]),
        "resource": peer.url,
    }
    given = outbound.post(server.token_endpoint, **as_client(peer, form))
    if not given.is_ok or not isinstance(given.body.get("access_token"), str):
        raise PermissionDenied(f"{peer.name} gave no token for this login: begin again.")
    return keep_login(user, peer, given.body)


def end(login: PeerLogin) -> None:
    """Here for good. There too (RFC 7009), if the peer's authorization server can be reached."""
    peer, token = login.peer, tokens_of(login).get("refresh_token")
    login.delete()
    try:
        endpoint = server_of(peer).revocation_endpoint
        if endpoint and token:
            outbound.post(endpoint, **as_client(peer, {"token": token, "token_type_hint": "refresh_token"}))
    except DomainError:
        return  # what was kept here is gone, which is all that was promised


def _register(peer: Peer, server: Server) -> None:
    """RFC 7591, once. A public client: the code is bound by PKCE, and a refresh token is used once."""
    if not server.registration_endpoint:
        raise PermissionDenied(f"{peer.name} wants this exchange registered there by its administrators first.")
    metadata = {
        "client_name": NAME_THERE,
        "redirect_uris": [redirect_uri()],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    answer = outbound.post_json(server.registration_endpoint, metadata)
    client_id = answer.body.get("client_id")
    if not answer.is_ok or not isinstance(client_id, str) or not client_id or len(client_id) > 255:
        raise Unavailable(f"{peer.name} does not let this exchange register itself now.")
    peer.client_id = client_id
    peer.save(update_fields=["client_id", "changed"])
