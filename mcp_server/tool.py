"""What a tool is: an argument model, an answer model and a handler. The tools themselves are in tools/."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Generic, Protocol, TypeVar

import mcp_types as types
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue

from mcp_server import errors
from mcp_server.auth.caller import Caller
from mcp_server.auth.scopes import SCOPE
from mcp_server.features.asking import Client

Id = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
"""An id of the exchange, as a JSON integer."""


class Arguments(BaseModel):
    """The arguments of a tool. Unknown ones are refused, with a sentence that names the known ones.

    `study_id`, `patient_id` and `organization_id` mean the same in every tool: what the call is about. They go into the
    audit row, and a `study_id` that the token's claims leave out is refused before any question is asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    def recorded(self) -> dict[str, Any]:
        """What the audit row tells: of what people are searched by (`repr=False`) only that it was given."""
        fields = type(self).model_fields
        return {name: value if fields[name].repr else True for name, value in self if value is not None}


class Output(BaseModel):
    """The shape of an answer, for the output schema. The answers themselves are made as JSON by the database."""

    model_config = ConfigDict(extra="forbid")


class Page(Output):
    """Some of what there is. `total` counts all of it."""

    total: int
    returned: int
    truncated: bool
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    """A sentence for people: what was found, how much of it, and how to narrow it."""
    body: dict[str, Any]
    """`structuredContent`, as the tool's output schema says."""


class Ask(Protocol):
    """A tool's only way to data: a question, asked as the caller, and recorded. One per call."""

    @property
    def caller(self) -> Caller:
        """Who asks."""

    @property
    def client(self) -> Client:
        """What they ask with, and what that can be asked."""

    async def __call__(self, question: str, /, **parameters: Any) -> dict[str, Any]:
        """The body that `queries/<question>.sql` gives. The tool's arguments are bound by name, then `parameters`.

        Raises NotVisible, with the sentence that the caller reads, when the question has no body for this caller.
        """


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Tool(Generic[ArgumentsT]):
    name: str
    title: str
    description: str
    arguments: type[ArgumentsT]
    output: type[Output]
    handler: Callable[[ArgumentsT, Ask], Awaitable[Answer]]
    scope: str = SCOPE
    """What the token must have been granted. A call without it is told to ask for it (mcp_server/auth/step_up.py)."""
    app: str | None = None
    """The page that shows the answer, in hosts that show any (mcp_server/apps)."""

    def parse(self, arguments: Mapping[str, Any] | None) -> ArgumentsT:
        """Raises InvalidInput."""
        try:
            return self.arguments.model_validate(arguments or {})
        except ValidationError as error:
            raise errors.invalid_arguments(self.name, self.arguments, error) from None

    def listed(self) -> types.Tool:
        """The tool as `tools/list` shows it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=_schema(self.arguments, "validation"),
            output_schema=_schema(self.output, "serialization"),
            annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
            _meta=None if self.app is None else {"ui": {"resourceUri": self.app}},
        )


@cache
def _schema(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """Made once: it takes longer than everything else that a server is made of."""
    return model.model_json_schema(schema_generator=_Schema, mode=mode)


class _Schema(GenerateJsonSchema):
    """Without titles made up from field names and docstrings that speak to developers: a model reads every word.

    An argument that may be left out is not required; that null means the same is not worth a model's attention.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's hook
        return False

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        described = super().model_schema(schema)
        described.pop("title", None)
        described.pop("description", None)
        return described

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"]) if self.mode == "validation" else super().nullable_schema(schema)

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if key != "default" or value is not None}
