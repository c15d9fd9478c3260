"""`_summary` and `_elements`: a part of each resource (FHIR R5 search.html#summary, search.html#elements)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from fhir.resources import get_fhir_model_class

from core.fhir.errors import InvalidResource, Issue, Resource

SUMMARIES = ("true", "text", "data", "count", "false")
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}

_ALWAYS = frozenset({"resourceType", "id", "meta"})


@dataclass(frozen=True, slots=True)
class Subset:
    """Which elements to show. `count` is of searches alone, where it shows none at all."""

    summary: str = "false"
    elements: frozenset[str] = frozenset()

    @classmethod
    def asked(cls, parameters: Mapping[str, str]) -> "Subset":
        """From `_summary` and `_elements`. Raises InvalidResource."""
        summary, elements = parameters.get("_summary", "false"), parameters.get("_elements", "")
        if summary not in SUMMARIES:
            sentence = f"_summary must be one of {', '.join(SUMMARIES)}."
            raise InvalidResource(Issue("value", sentence, "_summary"))
        return cls(summary, frozenset(_element(name.strip()) for name in elements.split(",") if name.strip()))

    @property
    def is_whole(self) -> bool:
        return self.summary in ("false", "count") and not self.elements

    def of(self, type_name: str, resource: Any) -> Any:
        """The part of a rendered resource, marked as one."""
        if self.is_whole:
            return resource
        whole: Resource = resource if isinstance(resource, dict) else orjson.loads(orjson.dumps(resource))
        shown = {name: value for name, value in whole.items() if self._shows(type_name, name)}
        if len(shown) == len(whole):
            return whole
        meta = shown["meta"]
        return {**shown, "meta": {**meta, "tag": [*meta.get("tag", []), SUBSETTED]}}

    def _shows(self, type_name: str, name: str) -> bool:
        element = name.removeprefix("_")
        if element in _ALWAYS or element in _mandatory(type_name) or element in self.elements:
            return True
        match self.summary:
            case "true":
                return not self.elements and element in _summary(type_name)
            case "text":
                return element == "text"
            case "data":
                return not self.elements and element != "text"
        return False


def _element(name: str) -> str:
    """`name` of `name`, `Patient.name` and `name.family`: parts of elements are not left out."""
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if first[:1].isupper() else first


@cache
def _mandatory(type_name: str) -> frozenset[str]:
    """Elements that a resource of the type cannot be without; of a choice such as value[x], every spelling."""
    fields = get_fhir_model_class(type_name).model_fields
    return frozenset(
        field.alias or name
        for name, field in fields.items()
        if isinstance(field.json_schema_extra, dict)
        and (field.json_schema_extra.get("element_required") or field.json_schema_extra.get("one_of_many_required"))
    ) | {field.alias or name for name, field in fields.items() if field.is_required()}


@cache
def _summary(type_name: str) -> frozenset[str]:
    return frozenset(get_fhir_model_class(type_name).summary_elements_sequence())
