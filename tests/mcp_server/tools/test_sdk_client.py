"""The tools as the SDK's own client sees them, which checks each answer against the tool's output schema."""

from mcp import Client

from mcp_server.app import build_server
from mcp_server.tools import TOOLS
from tests.mcp_server.tools.world import glucose, pressure, record


def test_it_lists_and_calls_every_tool(as_user, clinic):
    patient = clinic.patient()
    record(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
    record(patient, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z"))
    study, one = {"study_id": clinic.study.pk}, {"patient_id": patient.pk}
    calls = {
        "get_study_count": {},
        "list_studies": {"query": "sugar"},
        "get_study_metadata": study,
        "list_study_patients": study,
        "search_patients": {"name": patient.name_family},
        "get_patient_demographics": study,
        "get_patient_observations": {**one, "verbosity": "full"},
        "get_patient_date_range": one,
        "count_patient_observations": {**one, "by_day": True},
        "count_study_observations": {**study, "by_patient": True, "by_day": True},
        "summarize_patient_observations": one,
        "get_observation_series": {**one, "data_type": "blood-pressure"},
        "find_data_gaps": {**study, "data_type": "blood-pressure", "longer_than": "P2D"},
        "get_glucose_metrics": one,
        "summarize_study_cohort": {**study, "data_type": "blood-pressure", "group_by": "gender"},
        "get_access_log": one,
        "get_my_access": {},
        "get_omh_schema": {"name": "blood-pressure"},
        "get_server_capabilities": {},
    }
    person = as_user(clinic.practitioner)

    async def call_all():
        async with Client(build_server(person.backend)) as client:
            listed = await client.list_tools()
            return [tool.name for tool in listed.tools], [await client.call_tool(*call) for call in calls.items()]

    listed, results = person.run(call_all())
    assert set(listed) == set(calls) == set(TOOLS)
    for name, result in zip(calls, results, strict=True):
        assert not result.is_error, name
        assert result.structured_content


def test_arguments_are_described_to_a_model():
    for tool in TOOLS.values():
        schema = tool.listed().input_schema
        assert tool.description.endswith(".")
        for name, argument in schema["properties"].items():
            assert "title" not in argument
            assert name.endswith("_id") or "description" in str(argument), (tool.name, name)
