"""The server that the conformance suite examines: ours, with the tools, resources and prompts that the suite asks for.

Its connections, kernel, transport, sessions and features are those of the product. There is no login, because the suite
brings no token; tests/mcp_server tests that. Usage: python -m tests.conformance.server PORT
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import mcp_types as types
import uvicorn
from mcp import MCPError
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, SubscriptionBus
from mcp.shared.subscriptions import PromptsListChanged, ToolsListChanged
from starlette.types import Receive, Scope, Send

from mcp_server.app import build_server
from mcp_server.features.asking import Client, InputRequired
from mcp_server.features.logging import Logging
from mcp_server.sessions import Sessions
from mcp_server.sessions.memory import Memory
from mcp_server.sessions.session import session_of
from mcp_server.sessions.store import Limits
from mcp_server.settings import HttpService
from mcp_server.transports.connection import Connection
from mcp_server.transports.streamable_http import StreamableHttp
from tests.conformance import examples
from tests.conformance.nothing import Nothing

Context = ServerRequestContext[Any]
Answer = types.CallToolResult | types.InputRequiredResult


class Fixture:
    """What the suite calls, each by the name and with the answer that its scenario describes."""

    def __init__(self, logging: Logging, bus: SubscriptionBus) -> None:
        self._logging = logging
        self._bus = bus
        self._calls: dict[str, Callable[[Context, Mapping[str, Any]], Awaitable[list[types.ContentBlock]]]] = {
            "test_tool_with_logging": self._log,
            "test_logging_tool": self._log,
            "test_tool_with_progress": self._progress,
            "test_trigger_tool_change": self._change,
            "test_trigger_prompt_change": self._change,
            "test_error_handling": self._fail,
            "test_sampling": self._sample,
            "test_elicitation": self._elicit,
            "test_elicitation_sep1034_defaults": self._defaults,
            "test_elicitation_sep1330_enums": self._enums,
            "test_missing_capability": self._need_sampling,
            "test_streaming_elicitation": self._name,
            "test_input_required_result_elicitation": self._name,
            "test_input_required_result_sampling": self._capital,
            "test_input_required_result_list_roots": self._roots,
            "test_input_required_result_request_state": self._state,
            "test_input_required_result_tampered_state": self._state,
            "test_input_required_result_multiple_inputs": self._several,
            "test_input_required_result_multi_round": self._rounds,
            "test_input_required_result_capabilities": self._offered,
        }

    async def list_tools(self, _: Context, __: types.PaginatedRequestParams) -> types.ListToolsResult:
        names = [*examples.CONTENT, *self._calls, examples.SCHEMA_TOOL, examples.HEADER_TOOL]
        return types.ListToolsResult(tools=[examples.tool(name) for name in names])

    async def call(self, context: Context, params: types.CallToolRequestParams) -> Answer:
        try:
            content = await self._content(context, params)
        except InputRequired as more:
            return more.result
        except ValueError as error:
            return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
        return types.CallToolResult(content=content)

    async def _content(self, context: Context, params: types.CallToolRequestParams) -> list[types.ContentBlock]:
        if params.name in examples.CONTENT:
            return examples.CONTENT[params.name]
        if params.name in (examples.SCHEMA_TOOL, examples.HEADER_TOOL):
            return said("Called.")
        if params.name not in self._calls:
            raise MCPError(code=types.INVALID_PARAMS, message="Unknown tool.")
        return await self._calls[params.name](context, params.arguments or {})

    async def _log(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await self._logging.tell(context, "info", message, "fixture")
            await asyncio.sleep(0.05)
        return said("Logged.")

    async def _progress(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        for done in (0, 50, 100):
            await context.session.report_progress(done, 100)
            await asyncio.sleep(0.05)
        return said("Done.")

    async def _change(self, _: Context, __: Mapping[str, Any]) -> list[types.ContentBlock]:
        for event in (ToolsListChanged(), PromptsListChanged()):
            await self._bus.publish(event)
        return said("Changed.")

    async def _fail(self, _: Context, __: Mapping[str, Any]) -> list[types.ContentBlock]:
        raise ValueError("This tool intentionally returns an error for testing")

    async def _sample(self, context: Context, arguments: Mapping[str, Any]) -> list[types.ContentBlock]:
        written = await Client(context).write("sample", arguments["prompt"], max_tokens=100)
        if written is None:
            raise ValueError("The client has no sampling.")
        return said(f"LLM response: {written}")

    async def _elicit(self, context: Context, arguments: Mapping[str, Any]) -> list[types.ContentBlock]:
        return said(f"User response: {await form(context, arguments['message'], examples.USER)}")

    async def _defaults(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        return said(f"Elicitation completed: {await form(context, 'Defaults', examples.DEFAULTS)}")

    async def _enums(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        return said(f"Elicitation completed: {await form(context, 'Choices', examples.ENUMS)}")

    async def _need_sampling(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        if Client(context).capabilities.sampling is None:
            needed = types.ClientCapabilities(sampling=types.SamplingCapability())
            data = types.MissingRequiredClientCapabilityErrorData(required_capabilities=needed)
            raise MCPError(
                code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
                message="This needs sampling.",
                data=data.model_dump(by_alias=True, exclude_none=True),
            )
        return said("Sampling is there.")

    async def _name(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        reply = await Client(context).ask({"user_name": examples.NAME})
        return said(f"Hello, {entered(reply['user_name'], 'name')}!")

    async def _capital(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        return said(
            str(await Client(context).write("capital_question", "What is the capital of France?", max_tokens=100))
        )

    async def _roots(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        reply = (await Client(context).ask({"client_roots": types.ListRootsRequest()}))["client_roots"]
        assert isinstance(reply, types.ListRootsResult)
        return said(", ".join(str(root.uri) for root in reply.roots))

    async def _state(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        client = Client(context)
        await client.ask({"confirm": examples.CONFIRM}, state="asked")
        if client.state != "asked":
            raise InputRequired({"confirm": examples.CONFIRM}, "asked")
        return said("state-ok")

    async def _several(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        requests = {
            "user_name": examples.NAME,
            "greeting": examples.GREETING,
            "client_roots": types.ListRootsRequest(),
        }
        replies = await Client(context).ask(requests, state="asked")
        return said(f"Thanks for {', '.join(replies)}.")

    async def _rounds(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        client = Client(context)
        if client.state is None:
            await client.ask({"step1": examples.STEP_1}, state="1")
        if client.state == "1":
            name = entered((await client.ask({"step1": examples.STEP_1}, state="1"))["step1"], "name")
            raise InputRequired({"step2": examples.STEP_2}, f"2 {name}")
        name = str(client.state).removeprefix("2 ")
        color = entered((await client.ask({"step2": examples.STEP_2}, state=client.state))["step2"], "color")
        return said(f"{name} likes {color}.")

    async def _offered(self, context: Context, _: Mapping[str, Any]) -> list[types.ContentBlock]:
        replies = await Client(context).ask({"user_name": examples.NAME, "greeting": examples.GREETING})
        return said(f"Thanks for {', '.join(replies)}.")

    async def list_resources(self, _: Context, __: types.PaginatedRequestParams) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=examples.RESOURCES)

    async def list_templates(self, _: Context, __: types.PaginatedRequestParams) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[examples.TEMPLATE])

    async def read(self, _: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        contents = examples.contents(params.uri)
        if contents is None:
            raise MCPError(code=types.INVALID_PARAMS, message="Resource not found", data={"uri": params.uri})
        return types.ReadResourceResult(contents=[contents])

    async def list_prompts(self, _: Context, __: types.PaginatedRequestParams) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=examples.PROMPTS)

    async def get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        if params.name == "test_input_required_result_prompt":
            try:
                reply = (await Client(context).ask({"user_context": examples.CONTEXT}))["user_context"]
            except InputRequired as more:
                return more.result
            return examples.prompt_of(f"Context: {entered(reply, 'context')}")
        found = examples.prompt(params.name, params.arguments or {})
        if found is None:
            raise MCPError(code=types.INVALID_PARAMS, message="Unknown prompt.")
        return found

    async def complete(self, _: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        values = [value for value in ("paris", "park", "party") if value.startswith(params.argument.value)]
        return types.CompleteResult(completion=types.Completion(values=values, total=len(values), has_more=False))


async def form(context: Context, message: str, schema: dict[str, Any]) -> str:
    request = types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))
    reply = (await Client(context).ask({"form": request})).get("form")
    if not isinstance(reply, types.ElicitResult):
        raise ValueError("The client has no forms.")
    return f"action={reply.action}, content={reply.content}"


def entered(reply: Any, name: str) -> Any:
    return (reply.content or {}).get(name) if isinstance(reply, types.ElicitResult) else None


def said(text: str) -> list[types.ContentBlock]:
    return [types.TextContent(text=text)]


def fixture_server(sessions: Sessions) -> Server[Any]:
    bus = InMemorySubscriptionBus()
    server = build_server(Nothing(), sessions=sessions, bus=bus)
    fixture = Fixture(Logging(sessions), bus)

    async def subscribe(context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        session = session_of(context)
        if session is not None:
            await sessions.subscribe(session, params.uri)
        return types.EmptyResult()

    async def unsubscribe(context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        session = session_of(context)
        if session is not None:
            await sessions.unsubscribe(session, params.uri)
        return types.EmptyResult()

    for method, params, handler in (
        ("tools/list", types.PaginatedRequestParams, fixture.list_tools),
        ("tools/call", types.CallToolRequestParams, fixture.call),
        ("resources/list", types.PaginatedRequestParams, fixture.list_resources),
        ("resources/templates/list", types.PaginatedRequestParams, fixture.list_templates),
        ("resources/read", types.ReadResourceRequestParams, fixture.read),
        ("resources/subscribe", types.SubscribeRequestParams, subscribe),
        ("resources/unsubscribe", types.UnsubscribeRequestParams, unsubscribe),
        ("prompts/list", types.PaginatedRequestParams, fixture.list_prompts),
        ("prompts/get", types.GetPromptRequestParams, fixture.get_prompt),
        ("completion/complete", types.CompleteRequestParams, fixture.complete),
    ):
        server.add_request_handler(method, params, handler)
    server.get_tool_input_schema = lambda name: examples.tool(name).input_schema
    return server


class Service:
    """The endpoint alone, and the lifespan that uvicorn asks for."""

    def __init__(self, port: int) -> None:
        settings = HttpService(database_url="postgresql://nobody@127.0.0.1:1/nowhere", port=port)
        sessions = Sessions(Memory(Limits(sessions=100, per_subject=100, idle_seconds=600)))
        self._mcp = StreamableHttp(fixture_server(sessions), settings, sessions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            async with self._mcp.run():
                await send({"type": "lifespan.startup.complete"})
                await receive()
                self._mcp.end_streams()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await self._mcp(scope, receive, send)


if __name__ == "__main__":
    port = int(sys.argv[1])
    http: Any = partial(Connection, seconds=60)  # as `mcp_server.transports.serving` has it
    uvicorn.run(Service(port), host="127.0.0.1", port=port, http=http, log_level="warning")
