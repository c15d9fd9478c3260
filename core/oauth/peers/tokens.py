"""A person's token for a peer: by an assertion of this exchange, or by their own login there."""

import hashlib
import time
import unicodedata
import uuid
from typing import Any, NamedTuple

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from core.actions.peers import renew_login, seconds_of, tokens_of
from core.models import Peer, PeerLogin, User
from core.models.signing_key import Algorithm
from core.oauth.keys import sign
from core.oauth.peers import outbound
from core.oauth.peers.servers import server_of
from core.policy.errors import PermissionDenied, Unavailable
from core.policy.peers import ACCESS_TOKEN, TOKEN_EXCHANGE

_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - RFC 8693 §3: the name of a kind of token
_ASSERTION_SECONDS = 60
_FRESH_SECONDS = 60
_MAX_QUOTED = 200


class PeerToken(NamedTuple):
    access_token: str
    seconds: int


@sensitive_variables()
def token_for(user: User, peer: Peer, refused: str = "") -> PeerToken:
    """`refused` is the SHA-256 (hexadecimal) of a token that the peer takes no more.

    Raises PermissionDenied with what the person can do about it, Unavailable. Within a transaction.
    """
    return _exchanged(user, peer) if peer.method == Peer.Method.EXCHANGE else _of_login(user, peer, refused)


def _exchanged(user: User, peer: Peer) -> PeerToken:
    """RFC 8693 at the peer's authorization server, which trusts this one to say who somebody is (docs/smart.md).

    The assertion is good there alone, once, for a minute.
    """
    server, now = server_of(peer), int(time.time())
    claims = {
        "iss": settings.BASE_URL,
        "sub": str(user.pk),
        "aud": server.issuer,
        "azp": server.issuer,
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
        "jti": str(uuid.uuid4()),
    }
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": sign(claims, typ="JWT", algorithm=Algorithm.RS256),
        "subject_token_type": _ID_TOKEN,
        "requested_token_type": ACCESS_TOKEN,
        "resource": peer.url,
        "scope": peer.scope,
    }
    answer = outbound.post(server.token_endpoint, form=form, auth=(peer.client_id, peer.secret))
    if not answer.is_ok:
        why = _why(answer, form["subject_token"], peer.secret)
        raise PermissionDenied(
            f"{peer.name} gives you no token{why}. Its administrators can let you in: you are the subject "
            f"{user.pk} of the issuer {settings.BASE_URL}."
        )
    return _given(answer.body, peer)


def _of_login(user: User, peer: Peer, refused: str) -> PeerToken:
    """The row is locked: of two calls that find the token ended, one renews it, and the other gets the new one."""
    login = PeerLogin.objects.select_for_update().filter(user=user, peer=peer).first()
    tokens = tokens_of(login) if login else {}
    if login is None or not tokens:
        raise PermissionDenied(f"You are not logged in at {peer.name} yet. {_log_in(peer)}")
    left = int((login.expires - timezone.now()).total_seconds())
    if left > _FRESH_SECONDS and hashlib.sha256(tokens["access_token"].encode()).hexdigest() != refused:
        return PeerToken(tokens["access_token"], left)
    if "refresh_token" not in tokens:
        raise PermissionDenied(f"Your login at {peer.name} has ended. {_log_in(peer)}")
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "resource": peer.url}
    answer = outbound.post(server_of(peer).token_endpoint, **as_client(peer, form))
    if not answer.is_ok:
        why = _why(answer, form["refresh_token"], peer.secret)
        raise PermissionDenied(f"{peer.name} has ended your login there{why}. {_log_in(peer)}")
    given = _given(answer.body, peer)
    renew_login(login, answer.body)
    return given


def as_client(peer: Peer, form: dict[str, str]) -> dict[str, Any]:
    """A form and how this exchange shows which client it is; without a secret, by its id (RFC 6749 §3.2.1)."""
    secret = peer.secret
    if secret:
        return {"form": form, "auth": (peer.client_id, secret)}
    return {"form": {**form, "client_id": peer.client_id}}


def _given(body: dict[str, Any], peer: Peer) -> PeerToken:
    token = body.get("access_token")
    is_bearer = str(body.get("token_type", "")).lower() == "bearer"
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or not is_bearer:
        raise Unavailable(f"{peer.name} answers with what is no bearer token.")
    return PeerToken(token, seconds_of(body))


def _log_in(peer: Peer) -> str:
    return f"Log in there once: {settings.BASE_URL}{reverse('peer', args=[peer.pk])}"


def _why(answer: outbound.Answer, *secrets: str) -> str:
    """Its words, short and marked as such: other people wrote them. None where they repeat one of the `secrets` that it
    was sent. Raises Unavailable where it is in trouble.
    """
    if answer.status >= 500 or answer.status == 429:
        raise Unavailable("Its authorization server is not ready: try again in a minute.")
    said = answer.body.get("error_description") or answer.body.get("error")
    if not isinstance(said, str) or any(secret in said for secret in secrets if secret):
        return ""
    plain = "".join(c if unicodedata.category(c)[0] != "C" and c not in '"\\' else " " for c in said)
    return f' (it says: "{" ".join(plain.split())[:_MAX_QUOTED]}")'
