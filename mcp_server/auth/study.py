"""A study's own endpoint: whoever asks there is narrowed to that study, in the database, before anything is asked.

The narrowing (core/models/narrowing.py) is what the access views answer for, so that no tool, resource or completion
has a rule of its own. It cuts what the token's person, or what the token is narrowed to, reaches at that moment.
"""

from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from core.policy.errors import NotAuthenticated, NotVisible, Unavailable
from core.policy.permissions import Permission
from core.policy.roles import roles_for
from core.policy.study_endpoints import study_of
from mcp_server.auth.bearer import caller_of, narrow, refuse_instead
from mcp_server.auth.caller import ENDED, Caller
from mcp_server.auth.kept import Kept
from mcp_server.auth.scopes import SCOPE
from mcp_server.database import Database
from mcp_server.queries import question, unframed

_NO_SUCH_STUDY = "There is no study here that you can see."


class StudyDoor:
    """Lets requests to studies' endpoints through to `app` with their callers narrowed; behind the guard (ASGI)."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app = app
        self._database = database
        self._kept = Kept[tuple[str, int], int]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        study_id = study_at(scope)
        if study_id is None:
            raise ValueError("This is no study's endpoint.")
        try:
            narrow(scope, await self.narrowed(caller_of(scope), study_id))
        except (NotAuthenticated, NotVisible, Unavailable) as error:
            await refuse_instead(scope, receive, send, error)
            return
        await self._app(scope, receive, send)

    async def narrowed(self, caller: Caller, study_id: int) -> Caller:
        """Raises NotVisible for a study that is not there for the caller, in the same words whether it exists or not;
        NotAuthenticated when the token does not stand any more."""
        token = caller.principal.token_key, study_id
        narrowing_id = self._kept.get(token)
        if narrowing_id is None:
            narrowing_id = await self._look_up(caller, study_id)
            self._kept.keep(token, narrowing_id)
        return replace(
            caller,
            principal=replace(caller.principal, narrowing_id=narrowing_id),
            study_id=study_id,
            wider_caller_id=caller.principal.caller_id,
        )

    async def _look_up(self, caller: Caller, study_id: int) -> int:
        values = {
            **caller.parameters(),
            "study_id": study_id,
            "may_study_read": roles_for(caller.principal, Permission.STUDY_READ),
        }
        row = await self._database.row(unframed("study_caller", for_narrowed=True), values)
        if not row["stands"]:
            raise NotAuthenticated(ENDED)
        if row["caller_id"] is None:
            await self._record_refused(values)
            raise NotVisible(_NO_SUCH_STUDY)
        narrowing_id: int = row["caller_id"]
        return narrowing_id

    async def _record_refused(self, values: dict[str, object]) -> None:
        told = {
            "scopes": [SCOPE],
            "action": "study_endpoint",
            "outcome_without_body": "refused",
            "patient_id": None,
            "detail": "{}",
        }
        await self._database.row(question("refusal", for_narrowed=True), {**values, **told})


def study_at(scope: Scope) -> int | None:
    """The study whose endpoint a request asks, by the path as it was sent: an escaped letter makes it another one."""
    return study_of(scope["raw_path"].decode("latin-1"))
