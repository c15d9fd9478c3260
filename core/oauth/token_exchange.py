"""Token exchange (RFC 8693): an ID token of a trusted issuer, such as an EHR, becomes an access token of this exchange.

Who the person is here, a superuser has said (FederatedIdentity). There is no refresh token and no ID token: the client
has the next ID token of the issuer's exchanged. What the MCP server asks for the other way round, a token for another
server, is in core/oauth/peers/.
"""

import json
from http import HTTPStatus
from typing import Any

from django.conf import settings
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import (
    CustomOAuth2Error,
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnauthorizedClientError,
)
from oauthlib.oauth2.rfc6749.grant_types.base import GrantTypeBase
from oauthlib.openid import Server

from core.actions.audit import record_access
from core.actions.narrowings import narrow
from core.models import AuditEvent, FederatedIdentity, User
from core.oauth.assertions import issuer_of, use_up, verified
from core.oauth.peers.grant import asks_for_a_peer, peer_token
from core.oauth.scopes import check_offered, codes_of
from core.policy.errors import InvalidInput, Unavailable
from core.policy.issuers import TrustedIssuer
from core.policy.peers import ACCESS_TOKEN, TOKEN_EXCHANGE
from core.policy.scopes import is_within
from core.policy.source import address_of

GRANT_TYPE = TOKEN_EXCHANGE
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - the name of a kind of token
_NOBODY = "The subject_token is none that is taken here: nobody here is known as its subject."


class TokenExchangeGrant(GrantTypeBase):
    def create_token_response(self, request: Request, token_handler: Any) -> tuple[dict[str, str], str, int]:
        headers = self._get_default_headers()
        try:
            self._validate_client(request)
            if asks_for_a_peer(request):
                return headers, peer_token(request), HTTPStatus.OK
            self._validate(request)
        except OAuth2Error as error:
            return headers | error.headers, error.json, error.status_code
        token = token_handler.create_token(request, refresh_token=False)
        self.request_validator.save_token(token, request)
        return headers, json.dumps({**token, "issued_token_type": ACCESS_TOKEN}), HTTPStatus.OK

    def _validate(self, request: Request) -> None:
        """RFC 8693 §2.1. A token is used up only by what is granted."""
        given = dict(request.decoded_body)
        _check_parameters(given, request)
        try:
            issuer = issuer_of(given["subject_token"])
            if request.client.client_id not in issuer.clients:
                raise UnauthorizedClientError(request=request)
            claims = verified(given["subject_token"], issuer)
            self._settle(claims, issuer, request)
        except InvalidInput as error:
            raise InvalidRequestError(description=str(error), request=request) from None
        except Unavailable as error:
            raise CustomOAuth2Error(
                error="temporarily_unavailable", description=str(error), status_code=HTTPStatus.SERVICE_UNAVAILABLE
            ) from None

    def _validate_client(self, request: Request) -> None:
        """A client that can keep a secret, and shows it: a public one cannot be trusted to say who it is."""
        self.validate_client_confidential(request)
        if request.client.client_type != request.client.CLIENT_CONFIDENTIAL:
            raise InvalidClientError(request=request)

    def _settle(self, claims: dict[str, Any], issuer: TrustedIssuer, request: Request) -> None:
        """For whom and for what the token will be. It is in the trail from here on, whatever comes of it."""
        try:
            request.user = _person(claims)
            _settle_scopes(issuer, request)
            self.request_validator.settle_resource(request)
            use_up(claims)
        except (InvalidInput, OAuth2Error):
            _leave_audit_row(request, AuditEvent.Outcome.REFUSED)
            raise
        request._narrowing = narrow(request.user, codes=codes_of(request.scopes, request.user.user_type))
        _leave_audit_row(request, AuditEvent.Outcome.SUCCESS)


class ExchangeServer(Server):
    """oauthlib's server with this grant too."""

    def __init__(self, request_validator: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(request_validator, *args, **kwargs)
        self.grant_types[GRANT_TYPE] = TokenExchangeGrant(request_validator)


def _check_parameters(given: dict[str, str], request: Request) -> None:
    fault = ""
    if not given.get("subject_token") or given.get("subject_token_type") != ID_TOKEN:
        fault = f"Send an ID token as subject_token, with the subject_token_type {ID_TOKEN}."
    elif given.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        fault = f"The only requested_token_type is {ACCESS_TOKEN}."
    elif given.keys() & {"actor_token", "actor_token_type"}:
        fault = "Nobody acts for others here: leave actor_token out."
    if fault:
        raise InvalidRequestError(description=fault, request=request)


def _person(claims: dict[str, Any]) -> User:
    """Not found by e-mail, nor by a patient's identifier: other people write those."""
    known = FederatedIdentity.objects.select_related("user").filter(
        issuer=claims["iss"], subject=claims["sub"], user__is_active=True
    )
    identity = known.first()
    if identity is None:
        raise InvalidInput(_NOBODY)
    return identity.user


def _settle_scopes(issuer: TrustedIssuer, request: Request) -> None:
    """What is asked for, of what is given for this issuer's tokens; all of that where nothing is asked for."""
    held = issuer.scope.split()
    request.scopes = request.scope.split() if request.scope else held
    check_offered(request.scopes, request)
    if not all(is_within(held, scope) for scope in request.scopes):
        raise InvalidScopeError(description="Not all of these scopes are given for this issuer.", request=request)


def _leave_audit_row(request: Request, outcome: AuditEvent.Outcome) -> None:
    record_access(
        door="oauth",
        action="token_exchange",
        outcome=outcome,
        user_id=request.user and request.user.pk,
        client_id=request.client.client_id,
        source=address_of(request.headers.get(settings.CLIENT_IP, "")),
    )
