"""What every body and every answer of the REST door is made with."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework import serializers

_WORD = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")

MAX_ID = 2**63 - 1


def camel(name: str) -> str:
    """`name_family` as `nameFamily`; what is camelCase already stays."""
    return _WORD.sub(lambda match: match[1].upper(), name)


# Fields are snake_case in Python and camelCase on the wire, where snake_case is accepted too. Names of fields only:
# what a field holds (`omhData`) keeps its own. No docstring, which would describe every schema of the OpenAPI document.
class CamelCase(serializers.Serializer[Any]):
    aliases: Mapping[str, str] = {}
    """Other names, in camelCase, that existing clients send -> the field's name on the wire."""
    refuses_others = False
    """Where what is left out means everything: a name that is misspelt is refused, not ignored."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {camel(name): _named(field, name) for name, field in super().get_fields().items()}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        given: dict[str, Any] = {}
        for key, value in data.items():
            name = self.aliases.get(camel(key), camel(key))
            if name in given:
                raise serializers.ValidationError({name: "Comes twice, in two spellings: send one."})
            given[name] = value
        if self.refuses_others and (unknown := sorted(given.keys() - self.fields.keys())):
            there_are = ", ".join(self.fields)
            raise serializers.ValidationError({unknown[0]: f"There is no such field. There are: {there_are}."})
        return super().to_internal_value(given)


# The same, with fields from a model.
class CamelCaseModel(CamelCase, serializers.ModelSerializer[Any]):
    pass


def _named(field: Any, name: str) -> Any:
    if isinstance(field, serializers.SerializerMethodField):
        field.method_name = field.method_name or f"get_{name}"
    elif field.source is None and camel(name) != name:
        field.source = name
    return field


class IdField(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": MAX_ID, **kwargs})


class ReferenceField(IdField):
    """The id of another row; also as an object with an `id`, as answers show it."""

    def to_internal_value(self, data: Any) -> int:
        return super().to_internal_value(str(data.get("id")) if isinstance(data, Mapping) else data)


class IdListField(serializers.ListField):
    """Ids; a single one needs no list around it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"child": IdField(), "allow_empty": False, "max_length": 1_000, **kwargs})

    def to_internal_value(self, data: Any) -> list[int]:
        return super().to_internal_value([data] if isinstance(data, int | str) else data)


class Problem(serializers.Serializer[Any]):
    """Every refusal."""

    detail = serializers.CharField(help_text="What is wrong, in one sentence.")


class Query(CamelCase):
    """Parameters of a query string; those that a route does not know are ignored."""


class PageQuery(Query):
    cursor = serializers.CharField(required=False, help_text="Where a page begins: `next` of the page before has it.")
    page_size = serializers.IntegerField(
        required=False, default=20, min_value=1, help_text="How many at most; more than 1000 is taken as 1000."
    )
    count = serializers.BooleanField(
        required=False, default=False, help_text="Count all rows, where that is not done anyway."
    )


class PageOf(serializers.Serializer[Any]):
    """A page of a list; a subclass says of what."""

    count = serializers.IntegerField(allow_null=True, min_value=0, help_text="Of all pages; null if not asked for.")
    next = serializers.URLField(allow_null=True, help_text="The next page, or null. Follow it as it is.")
    previous = serializers.URLField(allow_null=True, help_text="The page before, or null.")


@cache
def page_of(row: Any) -> type[PageOf]:
    """The serializer of a page of what this serializer shows, for the OpenAPI document."""
    name = f"{row.__name__}Page"
    return type(name, (PageOf,), {"results": row(many=True), "__doc__": f"A page of {row.__name__}."})
