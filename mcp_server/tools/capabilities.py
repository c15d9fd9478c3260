"""Capabilities: what this server offers, as the code has it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Annotated, Any, Protocol

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import Field

from core.policy.peers import roles_for_peers
from mcp_server import __version__
from mcp_server.apps import APPS
from mcp_server.auth.caller import Caller
from mcp_server.auth.scopes import SCOPE
from mcp_server.prompts import PROMPTS
from mcp_server.resources import offered
from mcp_server.results import MAX_CHARACTERS
from mcp_server.times import TIME_ZONE
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools.observations import GetPatientObservations
from mcp_server.tools.series import POINTS

CAPABILITIES = "get_server_capabilities"
DATA_TYPES = 100
PEERS = 40
"""Kinds of data, and peers, in one answer."""

TRANSPORTS = ("stdio", "streamable-http")
SSE = "http+sse"
"""Of 2024-11-05, where whoever runs the server has switched it on."""


class GetServerCapabilities(Arguments):
    pass


class Named(Output):
    name: str
    title: str


class Subject(Output):
    subject: str
    tools: list[Named]


class NamedUri(Output):
    uri: Annotated[str, Field(description="With a place for each variable (RFC 6570).")]
    title: str


class DataTypeName(Output):
    data_type: str
    name: str


class Limits(Output):
    answer_characters: Annotated[int, Field(description="JSON of one answer; what is left out is said.")]
    observations_per_page: int
    points_per_series: int


class ClientOffers(Output):
    forms: Annotated[bool, Field(description="The person can be asked what is meant (elicitation).")]
    sampling: Annotated[bool, Field(description="Its model can be asked to put things into words.")]
    roots: Annotated[list[str] | None, Field(description="The folders it works in, where it says so. None is read.")]


class PeerStanding(Output):
    prefix: Annotated[str, Field(description="Its tools are called <prefix>__<tool>.")]
    name: str
    answers: Annotated[bool | None, Field(description="When it was last asked for you; null: it has not been.")]


class ServerCapabilities(Output):
    version: str
    protocol_revisions: Annotated[list[str], Field(description="Of MCP, the newest first.")]
    transports: Annotated[list[str], Field(description="By which this server can be asked.")]
    scope: Annotated[str, Field(description="What a token must have been granted.")]
    subjects: Annotated[list[Subject], Field(description="The tools. All of them only read.")]
    resources: list[NamedUri]
    prompts: list[Named]
    apps: Annotated[list[NamedUri], Field(description="Pages that hosts can show beside an answer (MCP Apps).")]
    data_types: Annotated[list[DataTypeName], Field(description="Kinds of data that the exchange knows.")]
    data_types_total: int
    truncated: bool
    peers: Annotated[list[PeerStanding], Field(description="Other servers whose tools you can use here.")]
    peers_total: int
    limits: Limits
    client: Annotated[ClientOffers, Field(description="What your client offers this server; it can do without.")]
    time_zone: Annotated[str, Field(description="What a date means, and in which time zone readings are told.")]


class Peers(Protocol):
    def may_be_seen_by(self, caller: Caller) -> bool:
        """Whether this server asks any peer for them."""

    def answers(self, caller: Caller, peer_id: int) -> bool | None:
        """Whether it did when it was last asked for the caller; None where it has not been. Nothing is asked now."""


def of_a_service(peers: Peers | None, *, has_sse: bool) -> Tool[GetServerCapabilities]:
    """The tool of a server that may have peers, and clients of HTTP+SSE."""
    transports = (*TRANSPORTS, SSE) if has_sse else TRANSPORTS
    return replace(TOOLS[0], handler=partial(get_server_capabilities, peers=peers, transports=transports))


async def get_server_capabilities(
    _: GetServerCapabilities, ask: Ask, *, peers: Peers | None = None, transports: Sequence[str] = TRANSPORTS
) -> Answer:
    caller = ask.caller
    sees = peers is not None and peers.may_be_seen_by(caller)
    roles = roles_for_peers(caller.principal) if sees else []
    found = await ask("get_server_capabilities", limit=DATA_TYPES, most_peers=PEERS, roles_for_peers=roles)
    found["peers"] = [
        {"prefix": peer["prefix"], "name": peer["name"], "answers": peers and peers.answers(caller, peer["id"])}
        for peer in found["peers"]
    ]
    client = {
        "forms": ask.client.has_forms,
        "sampling": ask.client.capabilities.sampling is not None,
        "roots": await ask.client.roots(),
    }
    truncated = any(len(found[name]) < found[f"{name}_total"] for name in ("data_types", "peers"))
    body = {**_offered(), **found, "transports": list(transports), "truncated": truncated, "client": client}
    tools = sum(len(subject["tools"]) for subject in body["subjects"])
    return Answer(
        f"Tools: {tools}, prompts: {len(body['prompts'])}, resources: {len(body['resources'])}, kinds of data: "
        f"{body['data_types_total']}. get_my_access says what you may see of the data.",
        body,
    )


def _offered() -> dict[str, Any]:
    """What is the same for everybody."""
    from mcp_server.tools import TOOLS  # it has this tool, too

    by_subject = groupby(TOOLS.values(), key=lambda tool: tool.handler.__module__.rpartition(".")[2])
    page = GetPatientObservations.model_json_schema()["properties"]["limit"]["maximum"]
    return {
        "version": __version__,
        "protocol_revisions": sorted({*MODERN_PROTOCOL_VERSIONS, *HANDSHAKE_PROTOCOL_VERSIONS}, reverse=True),
        "scope": SCOPE,
        "subjects": [{"subject": subject, "tools": [_named(tool) for tool in tools]} for subject, tools in by_subject],
        "resources": [{"uri": str(each.template), "title": each.title} for each in offered(TOOLS)],
        "prompts": [_named(prompt) for prompt in PROMPTS.values()],
        "apps": [{"uri": app.uri, "title": app.title} for app in APPS],
        "limits": {
            "answer_characters": MAX_CHARACTERS,
            "observations_per_page": page,
            "points_per_series": POINTS,
        },
        "time_zone": TIME_ZONE,
    }


def _named(each: Any) -> dict[str, str]:
    return {"name": each.name, "title": each.title}


TOOLS = (
    Tool(
        name=CAPABILITIES,
        title="Describe this server",
        description=(
            "What this server offers: tools by subject, other servers, resources, prompts, revisions, transports, "
            "kinds of data, limits, and what dates mean. It reads nobody's data."
        ),
        arguments=GetServerCapabilities,
        output=ServerCapabilities,
        handler=get_server_capabilities,
    ),
)
