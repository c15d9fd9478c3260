"""This program as a public client of an authorization server: authorize, refresh, revoke."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import validate_authorization_response_iss

from core.policy.errors import InvalidInput, NotAuthenticated, Unavailable
from mcp_server.auth import device
from mcp_server.auth.callback import Callback
from mcp_server.auth.discovery import AuthorizationServer, check_is_issuers
from mcp_server.auth.issuers import Issuer
from mcp_server.auth.prompt import Prompt, Show
from mcp_server.auth.token_store import Tokens, claims_of
from mcp_server.auth.verifier import IssuerVerifier, SignedClaims, Verifier

CLIENT_ID = "jhe-mcp-stdio"
"""The exchange's public client for logins from a person's own machine: no secret, PKCE, loopback redirects."""
SCOPES = ("openid", "profile", "email", "offline_access", "mcp")
_PATIENCE_SECONDS = 600
_HTTP_SECONDS = 15
_UNSAID_SECONDS = 300
"""How long a token is taken to be good whose life the server does not tell (RFC 6749 §5.1)."""
_CODE = re.compile("[a-z_]{1,40}")
_PASSING = ("server_error", "temporarily_unavailable")
_REFUSALS = {
    "access_denied": "You did not agree that this program may read on your behalf.",
    "expired_token": "Nobody logged in while the code was good.",
}

Keep = Callable[[Tokens], Awaitable[None]]


class NobodyCame(NotAuthenticated):
    """The time for the login is over, and nobody has answered."""


@dataclass(frozen=True, slots=True)
class Provider:
    server: AuthorizationServer
    resource: str | None
    """What access tokens are asked for (RFC 8707); None when only an ID token is wanted."""

    async def authorize(self, show: Show, keep: Keep) -> None:
        """Authorization code with PKCE (RFC 7636), answered on a loopback address (RFC 8252).

        The browser is told that it worked once the tokens are kept. Raises NotAuthenticated when the person or the
        server says no, or the answer is not the server's own.
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
            await show(Prompt(url))
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
            await keep(tokens)

    async def authorize_on_another_device(self, show: Show, keep: Keep, sleep: device.Sleep = asyncio.sleep) -> None:
        """Device authorization (RFC 8628). Raises as `authorize` does."""
        if self.server.device_authorization_endpoint is None:
            raise InvalidInput("This exchange has no login on another device: log in without --device.")
        async with self._client() as client:
            given = await _reached(
                device.authorization(
                    client, str(self.server.device_authorization_endpoint), scope=client.scope, **self._resource()
                )
            )
            for url in (given.verification_uri, given.verification_uri_complete or given.verification_uri):
                check_is_issuers(url, str(self.server.issuer))
            await show(given.prompt)
            tokens = await _asked(
                device.tokens(client, str(self.server.token_endpoint), given, sleep, **self._resource())
            )
        if "id_token" not in tokens and "refresh_token" in tokens:  # RFC 8628 promises none; a renewal brings it
            tokens = await self._renewed(tokens)
        await self._id_token(tokens)
        await keep(tokens)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Raises NotAuthenticated when the refresh token no longer stands."""
        fresh = await self._renewed(tokens)
        if fresh["id_token"] != tokens["id_token"]:
            signed = await self._id_token(fresh)
            if signed.claims["sub"] != claims_of(tokens).get("sub"):  # OpenID Connect Core §12.2
                raise NotAuthenticated("The exchange renewed the login of somebody else.")
        return fresh

    async def _renewed(self, tokens: Tokens) -> Tokens:
        if "refresh_token" not in tokens:
            raise NotAuthenticated("This login cannot be renewed.")
        async with self._client() as client:
            client.token = tokens
            fresh = await _asked(
                client.refresh_token(
                    str(self.server.token_endpoint), refresh_token=tokens["refresh_token"], **self._resource()
                )
            )
        return {**tokens, **fresh}

    async def revoke(self, tokens: Tokens) -> None:
        """RFC 7009. Raises Unavailable when the server does not hear it: the login runs out there by itself."""
        if self.server.revocation_endpoint is None:
            raise Unavailable("It has no way to end a login early.")
        async with self._client() as client:
            for kind in ("refresh_token", "access_token"):
                if kind in tokens:
                    response = await _reached(
                        client.revoke_token(
                            str(self.server.revocation_endpoint), token=tokens[kind], token_type_hint=kind
                        )
                    )
                    if response.status_code != httpx2.codes.OK:
                        raise Unavailable(f"It answered with HTTP {response.status_code}.")

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
            raise NotAuthenticated(_refusal(query.get("error")))

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
        raise NobodyCame("Nobody logged in within ten minutes.") from error


async def _asked(request: Awaitable[Any]) -> Tokens:
    """What the token endpoint gives. Raises NotAuthenticated for a refusal, Unavailable when there was no answer."""
    try:
        tokens = dict(await _reached(request))
    except AuthlibBaseError as error:
        if error.error in _PASSING:
            raise _away() from None
        raise (NobodyCame if error.error == "expired_token" else NotAuthenticated)(_refusal(error.error)) from None
    except ValueError:  # authlib's word for an answer that is not JSON
        raise _away() from None
    if not isinstance(tokens.get("access_token"), str):
        raise _away()
    return {"expires_at": int(time.time()) + _UNSAID_SECONDS, **tokens}


async def _reached(request: Awaitable[Any]) -> Any:
    try:
        return await request
    except httpx2.HTTPStatusError as error:
        raise _away(f"answered with HTTP {error.response.status_code}") from None
    except httpx2.HTTPError:
        raise _away("cannot be reached") from None


def _away(how: str = "gave an answer that is none") -> Unavailable:
    return Unavailable(f"The exchange {how}: try again in a minute.")


def _refusal(code: Any) -> str:
    """RFC 6749 §4.1.2.1, §5.2 and RFC 8628 §3.5 in words. What the server says beyond a code is not repeated."""
    if code in _REFUSALS:
        return _REFUSALS[code]
    word = code if isinstance(code, str) and _CODE.fullmatch(code) else "no reason given"
    return f"The exchange refused the login: {word}."
