"""Whatever is wrong with a call, the answer is one sentence with which a model can make the next call right."""

import pytest

from core.policy.errors import InvalidInput
from mcp_server.tools import TOOLS
from tests.mcp_server.tools.world import Clinic, glucose, record

RIGHT = {
    "study_id": 30001,
    "patient_id": 40001,
    "data_type": "blood-glucose",
    "longer_than": "6h",
    "name": "blood-glucose",
}
"""What the tools that need something are given."""
EITHER = {"patient_id", "study_id"}


def required(tool):
    given = {name: RIGHT[name] for name in TOOLS[tool].listed().input_schema.get("required", ())}
    return {**given, "study_id": RIGHT["study_id"]} if "give either" in refused(tool, given) else given


def refused(tool, arguments):
    try:
        TOOLS[tool].parse(arguments)
    except InvalidInput as error:
        return str(error)
    return ""


def takes(*names):
    return [tool for tool in TOOLS if set(names) <= set(TOOLS[tool].arguments.model_fields)]


def check(sentence):
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "Input should" not in sentence
    assert "pattern" not in sentence
    assert len(sentence) < 500


@pytest.mark.parametrize("tool", TOOLS)
def test_an_unknown_argument_is_answered_with_those_that_there_are(tool):
    known = ", ".join(TOOLS[tool].arguments.model_fields) or "no arguments"
    sentence = refused(tool, {**required(tool), "patient_name": "Zed"})
    check(sentence)
    assert f"{tool} takes {known}; it does not know patient_name" in sentence
    assert "Zed" not in sentence


@pytest.mark.parametrize("tool", TOOLS)
def test_an_argument_that_is_missing_is_named(tool):
    for name in TOOLS[tool].listed().input_schema.get("required", ()):
        sentence = refused(tool, {other: value for other, value in required(tool).items() if other != name})
        check(sentence)
        assert f"{name} is missing" in sentence


@pytest.mark.parametrize("tool", takes("patient_id") + takes("study_id"))
@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("30001", 'the text "30001"'),
        ("Peter Zed", "text of 9 characters"),
        (1.5, "1.5"),
        (True, "true"),
        ([40001], "a list"),
        ({"id": 1}, "an object"),
    ],
)
def test_an_id_that_is_none_is_said_to_be_no_integer(tool, given, got):
    for name in EITHER & set(TOOLS[tool].arguments.model_fields):
        sentence = refused(tool, {**required(tool), name: given})
        check(sentence)
        assert f"{name} must be an integer: got {got}" in sentence


@pytest.mark.parametrize("tool", takes("patient_id"))
def test_an_id_that_cannot_be_is_told_the_bounds(tool):
    assert "patient_id must be at least 0: got -1" in refused(tool, {**required(tool), "patient_id": -1})
    assert "patient_id must be at most 9223372036854775807" in refused(tool, {**required(tool), "patient_id": 2**63})


def test_a_name_in_the_place_of_an_id_is_told_which_tool_finds_the_id():
    assert refused("get_patient_date_range", {"patient_id": "Peter"}) == (
        "patient_id must be an integer: got text of 5 characters (search_patients finds it)."
    )
    assert refused("get_study_metadata", {"study_id": "BP"}) == (
        "study_id must be an integer: got text of 2 characters (list_studies has them)."
    )


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("11.02.1968", "text of 10 characters"),
        ("-62000000", "text of 9 characters"),
        ("62000000", "text of 8 characters"),
        (19680211, "a number"),
    ],
)
def test_a_birth_date_that_is_none_is_told_what_one_looks_like_and_not_repeated(given, got):
    assert refused("search_patients", {"birthdate": given}) == (
        f"birthdate must be an ISO 8601 date such as 1971-03-09: got {got}."
    )


@pytest.mark.parametrize("tool", takes("data_type"))
def test_a_data_type_that_is_none_is_told_what_one_looks_like(tool):
    sentence = refused(tool, {**required(tool), "data_type": "a<b>"})
    check(sentence)
    assert "data_type is not as it should be (A kind of data: a scope's code such as omh:blood-glucose:4.0" in sentence
    assert "<b>" not in sentence


@pytest.mark.parametrize("tool", takes("start"))
@pytest.mark.parametrize("name", ["start", "end"])
def test_a_time_that_is_none_is_told_what_one_looks_like(tool, name):
    sentence = refused(tool, {**required(tool), name: "1/11/2026"})
    check(sentence)
    assert f"{name} is not as it should be (" in sentence
    assert "ISO 8601" in sentence
    assert f"{name} must be text: got 20261101" in refused(tool, {**required(tool), name: 20261101})


