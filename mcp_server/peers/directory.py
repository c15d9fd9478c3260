"""Who sees which peer: the database says so, at the moment of the call. And the trail of what was asked of them."""

from pydantic_core import from_json, to_json

from core.policy.errors import NotAuthenticated
from core.policy.peers import roles_for_peers
from mcp_server.auth.caller import ENDED, Caller
from mcp_server.auth.scopes import SCOPE
from mcp_server.database import Database
from mcp_server.peers.peer import Peer
from mcp_server.queries import question, unframed


class Directory:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def visible(self, caller: Caller, prefix: str | None = None) -> list[Peer]:
        """All that the caller sees, or the one with this prefix. Who can see none costs no query."""
        roles = roles_for_peers(caller.principal)
        if not roles:
            return []
        values = {
            "user_id": caller.principal.user_id,
            "roles_for_peers": roles,
            "token_key": caller.principal.token_key,
            "prefix": prefix,
        }
        row = await self._database.row(unframed("peers", for_narrowed=True), values)
        return [Peer(**peer) for peer in from_json(row["peers"])]

    async def record(self, caller: Caller, action: str, outcome: str) -> None:
        """One audit row, before the answer goes out. Raises NotAuthenticated when the token has ended meanwhile.

        What was asked stays unsaid: nothing here knows which of a peer's arguments name people.
        """
        values = {
            **caller.parameters(),
            "scopes": [SCOPE],
            "action": action,
            "outcome_without_body": outcome,
            "detail": to_json({"peer": action.partition("__")[0]}).decode(),
            "study_id": None,
            "patient_id": None,
        }
        refusal = question("refusal", for_narrowed=caller.principal.narrowing_id is not None)
        row = await self._database.row(refusal, values)
        if not row["stands"]:
            raise NotAuthenticated(ENDED)
