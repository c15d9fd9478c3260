"""The kinds of search parameters (FHIR R5 search.html#ptypes): what a value means, as a condition on rows."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """`definition` is the canonical URL of the standard's SearchParameter, for the CapabilityStatement."""

    kind: ClassVar[str]
    documentation: str = ""
