"""The number of a data point of a scalar kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Quantity:
    value: float
    unit: str


def scalar(code: str, body: Mapping[str, Any]) -> Quantity | None:
    """The number of a scalar kind: `omh:blood-glucose:4.0` keeps it in `blood_glucose`. None for multi-part kinds."""
    name = code.split(":")[1] if code.count(":") == 2 else code
    measure = body.get(name.replace("-", "_"))
    if not isinstance(measure, Mapping):
        return None
    value, unit = measure.get("value"), measure.get("unit")
    if isinstance(value, bool) or not isinstance(value, int | float) or not isinstance(unit, str):
        return None
    return Quantity(float(value), unit)
