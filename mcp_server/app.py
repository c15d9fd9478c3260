"""The one place where the parts become an MCP server."""

from collections.abc import Mapping
from typing import Any

from mcp.server import InitializationOptions, NotificationOptions, Server
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, SubscriptionBus
from mcp_types import SetLevelRequestParams

from mcp_server import __version__
from mcp_server.apps import EXTENSIONS
from mcp_server.backends import Backend
from mcp_server.backends.session_watches import SessionWatches
from mcp_server.features.completions import Completions
from mcp_server.features.elsewhere import Elsewhere
from mcp_server.features.logging import Logging
from mcp_server.features.prompts import Prompts
from mcp_server.features.resources import Resources
from mcp_server.features.subscriptions import Subscriptions
from mcp_server.features.tools import Tools
from mcp_server.features.wire import WireResults
from mcp_server.instructions import INSTRUCTIONS
from mcp_server.sessions import Sessions
from mcp_server.tool import Tool
from mcp_server.tools import TOOLS

_SAME_FOR_EVERYBODY = CacheHint(ttl_ms=300_000, scope="public")
_SAME_METHODS: tuple[CacheableMethod, ...] = (
    "tools/list",
    "prompts/list",
    "resources/templates/list",
    "server/discover",
)
"""What these answer depends on nobody; everything else is private and stale at once."""


class _Announcing(Server[Any]):
    """Says in a handshake which lists it tells changes of; since 2026-07-28 the SDK knows by itself.

    A list of tools changes with peers, and a client is told where there is a way to it between requests.
    """

    def __init__(self, changes: NotificationOptions, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._changes = changes

    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *args: Any, **options: Any
    ) -> InitializationOptions:
        return super().create_initialization_options(notification_options or self._changes, *args, **options)


def build_server(
    backend: Backend,
    tools: Mapping[str, Tool[Any]] = TOOLS,
    *,
    sessions: Sessions | None = None,
    is_stateless: bool = False,
    remembering: RequestStateSecurity | None = None,
    bus: SubscriptionBus | None = None,
    watches: SessionWatches | None = None,
    elsewhere: Elsewhere | None = None,
) -> Server[Any]:
    """The server of every transport: one table of tools, answered by `backend`.

    `sessions` are where there may be many clients; where it `is_stateless`, those of the handshake revisions cannot
    subscribe. `remembering` seals what a client is given to bring back (2026-07-28, `requestState`); without it, by a
    key that this process alone has. `bus` carries to whoever listens what depends on no caller: that there are other
    tools now. `watches` tell sessions what has changed.
    """
    logging = Logging(sessions)
    offered = Tools(backend, tools, logging, elsewhere)
    resources, prompts = Resources(backend, tools), Prompts(backend)
    subscriptions = Subscriptions(backend, sessions, bus or InMemorySubscriptionBus(), watches)
    server = _Announcing(
        NotificationOptions(tools_changed=elsewhere is not None and not is_stateless),
        "jupyterhealth-exchange",
        title="JupyterHealth Exchange",
        version=__version__,
        instructions=INSTRUCTIONS,
        cache_hints=dict.fromkeys(_SAME_METHODS, _SAME_FOR_EVERYBODY),
        get_tool_input_schema=offered.input_schema,
        lifespan=subscriptions.running,
        on_list_tools=offered.list,
        on_call_tool=offered.call,
        on_list_resources=resources.list,
        on_list_resource_templates=resources.list_templates,
        on_read_resource=resources.read,
        on_subscribe_resource=None if is_stateless else subscriptions.subscribe,
        on_unsubscribe_resource=None if is_stateless else subscriptions.unsubscribe,
        on_subscriptions_listen=subscriptions.listen,
        on_list_prompts=prompts.list,
        on_get_prompt=prompts.get,
        on_completion=Completions(backend, resources.offered).complete,
    )
    server.extensions = EXTENSIONS
    # The SDK opens a span per message even when nobody collects them, at 8 % of the calls per second.
    server.middleware.clear()
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, logging.set_level)
    server.middleware.append(
        RequestStateBoundary(remembering or RequestStateSecurity.ephemeral(), default_audience=server.name)
    )
    server.middleware.append(WireResults(server))
    return server
