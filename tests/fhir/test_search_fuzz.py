"""Whatever the parameters of a search say, the answer is FHIR and no fault of the server."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.fhir.registry import TYPES
from tests import personas
from tests.bearer import client_of

PARAMETERS = sorted({name for type_ in TYPES.values() for name in type_.parameters})
CONTROLS = ["_count", "_sort", "_include", "_revinclude", "_elements", "_summary", "_total", "_page", "_since", "_type"]
MODIFIERS = [
    "",
    "missing",
    "not",
    "exact",
    "contains",
    "text",
    "identifier",
    "below",
    "above",
    "in",
    "Patient",
    "iterate",
]
PIECES = [
    "ge",
    "eq",
    "2026",
    "-09",
    "-31",
    "T25:00",
    "Z",
    "|",
    ",",
    "\\",
    "\\,",
    "$",
    "%",
    "_",
    "0",
    "007",
    "1e99",
    "9" * 30,
]
PIECES += [
    "Patient/",
    "http://",
    "urn:",
    "http://localhost:8000/FHIR/R5/",
    "male",
    "true",
    ":",
    "*",
    "é",
    "\ud7ff",
    " ",
    "-",
]

names = st.one_of(
    st.sampled_from(PARAMETERS + CONTROLS),
    st.builds("{}:{}".format, st.sampled_from(PARAMETERS + CONTROLS), st.sampled_from(MODIFIERS)),
    st.builds("{}.{}".format, st.sampled_from(PARAMETERS), st.sampled_from(PARAMETERS)),
    st.builds(
        "_has:{}:{}:{}".format, st.sampled_from([*TYPES]), st.sampled_from(PARAMETERS), st.sampled_from(PARAMETERS)
    ),
    st.text(max_size=12),
)
written = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
values = st.one_of(written, st.text(max_size=12), st.sampled_from([f"{t}:{p}" for t in TYPES for p in PARAMETERS[:9]]))


@pytest.mark.parametrize("type_name", TYPES)
def test_any_search_is_answered_or_refused(db, type_name):
    personas.seed_demo_world()
    client = client_of(personas.user_of("manager_mary"))

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(names, values), max_size=3))
    def search(parameters):
        encodable = [(n, v) for n, v in parameters if _is_text(n) and _is_text(v)]
        answer = client.get(f"/FHIR/R5/{type_name}", encodable and dict(encodable))
        assert answer.status_code in (200, 400), (parameters, answer.content)
        assert answer.json()["resourceType"] == ("Bundle" if answer.status_code == 200 else "OperationOutcome")

    search()


def _is_text(text):
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)
