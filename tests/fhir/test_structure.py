"""What is FHIR R5 and what is not, with the place of each fault."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fhir.errors import InvalidResource
from core.fhir.structure import MAX_DEPTH, check_structure

EXAMPLES = Path(__file__).parents[3] / "shared" / "data" / "fhir_r5"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)


def patient(**elements):
    return {"resourceType": "Patient", **elements}


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the official examples are not beside the project")
@pytest.mark.parametrize(
    "type_name",
    ["Patient", "Practitioner", "Organization", "Group", "ResearchStudy", "Device", "Observation", "Consent"],
)
def test_every_official_example_passes(type_name):
    for path in sorted(EXAMPLES.glob(f"{type_name}-*.json")):
        check_structure(json.loads(path.read_text()), type_name)


@pytest.mark.parametrize(
    ("resource", "expression"),
    [
        (patient(birthDate="1980-13-01"), "Patient.birthDate"),
        (patient(gender="m"), "Patient.gender"),
        (patient(name="Ada"), "Patient.name"),
        (patient(name=[{"given": ["Ada", 3]}]), "Patient.name[0].given[1]"),
        (patient(name=[{"given": ["Ada"], "nick": "A"}]), "Patient.name[0].nick"),
        (patient(name=[{"use": "pet"}]), "Patient.name[0].use"),
        (patient(name=[]), "Patient.name"),
        (patient(name=[{}]), "Patient.name[0]"),
        (patient(birthDate=None), "Patient.birthDate"),
        (patient(birthDate=""), "Patient.birthDate"),
        ({"resourceType": "Group"}, "Patient.resourceType"),
        ([], "Patient"),
    ],
)
def test_a_fault_is_named_by_its_place(resource, expression):
    with pytest.raises(InvalidResource) as refused:
        check_structure(resource, "Patient")
    assert expression in [issue.expression for issue in refused.value.issues]


def test_every_fault_is_named_at_once():
    with pytest.raises(InvalidResource) as refused:
        check_structure(patient(birthDate="x", name=[{"given": [1]}]), "Patient")
    assert len(refused.value.issues) == 2


def test_a_fault_inside_a_bundle_is_named_from_the_bundle():
    with pytest.raises(InvalidResource) as refused:
        check_structure(patient(gender="m"), "Patient", at="Bundle.entry[3].resource")
    assert refused.value.issues[0].expression == "Bundle.entry[3].resource.gender"


def test_what_nests_too_deep_is_refused():
    nested: dict = {"url": "https://test.invalid/deep", "valueString": "end"}
    for _ in range(MAX_DEPTH):
        nested = {"url": "https://test.invalid/deep", "extension": [nested]}
    with pytest.raises(InvalidResource):
        check_structure(patient(extension=[nested]), "Patient")


@given(st.dictionaries(st.sampled_from(["name", "gender", "birthDate", "text", "extension", "id", "x"]), JSON))
def test_anything_is_either_passed_or_refused(elements):
    with suppress(InvalidResource):
        check_structure(patient(**elements), "Patient")


@pytest.mark.parametrize(
    ("elements", "expression"),
    [
        ({"birthDate": 0}, "Patient.birthDate"),
        ({"active": "true"}, "Patient.active"),
        ({"multipleBirthInteger": "5"}, "Patient.multipleBirthInteger"),
        ({"name": ['{"family": "Lovell"}']}, "Patient.name[0]"),
        ({"contained": [{"resourceType": 5}]}, "Patient.contained[0].resourceType"),
        ({"contained": [{"resourceType": "Nothing"}]}, "Patient.contained[0].resourceType"),
        ({"contained": [{"resourceType": "HumanName"}]}, "Patient.contained[0].resourceType"),
        ({"contained": [{"id": "a"}]}, "Patient.contained[0]"),
        ({"_birthDate": 5}, "Patient._birthDate"),
        ({"name": [{"resourceType": 5}]}, "Patient.name[0].resourceType"),
    ],
)
def test_what_the_models_would_turn_into_something_else_is_refused(elements, expression):
    with pytest.raises(InvalidResource) as refused:
        check_structure({"resourceType": "Patient", **elements}, "Patient")
    assert refused.value.issues[0].expression == expression
