"""What an endpoint says of its tools, and what a tool answers, held against MCP and the tool's own schemas.

Nothing of an answer is repeated: it may be somebody's health.
"""

from collections.abc import Iterable
from typing import Any

import jsonschema_rs
from mcp import Client
from mcp.shared.tool_name_validation import validate_tool_name
from mcp_types import CallToolResult, PaginatedRequestParams, TextContent, Tool

from mcp_server.contract.report import Broken

_PAGES = 100


async def listed(client: Client) -> list[Tool]:
    """Every page of tools/list. Raises Broken."""
    found: list[Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        found += page.tools
        if page.next_cursor is None:
            return found
        if page.next_cursor == cursor:
            raise Broken("tools/list gives the same cursor again and again")
        cursor = page.next_cursor
    raise Broken(f"tools/list has more than {_PAGES} pages")


def check_tools(tools: list[Tool], expected: Iterable[str]) -> str:
    """Raises Broken with all that is wrong."""
    names = [tool.name for tool in tools]
    faults = [f"{name} is listed twice" for name in sorted({name for name in names if names.count(name) > 1})]
    faults += [f"{name} is not offered" for name in expected if name not in names]
    faults += [fault for tool in tools for fault in _faults(tool)]
    if faults:
        raise Broken("; ".join(faults))
    return f"{len(tools)} offered, with valid names and schemas"


def check_answer(tool: Tool, result: CallToolResult) -> str:
    """Raises Broken."""
    if result.is_error:
        said = " ".join(part.text for part in result.content if isinstance(part, TextContent))
        raise Broken(f"{tool.name} refuses: {said}")
    if tool.output_schema is None:
        return f"{tool.name} answers; it has no outputSchema to hold the answer against"
    if result.structured_content is None and "structured_content" not in result.model_fields_set:
        raise Broken(f"{tool.name} has an outputSchema, but its answer has no structuredContent")
    for wrong in _compiled(tool.output_schema).iter_errors(result.structured_content):
        place = "/".join(map(str, wrong.instance_path))
        raise Broken(f"{tool.name}: structuredContent/{place} breaks {wrong.kind.name!r} of its outputSchema")
    return f"{tool.name} answers as its outputSchema says"


def _faults(tool: Tool) -> list[str]:
    schemas: dict[str, dict[str, Any] | None] = {"inputSchema": tool.input_schema, "outputSchema": tool.output_schema}
    name = [] if validate_tool_name(tool.name).is_valid else [f"{tool.name!r} is no name for a tool"]
    return name + [
        f"{tool.name}: its {which} {fault}"
        for which, schema in schemas.items()
        if schema is not None and (fault := _fault(schema))
    ]


def _fault(schema: dict[str, Any]) -> str | None:
    try:
        _compiled(schema)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return f"is no valid JSON Schema: {str(error).splitlines()[0]}"
    return None


def _compiled(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.validator_for(schema, retriever=_from_nowhere)


def _from_nowhere(_: str) -> Any:
    """A server's schema must not make this program fetch from elsewhere."""
    raise ValueError("a schema of MCP stands alone")
