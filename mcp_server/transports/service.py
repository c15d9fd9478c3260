"""Which application answers which path."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.auth.study import study_at


class Service(Starlette):
    """Starlette, and past it straight to the endpoint: its layers around a route take a twentieth of a call."""

    def __init__(
        self,
        endpoints: Mapping[str, ASGIApp],
        study_endpoint: Callable[[int], ASGIApp],
        drain: Callable[[], None],
        end_streams: Callable[[], None],
        **others: Any,
    ) -> None:
        """`endpoints` by exact path, as it is sent (docs/adr/0037).

        `drain` says that the process will end, `end_streams` ends what would not.
        """
        super().__init__(**others)
        self.router.redirect_slashes = False  # it would redirect to whatever host the request names
        self.drain = drain
        self.end_streams = end_streams
        self._endpoints = {path.encode(): app for path, app in endpoints.items()}
        self._study_endpoint = study_endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoint(scope) if scope["type"] == "http" else None
        await (endpoint or super().__call__)(scope, receive, send)

    def _endpoint(self, scope: Scope) -> ASGIApp | None:
        exact = self._endpoints.get(scope["raw_path"])
        if exact is not None:
            return exact
        study_id = study_at(scope)
        return None if study_id is None else self._study_endpoint(study_id)
