"""The `Prefer` header (RFC 7240; FHIR R5 http.html#ops, search.html#errors)."""

import re
from dataclasses import dataclass
from typing import Self

_PAIR = re.compile(r"\s*(?P<name>[A-Za-z-]+)\s*(?:=\s*\"?(?P<value>[A-Za-z-]*)\"?)?\s*")


@dataclass(frozen=True, slots=True)
class Preference:
    what_returned: str = ""
    """minimal, representation or OperationOutcome."""
    handling: str = ""
    """strict or lenient."""
    is_async: bool = False

    @classmethod
    def of(cls, header: str) -> Self:
        """A preference that is not understood is none (RFC 7240 §2)."""
        given = {
            match["name"].lower(): match["value"] or ""
            for part in header.replace(";", ",").split(",")
            if (match := _PAIR.fullmatch(part))
        }
        return cls(given.get("return", ""), given.get("handling", "").lower(), "respond-async" in given)
