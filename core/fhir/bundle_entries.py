"""The entries of a Bundle that is sent, as they ask to be processed (FHIR R5 http.html#transaction)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

from core.fhir.door import BASE
from core.fhir.errors import InvalidResource, Issue, Resource

MAX_ENTRIES = 1_000

_TEXT = {"type": "string", "minLength": 1, "maxLength": 4_000}
_ENVELOPE = {
    "type": "object",
    "required": ["resourceType", "type"],
    "properties": {
        "resourceType": {"const": "Bundle"},
        "type": {"enum": ["batch", "transaction"]},
        "entry": {"type": "array", "maxItems": MAX_ENTRIES},
    },
}
_ENTRY = {
    "type": "object",
    "required": ["request"],
    "properties": {
        "fullUrl": _TEXT,
        "resource": {"type": "object"},
        "request": {
            "type": "object",
            "required": ["method", "url"],
            "properties": {
                "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]},
                "url": _TEXT,
                "ifMatch": _TEXT,
                "ifNoneMatch": _TEXT,
                "ifNoneExist": _TEXT,
            },
        },
    },
}
_envelope = jsonschema_rs.validator_for(_ENVELOPE)
_entry = jsonschema_rs.validator_for(_ENTRY)


@dataclass(frozen=True, slots=True)
class Entry:
    """`path` is what follows the type in the URL: an id, an operation, or nothing."""

    place: int
    method: str
    type_name: str
    path: str
    query: str
    resource: Any
    full_url: str
    if_match: str
    if_none_exist: str

    @property
    def at(self) -> str:
        return f"Bundle.entry[{self.place}]"

    @property
    def is_conditional(self) -> bool:
        """Whether a query decides what is changed."""
        return self.method not in ("GET", "HEAD") and bool(self.if_none_exist or (self.query and not self.path))

    @property
    def inside(self) -> str:
        return f"{self.at}.resource"


def check_envelope(bundle: Any) -> tuple[str, list[Any]]:
    """(`batch` or `transaction`, entries not looked at yet). Raises InvalidResource."""
    issues = list(_issues(_envelope, bundle, "Bundle"))
    if issues:
        raise InvalidResource(*issues)
    return bundle["type"], bundle.get("entry", [])


def entry_of(sent: Any, place: int) -> Entry:
    """Raises InvalidResource with the expression of each fault."""
    at = f"Bundle.entry[{place}]"
    if not _entry.is_valid(sent):
        raise InvalidResource(*_issues(_entry, sent, at))
    request: Resource = sent["request"]
    type_name, path, query = _target(request["url"], at)
    if request["method"] in ("POST", "PUT", "PATCH") and "resource" not in sent:
        raise InvalidResource(Issue("required", f"{at}.resource is missing: {request['method']} needs one.", at))
    return Entry(
        place=place,
        method=request["method"],
        type_name=type_name,
        path=path,
        query=query,
        resource=sent.get("resource"),
        full_url=sent.get("fullUrl", ""),
        if_match=request.get("ifMatch", ""),
        if_none_exist=request.get("ifNoneExist", ""),
    )


def _target(url: str, at: str) -> tuple[str, str, str]:
    """(type, path below it, query) of an entry's URL, relative to the service base or absolute."""
    try:
        parts = urlsplit(url.removeprefix(BASE).lstrip("/"))
    except ValueError:
        parts = urlsplit("http://elsewhere.invalid")
    if parts.scheme or parts.netloc or not parts.path:
        place = f"{at}.request.url"
        raise InvalidResource(Issue("value", f"{place} is not below {BASE}: write it as [type]/[id].", place))
    type_name, _, path = parts.path.rstrip("/").partition("/")
    return type_name, path, parts.query


def _issues(validator: Any, sent: Any, at: str) -> Iterator[Issue]:
    for error in validator.iter_errors(sent):
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        place = at + "".join(steps)
        yield Issue("structure", f"{place}: {_sentence(error.kind)}.", place)


def _sentence(kind: Any) -> str:
    """What the schema asks for; never the value that was sent."""
    match kind.name:
        case "enum":
            return f"must be one of {', '.join(map(str, kind.options))}"
        case "const":
            return f"must be {kind.expected_value}"
        case "required":
            return f"needs the element {kind.property}"
        case "type":
            return f"must be of JSON type {' or '.join(map(str, kind.types))}"
        case "maxItems":
            return f"has more than {kind.limit} entries: send them in several Bundles"
        case _:
            return f"breaks the rule {kind.name} of its element"
