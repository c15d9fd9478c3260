"""How PostgreSQL would answer the questions that read observations, whatever the arguments are."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from core.models import Observation
from mcp_server.queries import unframed
from tests.factories import CodeFactory, ObservationFactory, PatientFactory

FIRST = datetime(2026, 9, 1, tzinfo=UTC)
QUESTIONS = (
    "get_study_metadata",
    "list_study_patients",
    "get_patient_date_range",
    "count_observations",
    "get_patient_observations",
    "summarize_patient_observations",
    "get_observation_series",
    "get_glucose_metrics",
    "find_data_gaps",
)


def plan_of(name: str, *, for_narrowed: bool = False) -> str:
    """With scans of everything made unattractive, so that a small table shows what a large one would get."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN (GENERIC_PLAN, COSTS OFF) " + unframed(name, for_narrowed=for_narrowed).sql)
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.fixture
def readings(db):
    """On a table that has statistics: of two indexes that begin alike, the one that knows times is then cheaper."""
    patient, code = PatientFactory(), CodeFactory()
    Observation.objects.bulk_create(
        ObservationFactory.build(patient=patient, code=code, effective_start=FIRST + timedelta(minutes=n))
        for n in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE core_observation")


@pytest.mark.parametrize("for_narrowed", [False, True], ids=["of a person", "of a narrowed caller"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_observations_are_read_along_their_index_by_patient_and_kind(readings, name, for_narrowed):
    lines = plan_of(name, for_narrowed=for_narrowed).splitlines()
    reads = [number for number, line in enumerate(lines) if " on core_observation " in line]
    assert reads
    for number in reads:
        assert re.search(r"using obs_(time|changed|period) on core_observation", lines[number])
        assert "patient_id = " in lines[number + 1]
        assert "code_id = " in lines[number + 1]


def test_a_page_of_observations_begins_where_its_cursor_points(readings):
    lines = plan_of("get_patient_observations").splitlines()
    for direction in ("Index Scan using obs_time", "Index Scan Backward using obs_time"):
        [condition] = [lines[n + 1] for n, line in enumerate(lines) if direction in line and "ROW(" in lines[n + 1]]
        assert "Index Cond:" in condition


@pytest.mark.parametrize("name", ["count_observations", "get_patient_observations"])
def test_what_is_sure_to_be_in_a_window_is_counted_from_the_index_alone(readings, name):
    assert "Index Only Scan" in plan_of(name)


def test_a_window_in_time_narrows_what_is_read(readings):
    for name in (
        "count_observations",
        "get_patient_observations",
        "summarize_patient_observations",
        "get_observation_series",
        "get_glucose_metrics",
    ):
        lines = plan_of(name).splitlines()
        conditions = [lines[n + 1] for n, line in enumerate(lines) if "using obs_time on core_observation" in line]
        assert conditions
        assert all("effective_start >= COALESCE(" in condition for condition in conditions)
        assert all("effective_start < COALESCE(" in condition for condition in conditions)
        assert "obs_changed" not in "".join(lines)


@pytest.mark.django_db
def test_an_mcp_token_is_found_along_indexes_however_many_there_are():
    plan = plan_of("mcp_token")
    for table in ("core_mcptoken", "oauth2_provider_accesstoken", "oauth2_provider_idtoken", "core_narrowing"):
        assert f"Seq Scan on {table} " not in plan, plan
