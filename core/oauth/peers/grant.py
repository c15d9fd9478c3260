"""The MCP server asks for a person's token for a peer (RFC 8693): it shows its own secret and the person's token.

That token was issued here and goes nowhere else. It is looked at as the MCP server would: whose it is, whether it
stands, that it was given for MCP; and one that can do less than its person opens no peer.
"""

import json
from http import HTTPStatus

from django.conf import settings
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error, InvalidRequestError

from core.actions.audit import record_access
from core.authentication.bearer import find_token
from core.models import AuditEvent, Peer, User
from core.oauth.peers.tokens import PeerToken, token_for
from core.policy.errors import DomainError, Unavailable
from core.policy.peers import ACCESS_TOKEN, MCP_SERVER_CLIENT_ID
from core.policy.principal import Principal
from core.policy.source import address_of

_SCOPE = "mcp"


def asks_for_a_peer(request: Request) -> bool:
    """Of a token exchange whose client has shown its secret."""
    given = dict(request.decoded_body)
    is_mcp_server: bool = request.client.client_id == MCP_SERVER_CLIENT_ID
    return is_mcp_server and given.get("subject_token_type") == ACCESS_TOKEN


def peer_token(request: Request) -> str:
    """The body of the answer. Raises OAuth2Error, in words for the person."""
    given = dict(request.decoded_body)
    principal = _principal(given.get("subject_token", ""), address_of(request.headers.get(settings.CLIENT_IP, "")))
    peer = Peer.objects.visible_to(principal).filter(url=given.get("resource", "")).first()
    if peer is None:
        raise CustomOAuth2Error(error="invalid_target", description="No such resource that you can see.")
    try:
        token = token_for(User.objects.get(pk=principal.user_id), peer, given.get("refused", ""))
    except DomainError as error:
        is_away = isinstance(error, Unavailable)
        _leave_audit_row(principal, peer, AuditEvent.Outcome.FAILED if is_away else AuditEvent.Outcome.REFUSED)
        raise CustomOAuth2Error(
            error="temporarily_unavailable" if is_away else "access_denied",
            description=f"{peer.name}: {error}" if is_away else str(error),
            status_code=HTTPStatus.SERVICE_UNAVAILABLE if is_away else HTTPStatus.BAD_REQUEST,
        ) from None
    _leave_audit_row(principal, peer, AuditEvent.Outcome.SUCCESS)
    return _answer(token)


def _principal(subject_token: str, source: str) -> Principal:
    found = find_token(subject_token)
    if found is None or _SCOPE not in found.scope.split() or settings.MCP_URL not in json.loads(found.resource):
        raise InvalidRequestError(description="The subject_token does not stand, or is not for the MCP server.")
    return found.principal(source)


def _answer(token: PeerToken) -> str:
    return json.dumps(
        {
            "access_token": token.access_token,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": token.seconds,
        }
    )


def _leave_audit_row(principal: Principal, peer: Peer, outcome: AuditEvent.Outcome) -> None:
    record_access(
        door="oauth",
        action="peer_token",
        outcome=outcome,
        user_id=principal.user_id,
        client_id=principal.client_id,
        token_key=principal.token_key,
        source=principal.source,
        detail={"peer": peer.prefix},
    )
