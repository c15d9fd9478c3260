"""An Observation as it was sent, read into an Upload.

A thousand of them come at a time, so a schema of what apps send decides first, in a microsecond; only what it does not
know is looked at by the full models of R5. What the data point says itself (when it holds, its number) is taken from
there, and elements that repeat it are left aside.
"""

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from typing import Any

import jsonschema_rs
import orjson

from core.actions.ingest import Upload
from core.fhir.door import BASE
from core.fhir.errors import InvalidResource, Issue, Resource, Unprocessable
from core.fhir.resource import MAX_ID
from core.fhir.search.values import Range, moments
from core.fhir.structure import check_structure
from core.fhir.writes.kept import check_numbers
from core.models import Observation
from core.models.code import IEEE_1752, OPEN_MHEALTH
from core.open_mhealth import effective_time
from core.policy.errors import InvalidInput

_TEXT = {"type": "string", "pattern": r"\S", "maxLength": 4_000}
_REFERENCE = {
    "type": "object",
    "properties": {"reference": _TEXT},
    "required": ["reference"],
    "additionalProperties": False,
}
_CODING = {
    "type": "object",
    "properties": {"system": _TEXT, "code": {"type": "string", "pattern": r"^\S+( \S+)*$"}, "display": _TEXT},
    "required": ["system", "code"],
    "additionalProperties": False,
}
_IDENTIFIER = {
    "type": "object",
    "properties": {"system": _TEXT, "value": _TEXT},
    "required": ["value"],
    "additionalProperties": False,
}
_ATTACHMENT = {
    "type": "object",
    "properties": {"contentType": {"const": "application/json"}, "data": {"type": "string", "minLength": 1}},
    "required": ["data"],
    "additionalProperties": False,
}
_DATE_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"
_USUAL = {
    "type": "object",
    "properties": {
        "resourceType": {"const": "Observation"},
        "status": {"enum": list(Observation.Status)},
        "code": {
            "type": "object",
            "properties": {"coding": {"type": "array", "items": _CODING, "minItems": 1, "maxItems": 1}},
            "required": ["coding"],
            "additionalProperties": False,
        },
        "subject": _REFERENCE,
        "device": _REFERENCE,
        "effectiveDateTime": {"type": "string", "pattern": _DATE_TIME},
        "identifier": {"type": "array", "items": _IDENTIFIER, "minItems": 1, "maxItems": 20},
        "valueAttachment": _ATTACHMENT,
    },
    "required": ["resourceType", "status", "code", "subject", "valueAttachment"],
    "additionalProperties": False,
}
_usual = jsonschema_rs.Draft7Validator(_USUAL)
_PATIENT = re.compile(rf"(?:{re.escape(BASE)}/)?Patient/([1-9][0-9]{{0,18}})(?:/_history/[0-9]+)?", re.ASCII)
_DEVICE = re.compile(rf"(?:{re.escape(BASE)}/)?Device/([1-9][0-9]{{0,18}})(?:/_history/[0-9]+)?", re.ASCII)
_DATA = "valueAttachment.data"
_SAYS_WHEN = {"effectiveDateTime", "effectiveInstant", "effectivePeriod", "effectiveTiming"}
_OURS = frozenset(
    {
        "resourceType",
        "id",
        "meta",
        "identifier",
        "status",
        "code",
        "subject",
        "device",
        "effectiveDateTime",
        "effectivePeriod",
        "valueAttachment",
    }
)


def parse(resource: Any, *, at: str = "Observation", is_checked: bool = False) -> Upload:
    """Raises InvalidResource for what is no R5 Observation, and Unprocessable for one that holds no data point.

    `at` is where the resource stands, for the expressions; `is_checked` says that its structure is known to be right.
    """
    usual = _usual.is_valid(resource)
    if not usual and not is_checked:
        check_structure(resource, "Observation", at=at)
    if not usual:
        _check_status(resource, at)
    system, code = _coding(resource, at)
    data_point = _data_point(resource.get("valueAttachment"), at)
    _check_time(resource, data_point, at)
    return Upload(
        patient_id=_key(resource.get("subject"), _PATIENT, f"{at}.subject", "Patient/40001"),
        coding_system=system,
        coding_code=code,
        data_point=data_point,
        identifiers=tuple(_identifiers(resource, at)),
        data_source_id=(
            _key(resource["device"], _DEVICE, f"{at}.device", "Device/70001") if "device" in resource else None
        ),
        status=resource["status"],
        fhir_extra=None if usual else extra_of(resource, at),
    )


