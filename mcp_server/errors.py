"""Errors become words here, and only here: what a model or a person reads when a call does not succeed."""

from mcp_types import CallToolResult, TextContent
from pydantic import ValidationError

from core.policy.errors import DomainError, InvalidInput

KIND = "org.jupyterhealth/error"
"""In `_meta` of a refusal and in `data` of an error: which of core/policy/errors.py it is, for programs."""
INTERNAL = "The exchange failed to answer this; the failure was logged. Trying again is unlikely to help."


def refusal(error: DomainError) -> CallToolResult:
    """An in-band tool error (MCP: `isError`), so that the model reads the sentence and can act on it."""
    return CallToolResult(content=[TextContent(text=str(error))], is_error=True, _meta={KIND: type(error).__name__})


def said(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=sentence)], is_error=True)


def invalid_arguments(tool: str, allowed: list[str], error: ValidationError) -> InvalidInput:
    """One sentence on what is wrong with a tool's arguments. It repeats no value: that may be a patient's name."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    unknown = [_place(fault["loc"]) for fault in faults if fault["type"] == "extra_forbidden"]
    wrong = [_fault(fault["loc"], fault["msg"]) for fault in faults if fault["type"] != "extra_forbidden"]
    if unknown:
        takes = f"takes {', '.join(allowed)}" if allowed else "takes no arguments"
        wrong.insert(0, f"{tool} {takes}; it does not know {', '.join(unknown)}")
    return InvalidInput("; ".join(wrong) + ".")


def _fault(location: tuple[int | str, ...], message: str) -> str:
    return f"{_place(location)}: {message.removeprefix('Value error, ')}"


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "arguments"
