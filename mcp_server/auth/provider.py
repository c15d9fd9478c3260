"""This program as a public client of an authorization server: authorize, refresh, revoke."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import validate_authorization_response_iss

from core.policy.errors import NotAuthenticated, Unavailable
from mcp_server.auth.callback import Callback
from mcp_server.auth.discovery import AuthorizationServer
from mcp_server.auth.issuers import Issuer
from mcp_server.auth.token_store import Tokens
from mcp_server.auth.verifier import IssuerVerifier, SignedClaims, Verifier

CLIENT_ID = "jhe-mcp-stdio"
"""The exchange's public client for logins from a person's own machine: no secret, PKCE, loopback redirects."""
SCOPES = ("openid", "profile", "email", "offline_access", "mcp")
_PATIENCE_SECONDS = 600
_HTTP_SECONDS = 15

Show = Callable[[str], Awaitable[None]]
"""Brings a URL before the person."""


@dataclass(frozen=True, slots=True)
class Provider:
    server: AuthorizationServer
    resource: str | None
    """What access tokens are asked for (RFC 8707); None when only an ID token is wanted."""

    async def authorize(self, show: Show) -> Tokens:
        """Authorization code with PKCE (RFC 7636), answered on a loopback address (RFC 8252).

        Raises NotAuthenticated when the person or the server says no, or the answer is not the server's own.
        """
        state, nonce, code_verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        async with Callback(state) as callback, self._client(callback.redirect_uri) as client:
            url, _ = client.create_authorization_url(
                str(self.server.authorization_endpoint),
                state=state,
                nonce=nonce,
                code_verifier=code_verifier,
                **self._resource(),
            )
            await show(url)
            answer = await _in_time(callback.answer())
            self._check_answer(answer)
            tokens = await _asked(
                client.fetch_token(
                    str(self.server.token_endpoint),
                    authorization_response=answer,
                    state=state,
                    code_verifier=code_verifier,
                    **self._resource(),
                )
            )
        signed = await self._id_token(tokens)
        if not secrets.compare_digest(str(signed.claims.get("nonce")), nonce):  # OpenID Connect Core §3.1.3.7 (11)
            raise NotAuthenticated("The ID token answers another login than this one.")
        return tokens

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Raises NotAuthenticated when the refresh token no longer stands."""
        async with self._client() as client:
            client.token = tokens
            fresh = await _asked(
                client.refresh_token(
                    str(self.server.token_endpoint), refresh_token=tokens["refresh_token"], **self._resource()
                )
            )
        fresh = {**tokens, **fresh}
        if fresh["id_token"] != tokens["id_token"]:
            await self._id_token(fresh)
        return fresh

    async def revoke(self, tokens: Tokens) -> None:
        """RFC 7009, as far as the server can be reached: a login that is forgotten here runs out there by itself."""
        if self.server.revocation_endpoint is None:
            return
        async with self._client() as client:
            for kind in ("refresh_token", "access_token"):
                if kind in tokens:
                    with suppress(httpx2.HTTPError, AuthlibBaseError):
                        await client.revoke_token(
                            str(self.server.revocation_endpoint), token=tokens[kind], token_type_hint=kind
                        )

    def _client(self, redirect_uri: str | None = None) -> AsyncOAuth2Client:
        offered = self.server.scopes_supported
        return AsyncOAuth2Client(
            client_id=CLIENT_ID,
            token_endpoint_auth_method="none",  # noqa: S106 - RFC 7591's word for a client without a secret
            code_challenge_method="S256",
            scope=" ".join(scope for scope in SCOPES if offered is None or scope in offered),
            redirect_uri=redirect_uri,
            timeout=_HTTP_SECONDS,
        )

    def _resource(self) -> dict[str, str]:
        return {} if self.resource is None else {"resource": self.resource}

    def _check_answer(self, answer: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
        try:
            validate_authorization_response_iss(query.get("iss"), self.server)  # RFC 9207 §2.4
        except OAuthFlowError as error:
            raise NotAuthenticated("The answer to the login came from another server.") from error
        if "code" not in query:
            raise NotAuthenticated(f"The login was refused: {query.get('error', 'no reason given')}.")

    async def _id_token(self, tokens: Tokens) -> SignedClaims:
        if "id_token" not in tokens:
            raise NotAuthenticated("The exchange gave no ID token: its client jhe-mcp-stdio must be allowed openid.")
        issuer = Issuer(
            issuer=str(self.server.issuer),
            jwks_url=str(self.server.jwks_uri),
            access_tokens=False,
            trusted_client_ids=frozenset({CLIENT_ID}),
        )
        verifier = Verifier(IssuerVerifier(issuer), resource=self.resource or "")
        return await verifier.verify_id_token(tokens["id_token"])


async def _in_time(answer: Awaitable[str]) -> str:
    try:
        return await asyncio.wait_for(answer, _PATIENCE_SECONDS)
    except TimeoutError as error:
        raise NotAuthenticated("Nobody logged in within ten minutes.") from error


async def _asked(request: Awaitable[Any]) -> Tokens:
    try:
        return dict(await request)
    except AuthlibBaseError as error:
        raise NotAuthenticated(f"The exchange refused the login: {error.error}.") from error
    except httpx2.HTTPError as error:
        raise Unavailable("The exchange cannot be reached: try again in a minute.") from error
    except ValueError as error:  # authlib's word for an answer that is not JSON
        raise Unavailable("The exchange gave an answer that is none: try again in a minute.") from error