def extra_of(resource: Resource, at: str) -> Resource | None:
    """What an Observation says that no column holds, as core/fhir/writes/kept.py keeps it."""
    kept = {name: value for name, value in resource.items() if name not in _OURS}
    check_numbers(kept, at)
    if meta := {
        name: value for name, value in resource.get("meta", {}).items() if name in ("profile", "security", "tag")
    }:
        kept["meta"] = meta
    return {"Observation": {"kept": kept}} if kept else None


def _check_status(resource: Resource, at: str) -> None:
    """The models of R5 do not know all of http://hl7.org/fhir/observation-status."""
    if resource["status"] not in Observation.Status:
        place = f"{at}.status"
        raise InvalidResource(Issue("code-invalid", f"{place} must be one of {', '.join(Observation.Status)}.", place))


def _coding(resource: Resource, at: str) -> tuple[str, str]:
    """The coding that names a schema, or else the first."""
    codings = [coding for coding in resource["code"].get("coding", ()) if "code" in coding]
    if not codings:
        raise _unprocessable("required", f"{at}.code needs a coding such as omh:blood-glucose:4.0.", f"{at}.code")
    ours = (coding for coding in codings if coding.get("system") in (OPEN_MHEALTH, IEEE_1752))
    coding = next(ours, codings[0])
    return coding.get("system", ""), coding["code"]


def _key(reference: Any, pattern: re.Pattern[str], at: str, example: str) -> int:
    text = reference.get("reference", "") if isinstance(reference, dict) else ""
    match = pattern.fullmatch(text)
    key = int(match[1]) if match else 0
    if not 0 < key <= MAX_ID:
        raise _unprocessable("value", f"{at} must be a reference such as {example}.", at)
    return key


def _identifiers(resource: Resource, at: str) -> Any:
    for place, identifier in enumerate(resource.get("identifier", ())):
        if "value" not in identifier:
            inside = f"{at}.identifier[{place}]"
            raise _unprocessable("required", f"{inside}.value is missing: it is what identifies.", inside)
        yield identifier.get("system", ""), identifier["value"]


def _data_point(attachment: Any, at: str) -> Any:
    if not isinstance(attachment, dict) or "data" not in attachment:
        sentence = f"{at}.{_DATA} is missing: the data point goes there, its JSON as base64."
        raise _unprocessable("required", sentence, f"{at}.valueAttachment")
    if attachment.get("contentType", "application/json").partition(";")[0].strip() != "application/json":
        place = f"{at}.valueAttachment.contentType"
        raise _unprocessable("not-supported", f"{place} must be application/json.", place)
    try:
        return orjson.loads(_decoded(attachment["data"]))
    except (NotBase64, ValueError):
        place = f"{at}.{_DATA}"
        raise InvalidResource(Issue("value", f"{place} is not the base64 of a JSON text.", place)) from None


def _decoded(data: str) -> bytes:
    """Base64, with line breaks or without (FHIR R5 datatypes.html#base64Binary)."""
    text = "".join(data.split()) if "\n" in data or " " in data else data
    return a2b_base64(text.encode("ascii"), strict_mode=True)


def _check_time(resource: Resource, data_point: Any, at: str) -> None:
    """An effective time is not needed, and says no other time than the data point does."""
    if not _SAYS_WHEN & resource.keys():
        return
    for element in ("effectiveInstant", "effectiveTiming"):
        if element in resource:
            place = f"{at}.{element}"
            sentence = f"{place} is not kept here: send effectiveDateTime, effectivePeriod, or the data point alone."
            raise _unprocessable("not-supported", sentence, place)
    bounds = {f"{at}.effectiveDateTime": resource.get("effectiveDateTime")}
    bounds |= {f"{at}.effectivePeriod.{end}": resource.get("effectivePeriod", {}).get(end) for end in ("start", "end")}
    said = {place: text for place, text in bounds.items() if text is not None}
    try:
        frame = effective_time(data_point)
    except (InvalidInput, KeyError, TypeError, AttributeError):
        return  # no valid data point: the schemas say how
    for place, text in said.items():
        moment = frame.end if place.endswith(".end") else frame.start
        wanted = _range(text, place)
        if moment is None or not wanted.start <= moment < wanted.end:
            raise _unprocessable("business-rule", f"{place} is another time than that of the data point.", place)


def _range(text: Any, place: str) -> Range:
    """The models of R5 also take numbers."""
    try:
        return moments(text if isinstance(text, str) else "")
    except ValueError as error:
        raise InvalidResource(Issue("value", f"{place} {error}", place)) from None


def _unprocessable(code: str, sentence: str, place: str) -> Unprocessable:
    return Unprocessable(Issue(code, sentence, place))