@pytest.mark.parametrize("tool", TOOLS)
def test_one_of_a_few_words_is_told_which_there_are(tool):
    for name, schema in TOOLS[tool].listed().input_schema["properties"].items():
        for words in filter(None, [schema.get("enum")]):
            sentence = refused(tool, {**required(tool), name: "latest\u202e\n"})
            check(sentence)
            assert all(repr(word) in sentence for word in words)
            assert sentence.endswith(f'{name} must be {listed(words)}: got the text "latest\\u202e\\n".')


def listed(words):
    return " or ".join(filter(None, [", ".join(map(repr, words[:-1])), repr(words[-1])]))


def test_several_faults_are_told_at_once():
    sentence = refused("get_patient_observations", {"limit": 501, "order": "latest", "of": 1})
    assert sentence == (
        "get_patient_observations takes patient_id, data_type, start, end, order, limit, cursor, verbosity; "
        "it does not know of; patient_id is missing; order must be 'newest' or 'oldest': got the text \"latest\"; "
        "limit must be at most 500: got 501."
    )


def test_many_unknown_arguments_are_named_in_part_and_in_sight():
    sentence = refused("get_study_count", {f"\u202e\n{'n' * 100}{number}": 1 for number in range(50)})
    check(sentence)
    assert "\u202e" not in sentence


@pytest.fixture(scope="module")
def wrong():
    """What a model gets wrong though each argument by itself is right: name, arguments, part of the sentence."""
    return [
        (
            "start",
            {"start": "2026-11-02", "end": "2026-11-01"},
            "start must be before end: got 2026-11-02 > 2026-11-01.",
        ),
        ("start", {"start": "tomorrow"}, "start must be an ISO 8601 date such as 2026-11-01"),
        ("start", {"start": "3026-01-01"}, 'start must be between the years 1900 and 2200: got "3026-01-01".'),
        ("cursor", {"cursor": "bm8"}, "This cursor is not a next_cursor of this tool: call it without one to begin."),
        ("study_id", {"study_id": 999}, 'No study 999 that you can see. Your studies: {study} "Sugar".'),
        ("patient_id", {"patient_id": 999}, "No patient 999 that you can see."),
    ]


def test_what_no_argument_shows_by_itself_is_told_by_every_tool(transactional_db, as_user, wrong):
    clinic = Clinic()
    right = {**RIGHT, "study_id": clinic.study.pk, "patient_id": clinic.patient().pk}
    person = as_user(clinic.practitioner)
    for name, arguments, part in wrong:
        for tool in takes(name):
            given = {each: right[each] for each in required(tool)}
            if name == "patient_id" and "study_id" not in TOOLS[tool].listed().input_schema.get("required", ()):
                given.pop("study_id", None)
            sentence = person.refusal(tool, **{**given, **arguments})
            assert part.format(study=clinic.study.pk) in sentence, tool


def test_a_window_without_readings_is_told_where_to_look_for_others(transactional_db, as_user):
    clinic = Clinic()
    patient, person = clinic.patient(), as_user(clinic.practitioner)
    record(patient, clinic.glucose, glucose(140, "2026-11-01T12:00:00Z"))
    elsewhere = " There is nothing in this window: get_patient_date_range says from when to when there is."
    for tool in set(takes("start", "patient_id")) - {"get_access_log", "count_patient_observations"}:
        given = {"patient_id": patient.pk}
        if "data_type" in TOOLS[tool].listed().input_schema.get("required", ()):
            given["data_type"] = "blood-glucose"
        for window, is_empty in (({"end": "2026-10-31"}, True), ({"end": "2026-11-01"}, False)):
            said = person.call(tool, **given, **window).content[0].text
            assert said.endswith(elsewhere) == is_empty, tool


def test_an_unknown_kind_is_told_those_that_there_are(transactional_db, as_user):
    clinic = Clinic()
    patient, person = clinic.patient(), as_user(clinic.practitioner)
    for tool in takes("data_type"):
        given = {**required(tool), "data_type": "blood-sugar"}
        about = {"study_id": clinic.study.pk} if "study_id" in given else {"patient_id": patient.pk}
        sentence = person.refusal(tool, **{**given, **about})
        assert sentence.startswith("No data type blood-sugar that you can see. Data types of ")
        assert sentence.endswith(": omh:blood-glucose:4.0, omh:blood-pressure:4.0.")
