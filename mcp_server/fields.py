"""What a field of an argument model says of itself."""

from typing import get_args

from pydantic.fields import FieldInfo


def description_of(field: FieldInfo) -> str | None:
    """Where an argument may be left out, the kind of argument has it."""
    kinds = [FieldInfo.from_annotation(kind) for kind in get_args(field.annotation)]
    return field.description or next((kind.description for kind in kinds if kind.description), None)
