"""completion/complete: of the variables in resource templates, and of the arguments of prompts."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    PromptReference,
)

from core.policy.errors import InvalidInput
from mcp_server.backends import Backend
from mcp_server.completions import COMPLETIONS, MOST, named
from mcp_server.features.answers import admitted, body_of, is_missing, refused
from mcp_server.prompts import PROMPTS
from mcp_server.resources import Resource, value_of

_Named = Mapping[str, Sequence[str]]


class Completions:
    def __init__(self, backend: Backend, resources: Sequence[Resource]) -> None:
        self._backend = backend
        templates = {
            spelling: resource.template.variable_names
            for resource in resources
            for spelling in (resource.path, str(resource.template))
        }
        prompts = {name: tuple(prompt.arguments.model_fields) for name, prompt in PROMPTS.items()}
        self._arguments: tuple[_Named, _Named] = templates, prompts

    async def complete(self, context: ServerRequestContext[Any], params: CompleteRequestParams) -> CompleteResult:
        self._check(params)
        completion = COMPLETIONS.get(params.argument.name)
        if completion is None:
            await admitted(self._backend, context)
            return _result(named(params.argument.name, params.argument.value))
        asked = self._backend.complete(completion, _typed(params), params, context)
        try:
            found = await body_of(asked, "completion/complete")
        except MCPError as error:
            if is_missing(error):
                return _result([])
            raise
        return _result(found["values"], found["total"])

    def _check(self, params: CompleteRequestParams) -> None:
        templates, prompts = self._arguments
        ref = params.ref
        what, named = (ref.name, prompts) if isinstance(ref, PromptReference) else (ref.uri, templates)
        for name, known in ((what, named), (params.argument.name, named.get(what, ()))):
            if name not in known:
                raise MCPError(
                    code=INVALID_PARAMS, message=f"Nothing here is called so. There are: {', '.join(known)}."
                )


def _result(found: Sequence[str], total: int | None = None) -> CompleteResult:
    values, total = list(found[:MOST]), len(found) if total is None else total
    return CompleteResult(completion=Completion(values=values, total=total, has_more=total > len(values)))


def _typed(params: CompleteRequestParams) -> dict[str, Any]:
    """What was typed, and what narrows it of that which was filled in before."""
    filled_in = (params.context and params.context.arguments) or {}
    narrowing = [name for name in ("study_id", "patient_id") if name in filled_in and name != params.argument.name]
    try:
        return {"value": params.argument.value, **{name: value_of(name, filled_in[name]) for name in narrowing}}
    except InvalidInput as error:
        raise refused(error) from None
