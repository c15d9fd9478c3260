"""Completion of ids and kinds of data (MCP server/utilities/completion): questions like a tool's, which no tool asks.

They find what the caller may see, and are recorded like any other search: of what was typed only that it was. Names of
schemas are the same for everybody, and nobody's data.
"""

from typing import Annotated, Any

from pydantic import Field

from mcp_server import schemas
from mcp_server.arguments import containing
from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Tool

MOST = 100
"""Values in one answer (MCP server/utilities/completion, Completion Results)."""


class Typed(Arguments):
    """What was typed so far, and what narrows it: the arguments that were filled in before."""

    value: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$", repr=False)] = ""
    study_id: Id | None = None
    patient_id: Id | None = None


class Completed(Output):
    total: int
    values: list[str]


async def _complete(question: str, typed: Typed, ask: Ask) -> Answer:
    beginning = f"{typed.value}%" if typed.value.isascii() and typed.value.isdecimal() else ""
    return Answer("", await ask(question, beginning=beginning, words=containing(typed.value), limit=MOST))


def _completion(of: str) -> Tool[Any]:
    question = f"complete_{of}"
    return Tool(
        name=question,
        title="",
        description="",
        arguments=Typed,
        output=Completed,
        handler=lambda typed, ask: _complete(question, typed, ask),
    )


_STUDY = _completion("study_id")

COMPLETIONS = {
    "study_id": _STUDY,
    "other_study_id": _STUDY,
    "patient_id": _completion("patient_id"),
    "data_type": _completion("data_type"),
}
"""By the name of the argument that is completed."""


def named(argument: str, typed: str) -> list[str]:
    """What completes the arguments that are no data."""
    return [name for name in schemas.names() if typed.lower() in name] if argument == "name" else []
