"""JSON Patch (RFC 6902; FHIR R5 http.html#patch)."""

import base64
from typing import Any

import jsonpatch
import orjson

from core.fhir.errors import InvalidResource, Issue, Resource, Unprocessable

MAX_OPERATIONS = 1_000
MAX_BYTES = 1024 * 1024
"""Of the patched resource: a dozen `copy` operations can make a thousand of one."""


def operations_of(binary: Any, *, at: str) -> Any:
    """The JSON Patch in a Binary, which is how a Bundle carries one (FHIR R5 http.html#patch)."""
    try:
        if binary["resourceType"] == "Binary" and binary["contentType"] == "application/json-patch+json":
            return orjson.loads(base64.b64decode(binary["data"], validate=True))
    except (KeyError, TypeError, ValueError):
        pass
    sentence = f"{at} must be a Binary of application/json-patch+json, its data the patch in base64."
    raise InvalidResource(Issue("structure", sentence, at))


def patched(resource: Resource, operations: Any) -> Any:
    """A patched copy of a resource, not checked for its structure yet.

    Raises InvalidResource for what is no JSON Patch, and Unprocessable where it does not fit the resource, a `test`
    that fails among it; nothing is applied then.
    """
    if not isinstance(operations, list) or len(operations) > MAX_OPERATIONS:
        raise InvalidResource(Issue("structure", f"A JSON Patch is an array of at most {MAX_OPERATIONS} operations."))
    document = orjson.loads(orjson.dumps(resource))
    for position, operation in enumerate(operations):
        document = _applied(document, operation, f"[{position}]")
    return document


_MALFORMED = (jsonpatch.InvalidJsonPatch, jsonpatch.JsonPointerException, TypeError, AttributeError, KeyError)
_MISFIT = (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError)


def _applied(document: Any, operation: Any, place: str) -> Any:
    try:
        patch = jsonpatch.JsonPatch([operation])
    except _MALFORMED:
        sentence = f"Operation {place} is none of JSON Patch: it needs op, path, and what the op asks for."
        raise InvalidResource(Issue("structure", sentence)) from None
    try:
        result = patch.apply(document, in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        raise Unprocessable(Issue("processing", f"The test of operation {place} fails: nothing was changed.")) from None
    except _MISFIT:
        raise Unprocessable(Issue("processing", f"Operation {place} does not fit the resource as it is.")) from None
    if operation["op"] == "copy" and _is_too_large(result):
        raise InvalidResource(Issue("too-costly", f"After operation {place} the resource is too large."))
    return result


def _is_too_large(document: Any) -> bool:
    try:
        return len(orjson.dumps(document)) > MAX_BYTES
    except orjson.JSONEncodeError:  # it nests deeper than JSON is written
        return True
