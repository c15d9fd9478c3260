"""What a bearer token is worth, of whichever kind it is."""

from dataclasses import replace

from core.policy.mcp_tokens import PREFIX
from mcp_server.auth.caller import Caller
from mcp_server.auth.mcp_tokens import McpTokens
from mcp_server.auth.verifier import Verifier


class Tokens:
    """JWTs of the accepted issuers, and MCP tokens of this exchange."""

    def __init__(self, verifier: Verifier, mcp_tokens: McpTokens) -> None:
        self._verifier = verifier
        self._mcp_tokens = mcp_tokens

    async def caller(self, token: str, audiences: tuple[str, ...], source: str) -> Caller:
        """Whom the token speaks for where tokens for any of the resources `audiences` are taken.

        Raises NotAuthenticated with the reason, Unavailable when that cannot be said now.
        """
        if token.startswith(PREFIX):
            return replace(await self._mcp_tokens.find(token), source=source)
        signed = await self._verifier.verify(token, *audiences)
        return Caller(signed.principal, source, signed.issuer, signed.expires, signed.is_id_token)
