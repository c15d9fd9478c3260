"""A call that names no study or patient, or none that is there for the caller: the person can say which one is meant.

They are shown what the caller's own question finds, and what they choose is looked up like any other argument.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from core.policy.errors import InvalidInput
from mcp_server.features.asking import Client
from mcp_server.resources import id_of
from mcp_server.text import quoted
from mcp_server.tool import Ask, Tool

MAX_CHOICES = 20
"""Nobody reads a longer list: the sentence that refuses the call says how to search."""


@dataclass(frozen=True, slots=True)
class _Kind:
    argument: str
    what: str
    question: str
    rows: str
    everything: Mapping[str, Any] = field(default_factory=dict)
    """The parameters with which the question leaves nothing out."""


_KINDS = (
    _Kind("study_id", "study", "list_studies", "studies", {"words": [], "organization_id": None}),
    _Kind(
        "patient_id",
        "patient",
        "search_patients",
        "patients",
        {"name_words": [], "family_words": [], "given_words": [], "birthdate": None, "identifier": None},
    ),
)


def chosen_before(client: Client, tool: Tool[Any]) -> dict[str, int]:
    """What the person has chosen in the round before (2026-07-28): the question that failed is not asked again."""
    chosen = client.chosen()
    if chosen is None or _kind_of(chosen[0]) is None or chosen[0] not in tool.arguments.model_fields:
        return {}
    return _as_id(*chosen)


async def choose(ask: Ask, tool: Tool[Any], given: Mapping[str, Any]) -> dict[str, int] | None:
    """The argument that was meant; None when it was another that was wrong, or the person cannot or will not say.

    Raises InputRequired.
    """
    kind = next((kind for kind in _KINDS if _is_in_question(kind.argument, tool, given)), None)
    if kind is None or not ask.client.has_forms:
        return None
    found = await ask(kind.question, **kind.everything, study_id=None, after_id=0, limit=MAX_CHOICES + 1)
    choices = {str(row[kind.argument]): f"{row[kind.argument]} {quoted(row['name'])}" for row in found[kind.rows]}
    if not 0 < len(choices) <= MAX_CHOICES or str(given.get(kind.argument)) in choices:
        return None
    chosen = await ask.client.choose(kind.argument, f"Which {kind.what} is {tool.name} to be about?", choices)
    return None if chosen is None else _as_id(kind.argument, chosen)


def _is_in_question(argument: str, tool: Tool[Any], given: Mapping[str, Any]) -> bool:
    """It was given, or nothing that says what the call is about was given and the tool needs it."""
    about = [kind.argument for kind in _KINDS if kind.argument in tool.arguments.model_fields]
    if argument not in about:
        return False
    return argument in given if any(name in given for name in about) else _needs_one(tool, about)


def _needs_one(tool: Tool[Any], about: list[str]) -> bool:
    return any(tool.arguments.model_fields[name].is_required() for name in about) or len(about) == len(_KINDS)


def _kind_of(argument: str) -> _Kind | None:
    return next((kind for kind in _KINDS if kind.argument == argument), None)


def _as_id(argument: str, chosen: str) -> dict[str, int]:
    with suppress(InvalidInput):
        return {argument: id_of(argument, chosen)}
    return {}
