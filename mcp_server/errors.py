"""Errors become words here, and only here: what a model or a person reads when a call does not succeed."""

import json
from typing import Any

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from core.policy.errors import DomainError, InvalidInput
from mcp_server.fields import description_of
from mcp_server.text import quoted

KIND = "org.jupyterhealth/error"
"""In `_meta` of a refusal and in `data` of an error: which of core/policy/errors.py it is, for programs."""
_MOST, _LONGEST = 5, 40
"""Unknown arguments that are named, and characters of each."""
INTERNAL = "The exchange failed to answer this; the failure was logged. Trying again is unlikely to help."


def refusal(error: DomainError) -> CallToolResult:
    """An in-band tool error (MCP: `isError`), so that the model reads the sentence and can act on it."""
    return CallToolResult(content=[TextContent(text=str(error))], is_error=True, _meta={KIND: type(error).__name__})


def said(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=sentence)], is_error=True)


def invalid_arguments(of: str, model: type[BaseModel], error: ValidationError) -> InvalidInput:
    """One sentence on what is wrong with the arguments of a tool or prompt: which one, what it takes, what was got.

    Numbers are repeated and what should have been one of a few words; other text is not: it may be a patient's name.
    """
    faults = error.errors(include_url=False)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    wrong = [_fault(model, fault) for fault in faults if fault["type"] != "extra_forbidden"]
    if unknown:
        allowed = ", ".join(model.model_fields)
        names = ", ".join(_named(str(fault["loc"][-1])) for fault in unknown[:_MOST])
        wrong.insert(0, f"{of} takes {allowed or 'no arguments'}; it does not know {names}")
    return InvalidInput("; ".join(wrong) + ".")


def _named(argument: str) -> str:
    return argument if argument.isidentifier() and len(argument) <= _LONGEST else quoted(argument, _LONGEST)


def _fault(model: type[BaseModel], fault: ErrorDetails) -> str:
    name = ".".join(str(part) for part in fault["loc"][:1])
    if not name:
        return _message(fault)
    field = model.model_fields.get(name)
    kind, given, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "missing":
        return f"{name} is missing{_explained(field)}"
    if kind in _PATTERNS:
        return f"{name} is not as it should be{_explained(field)}"
    said = _MUST.get(kind, "").format_map(context)
    if not said:
        return f"{name}: {_message(fault)}"
    got = _got(kind, given, tellable=field is None or field.repr)
    has_name = isinstance(given, str) and not given.isdecimal()
    found_by = f" ({_FOUND_BY[name]})" if has_name and name in _FOUND_BY else ""
    return f"{name} must be {said}: got {got}{found_by}"


def _explained(field: FieldInfo | None) -> str:
    description = description_of(field) if field else None
    return f" ({description.rstrip('.')})" if description else ""


def _message(fault: ErrorDetails) -> str:
    return fault["msg"].removeprefix("Value error, ")


def _got(kind: str, given: Any, *, tellable: bool) -> str:
    """What was given, as far as it can be nobody's name; `tellable`: nobody is searched by the argument."""
    if isinstance(given, str):
        is_word = kind == "literal_error" or given.isdecimal()
        return f"the text {quoted(given)}" if tellable and is_word else f"text of {len(given)} characters"
    if given is None or isinstance(given, bool):
        return json.dumps(given)
    if isinstance(given, int | float):
        return json.dumps(given)[:_LONGEST] if tellable else "a number"
    return "a list" if isinstance(given, list) else "an object"


_FOUND_BY = {"patient_id": "search_patients finds it", "study_id": "list_studies has them"}
"""Which tool tells an id to who has a name."""
_PATTERNS = {"string_pattern_mismatch", "string_too_short"}
_MUST = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing_size": "an integer below 9223372036854775808",
    "date_type": "an ISO 8601 date such as 1971-03-09",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "literal_error": "{expected}",
    "string_too_long": "at most {max_length} characters long",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}
"""By pydantic's type of a fault. Others, and what our own validators say, have words of their own."""
