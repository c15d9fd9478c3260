"""JSON Patch on a resource (RFC 6902)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fhir.errors import InvalidResource, Unprocessable
from core.fhir.patch import patched

PATIENT = {"resourceType": "Patient", "name": [{"given": ["Ada"]}], "birthDate": "1980-05-17"}


def test_operations_apply_in_their_order_and_leave_the_original_alone():
    changed = patched(
        PATIENT,
        [
            {"op": "test", "path": "/birthDate", "value": "1980-05-17"},
            {"op": "replace", "path": "/name/0/given/0", "value": "Bea"},
            {"op": "add", "path": "/name/0/given/-", "value": "Cleo"},
            {"op": "remove", "path": "/birthDate"},
        ],
    )
    assert changed == {"resourceType": "Patient", "name": [{"given": ["Bea", "Cleo"]}]}
    assert PATIENT["name"] == [{"given": ["Ada"]}]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/birthDate", "value": "1999-01-01"},
        {"op": "remove", "path": "/photo"},
        {"op": "replace", "path": "/name/7/given", "value": []},
        {"op": "add", "path": "/name/9", "value": {}},
    ],
)
def test_what_does_not_fit_the_resource_is_unprocessable(operation):
    with pytest.raises(Unprocessable):
        patched(PATIENT, [operation])


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "remove", "path": "/birthDate"},
        [{"op": "explode", "path": "/birthDate"}],
        [{"op": "remove"}],
        [{"op": "add", "path": "/x"}],
        [{"op": "add", "path": "x", "value": 1}],
        [3],
        [None],
        "x",
        [{}] * 1_001,
    ],
)
def test_what_is_no_json_patch_is_invalid(operations):
    with pytest.raises(InvalidResource):
        patched(PATIENT, operations)


def test_copies_of_copies_end_before_they_fill_the_memory():
    doubling = [{"op": "copy", "from": "/name", "path": "/name/-"}] * 60
    with pytest.raises(InvalidResource, match="too large"):
        patched(PATIENT, doubling)


def test_a_copy_beside_what_nests_too_deep_is_refused():
    deep: list = []
    for _ in range(300):
        deep = [deep]
    copied = [{"op": "add", "path": "/x", "value": deep}, {"op": "copy", "from": "/birthDate", "path": "/y"}]
    with pytest.raises(InvalidResource, match="too large"):
        patched(PATIENT, copied)


POINTERS = st.sampled_from(
    ["", "/", "/name", "/name/0", "/name/-", "/name/x", "/name/0/given/~2", "/birthDate/0", "/a/b"]
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])},
            optional={"path": POINTERS | st.none(), "from": POINTERS, "value": st.none() | st.integers() | st.text()},
        ),
        max_size=4,
    )
)
def test_any_patch_is_applied_or_refused(operations):
    with suppress(InvalidResource):
        patched(PATIENT, operations)
