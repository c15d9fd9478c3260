"""What a data point that was sent must be. Every refusal is one sentence with the place of the fault, and what would be
right there; never the value that was sent."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind

from core.nesting import nests_too_deep
from core.open_mhealth.schemas import HEADER, has_schema, validator
from core.open_mhealth.time_frame import TimeFrame, effective_time
from core.policy.errors import InvalidInput

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER_BY = timedelta(days=1)
"""How far from now a data point may end: a clock that is wrong, a local time without its offset."""

_STANDARDS = ("omh:", "ieee:")


def check_data_point(code: str, data_point: Any, *, now: datetime) -> TimeFrame:
    """When a valid data point of this code holds.

    Header and body fit their schemas, the header names the body's schema, the time exists and is neither before 1900
    nor yet to come. Kinds of other vocabularies than Open mHealth and IEEE 1752.1 have no schema here: their body is
    any object. Raises InvalidInput.
    """
    if not isinstance(data_point, Mapping):
        raise InvalidInput("A data point is an object with a header and a body.")
    if nests_too_deep(data_point):
        raise InvalidInput("The data point nests deeper than any does.")
    header, body = data_point.get("header"), data_point.get("body")
    _refuse_what_does_not_fit(HEADER, header, "header")
    if code.startswith(_STANDARDS):
        _check_body(code, data_point["header"]["schema_id"], body)
    elif not isinstance(body, Mapping):
        raise InvalidInput("body is required, and is an object.")
    frame = effective_time(data_point)
    _check_plausible(frame, now)
    return frame


def _check_body(code: str, schema_id: Mapping[str, str], body: Any) -> None:
    if not has_schema(code):
        raise InvalidInput(f"There is no schema of {code} here: send a version that the study asks for.")
    if not code.startswith(f"{schema_id['namespace']}:{schema_id['name']}:"):  # senders are behind with versions
        raise InvalidInput(f"header.schema_id is not that of {code}: a data point is of the kind that its code names.")
    _refuse_what_does_not_fit(code, body, "body")


def _check_plausible(frame: TimeFrame, now: datetime) -> None:
    if frame.start < EARLIEST:
        raise InvalidInput(f"The time of the data point is before {EARLIEST.year}: correct the sender's clock.")
    if (frame.end or frame.start) > now + CLOCKS_DIFFER_BY:
        raise InvalidInput("The time of the data point is yet to come: correct the sender's clock.")


def _refuse_what_does_not_fit(schema_id: str, part: Any, place: str) -> None:
    compiled = validator(schema_id)
    if not compiled.is_valid(part):
        raise InvalidInput(_sentence(_deepest(next(compiled.iter_errors(part))), place))


def _deepest(error: ValidationError) -> ValidationError:
    """Of what fits none of several forms, the fault of the form that it comes nearest to."""
    kind = error.kind
    if isinstance(kind, ValidationErrorKind.OneOfNotValid | ValidationErrorKind.AnyOf):
        below = [_deepest(each) for form in kind.context for each in form]
        return max([error, *below], key=lambda each: len(each.instance_path))
    return error


def _sentence(error: ValidationError, place: str) -> str:
    for step in error.instance_path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            return f"{place}.{name} is required."
        case ValidationErrorKind.Format(format="date-time"):
            return f"{place} is not a date-time such as 2026-03-01T08:30:00-08:00."
        case ValidationErrorKind.OneOfNotValid() | ValidationErrorKind.AnyOf():
            return f"{place} has none of the forms that the schema allows."
        case ValidationErrorKind.Enum(options=options):
            return f"{place} must be one of: {', '.join(map(str, options))}."
        case _:
            return f"{place}{error.message}."
