"""Kinds of data in the words of plain FHIR readers: LOINC, UCUM, categories; only where the mapping is certain."""

from collections.abc import Mapping
from dataclasses import dataclass

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"

_VITAL_SIGNS = ("vital-signs", "Vital Signs")
_ACTIVITY = ("activity", "Activity")
_SURVEY = ("survey", "Survey")
_Loinc = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """`loinc` is by unit where the code depends on it; the key "" is any unit."""

    category: tuple[str, str] | None = None
    loinc: Mapping[str, _Loinc] | None = None


KINDS: Mapping[str, Kind] = {
    "blood-glucose": Kind(
        loinc={
            "mg/dL": ("2339-0", "Glucose [Mass/volume] in Blood"),
            "mmol/L": ("15074-8", "Glucose [Moles/volume] in Blood"),
        }
    ),
    "blood-pressure": Kind(_VITAL_SIGNS),
    "body-height": Kind(_VITAL_SIGNS, {"": ("8302-2", "Body height")}),
    "body-temperature": Kind(_VITAL_SIGNS, {"": ("8310-5", "Body temperature")}),
    "body-weight": Kind(_VITAL_SIGNS, {"": ("29463-7", "Body weight")}),
    "heart-rate": Kind(_VITAL_SIGNS, {"": ("8867-4", "Heart rate")}),
    "oxygen-saturation": Kind(_VITAL_SIGNS, {"": ("2708-6", "Oxygen saturation in Arterial blood")}),
    "physical-activity": Kind(_ACTIVITY),
    "respiratory-rate": Kind(_VITAL_SIGNS, {"": ("9279-1", "Respiratory rate")}),
    "sleep-duration": Kind(_ACTIVITY, {"": ("93832-4", "Sleep duration")}),
    "sleep-episode": Kind(_ACTIVITY),
    "sleep-stage-summary": Kind(_ACTIVITY),
    "step-count": Kind(_ACTIVITY, {"": ("55423-8", "Number of steps in unspecified time Pedometer")}),
    "time-in-bed": Kind(_ACTIVITY),
    "total-sleep-time": Kind(_ACTIVITY, {"": ("93832-4", "Sleep duration")}),
    "QuestionnaireResponse": Kind(_SURVEY),
}
"""By the name in the code: `omh:heart-rate:2.0` is a `heart-rate`, in each of its versions."""

PRESSURES = {
    "systolic_blood_pressure": ("8480-6", "Systolic blood pressure"),
    "diastolic_blood_pressure": ("8462-4", "Diastolic blood pressure"),
}
"""The parts of a blood pressure, by their names in its body."""

UNITS: Mapping[str, str] = {
    "%": "%",
    "C": "Cel",
    "F": "[degF]",
    "K": "K",
    "L": "L",
    "beats/min": "/min",
    "breaths/min": "/min",
    "cL": "cL",
    "cm": "cm",
    "d": "d",
    "dL": "dL",
    "ft": "[ft_i]",
    "g": "g",
    "h": "h",
    "in": "[in_i]",
    "kg": "kg",
    "lb": "[lb_av]",
    "m": "m",
    "mL": "mL",
    "mg/dL": "mg/dL",
    "min": "min",
    "mm": "mm",
    "mmHg": "mm[Hg]",
    "mmol/L": "mmol/L",
    "ms": "ms",
    "oz": "[oz_av]",
    "sec": "s",
    "steps": "{steps}",
    "wk": "wk",
}
"""Units as the schemas spell them -> UCUM. A unit that is missing here is shown by its name alone."""


def name_of(code: str) -> str:
    """`heart-rate` of `omh:heart-rate:2.0`; other codes are names already."""
    return code.split(":")[1] if code.count(":") == 2 else code


def category_of(code: str) -> tuple[str, str] | None:
    """Code and words of the category of a kind of data, in the system CATEGORY: ("activity", "Activity")."""
    kind = KINDS.get(name_of(code))
    return kind.category if kind else None


def is_in_category(code: str, wanted: str) -> bool:
    """Whether a kind of data is in a category as FHIR's search writes it, `code` or `system|code`."""
    category = category_of(code)
    return bool(category and wanted in (category[0], f"{CATEGORY}|{category[0]}"))
