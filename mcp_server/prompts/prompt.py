"""What a prompt is: an argument model, and a text with a place for each argument."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import mcp_types as types
from pydantic import BeforeValidator, Field, ValidationError

from mcp_server import errors
from mcp_server.fields import description_of
from mcp_server.text import quoted
from mcp_server.tool import Arguments

_DIGITS = re.compile(r"\s*(0|[1-9][0-9]{0,18})\s*", re.ASCII)


def _id(text: Any) -> int:
    """Prompts are filled in with text."""
    if not isinstance(text, str) or (digits := _DIGITS.fullmatch(text)) is None:
        raise ValueError("must be an id, such as 30001: digits and nothing else")
    return int(digits[1])


StudyId = Annotated[int, BeforeValidator(_id), Field(description="A study's id, such as 30001.")]
PatientId = Annotated[int, BeforeValidator(_id), Field(description="A patient's id, such as 40001.")]


@dataclass(frozen=True, slots=True)
class Prompt:
    name: str
    title: str
    description: str
    arguments: type[Arguments]
    text: str
    """With `{argument}` where an argument stands."""
    without: str = "not given"
    """What stands there when it was left out."""

    def listed(self) -> types.Prompt:
        return types.Prompt(
            name=self.name,
            title=self.title,
            description=self.description,
            arguments=[
                types.PromptArgument(name=name, description=description_of(field), required=field.is_required())
                for name, field in self.arguments.model_fields.items()
            ],
        )

    def filled_in(self, given: Mapping[str, str] | None) -> str:
        """The text. Raises InvalidInput."""
        try:
            arguments = self.arguments.model_validate(given or {})
        except ValidationError as error:
            raise errors.invalid_arguments(self.name, self.arguments, error) from None
        return self.text.format_map({name: self._said(value) for name, value in arguments})

    def _said(self, value: int | str | None) -> str:
        if value is None:
            return self.without
        return quoted(value) if isinstance(value, str) else str(value)
