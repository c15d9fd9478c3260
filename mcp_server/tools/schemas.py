"""Schemas: what a data point of a kind looks like."""

from typing import Annotated, Any

from pydantic import Field
from pydantic_core import to_json

from mcp_server.results import fits
from mcp_server.schemas import find, references
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool


class GetOmhSchema(Arguments):
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            pattern=r"^[\w:./ -]+$",
            description=(
                "A kind of data, such as blood-glucose, omh:blood-glucose:4.0 or ieee:time-in-bed:1.0; ieee:header:1.0 "
                "for the header of a data point; or a URI out of references."
            ),
        ),
    ]


class OmhSchema(Output):
    name: str
    json_schema: Annotated[dict[str, Any], Field(description="JSON Schema draft 7.")]
    references: Annotated[
        dict[str, dict[str, Any] | None],
        Field(description="Every schema that it refers to, by URI; null where left out: ask for it by that URI."),
    ]
    truncated: bool


async def get_omh_schema(arguments: GetOmhSchema, ask: Ask) -> Answer:
    name, schema = find(arguments.name)
    await ask("get_omh_schema")
    body = _fitting({"name": name, "json_schema": schema, "references": references(schema)})
    left_out = sum(part is None for part in body["references"].values())
    rest = f" Left out: {left_out} of them; ask for each by its URI." if left_out else ""
    return Answer(f"The schema {name}, and what it refers to: {len(body['references'])} schemas.{rest}", body)


def _fitting(body: dict[str, Any]) -> dict[str, Any]:
    """`body` without the longest references, as far as it is too long."""
    parts = dict(body["references"])
    for uri in sorted(parts, key=lambda uri: -len(to_json(parts[uri]))):
        if fits({**body, "references": parts}):
            break
        parts[uri] = None
    return {**body, "references": parts, "truncated": None in parts.values()}


TOOLS = (
    Tool(
        name="get_omh_schema",
        title="Get a data point's schema",
        description=(
            "The JSON schema of a kind of data (Open mHealth, IEEE 1752.1), with all schemas that it refers to: which "
            "fields a data point has, which units and values they take. It tells of the form, not of anybody's data."
        ),
        arguments=GetOmhSchema,
        output=OmhSchema,
        handler=get_omh_schema,
    ),
)
