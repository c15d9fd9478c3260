"""Kinds of arguments that tools share, each with the words that its schema tells a model."""

from datetime import date
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from mcp_server.tool import Arguments, Id


def _day(value: Any) -> Any:
    """Pydantic by itself takes digits for seconds since 1970."""
    if isinstance(value, date) or value is None:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise PydanticKnownError("date_type") from None


_NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f]+$"

Text = Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_CONTROL_CHARACTERS)]
"""Something to look for. Give it `repr=False` where it is looked for in what patients are called."""

Day = Annotated[date, BeforeValidator(_day), Field(description="An ISO 8601 date such as 1971-03-09.")]

Cursor = Annotated[
    str | None,
    Field(max_length=200, repr=False, description="The next_cursor of the page before; without it, the first page."),
]

DataType = Annotated[
    str,
    Field(
        max_length=100,
        pattern=r"^[\w:. -]+$",
        description="A kind of data: a scope's code such as omh:blood-glucose:4.0, or its name such as blood-glucose.",
    ),
]


def one_spelling(data_type: str | None) -> str | None:
    """As questions compare it: `Blood glucose`, `blood_glucose` and `blood-glucose` are the same."""
    return data_type and data_type.lower().replace(" ", "-").replace("_", "-")


_ISO_8601 = r"^[0-9A-Za-z:.+ -]+$"
Start = Annotated[
    str,
    Field(
        max_length=40,
        pattern=_ISO_8601,
        description="From here on: an ISO 8601 date (the patient's local day), or a date-time with an offset.",
    ),
]
End = Annotated[
    str,
    Field(
        max_length=40,
        pattern=_ISO_8601,
        description="Until here: an ISO 8601 date, which is included, or a date-time with an offset, which is not.",
    ),
]


class PatientOrStudy(Arguments):
    patient_id: Annotated[Id | None, Field(description="One patient, or leave it out and give study_id.")] = None
    study_id: Annotated[Id | None, Field(description="A study, or leave it out and give patient_id.")] = None
    cursor: Cursor = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.study_id is None) == (self.patient_id is None):
            raise ValueError("give either patient_id or study_id")
        return self


def containing(text: str | None) -> list[str]:
    """The LIKE patterns that texts with every word of `text` in them match; none match everything."""
    escaped = (text or "").replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return [f"%{word}%" for word in escaped.replace(",", " ").split()]
