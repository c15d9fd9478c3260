"""MCP tokens (`jhe_pat_…`): looked up by their hash, and kept in mind for some seconds."""

import asyncio
import time

import asyncpg

from core.policy import mcp_tokens
from core.policy.errors import NotAuthenticated, Unavailable
from core.policy.permissions import Permission
from core.policy.principal import Principal, TokenLimits, UserType
from mcp_server.auth.caller import Caller
from mcp_server.auth.kept import Kept
from mcp_server.database import Database
from mcp_server.queries import unframed

_LOOKUPS_AT_A_TIME = 2
_PATIENCE_SECONDS = 2
_REFUSED = "This MCP token is unknown, expired or revoked."


class McpTokens:
    """What MCP tokens are worth. However many are guessed, two connections look them up and no memory grows."""

    def __init__(self, database: Database, issuer: str) -> None:
        self._database = database
        self._issuer = issuer
        self._standing = Kept[str, Caller]()
        self._unknown = Kept[str, bool]()
        self._looking_up = asyncio.Semaphore(_LOOKUPS_AT_A_TIME)

    async def find(self, token: str) -> Caller:
        """Whom the token speaks for, without an address. Raises NotAuthenticated, or Unavailable without a database."""
        if not mcp_tokens.is_well_formed(token):
            raise NotAuthenticated("This is no MCP token: copy all of it.")
        token_key = mcp_tokens.token_hash(token)
        caller = self._known(token_key) or await self._look_up(token_key)
        if caller.expires <= time.time():
            raise NotAuthenticated(_REFUSED)
        return caller

    def _known(self, token_key: str) -> Caller | None:
        if self._unknown.get(token_key):
            raise NotAuthenticated(_REFUSED)
        return self._standing.get(token_key)

    async def _look_up(self, token_key: str) -> Caller:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._looking_up.acquire()
        except TimeoutError:
            raise Unavailable("Too many MCP tokens are being looked up: try again in a few seconds.") from None
        try:
            known = self._known(token_key)  # somebody who was before us in the queue may have asked
            if known is not None:
                return known
            row = await self._database.row(unframed("mcp_token", for_narrowed=True), {"token_key": token_key})
        finally:
            self._looking_up.release()
        if row["user_id"] is None:
            self._unknown.keep(token_key, True)
            raise NotAuthenticated(_REFUSED)
        caller = Caller(_principal(row, token_key), "", self._issuer, row["expires"])
        self._standing.keep(token_key, caller)
        return caller


def _principal(row: asyncpg.Record, token_key: str) -> Principal:
    return Principal(
        user_id=row["user_id"],
        user_type=UserType.PRACTITIONER if row["is_practitioner"] else UserType.PATIENT,
        client_id=row["client_id"],
        scopes=frozenset(row["scope"].split()),
        token_key=token_key,
        limits=TokenLimits(truncated=True),  # it carries no claims: the database alone decides
        narrowing_id=row["narrowing_id"],
        permissions=frozenset(permission for permission in Permission if permission in row["permissions"]),
        studies=None if row["studies"] is None else frozenset(row["studies"]),
    )
