"""Observations for an export come as text from a COPY, and are the same rows as everywhere else."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models import Observation
from core.models.observation_export import read_after, still_readable
from core.models.observation_pages import Which, page
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    MembershipFactory,
    ObservationFactory,
    ObservationIdentifierFactory,
    PatientIdentifierFactory,
)
from tests.personas import principal_of

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.fixture
def viewer(db):
    """Who reads one consented kind of one patient; with the consent."""
    consent = ConsentFactory(code=CodeFactory())
    membership = MembershipFactory(organization=consent.study.organization)
    return principal_of(membership.practitioner.user), consent


def read(principal, *, after=0, limit=100, enough=False):
    rows = []

    def take(some):
        rows.extend(some)
        return enough

    read_after(principal, take, after=after, upto=2**62, limit=limit)
    return rows


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT, value=st.floats(allow_nan=False) | st.none(), offset=st.integers(-840, 840) | st.none())
def test_whatever_a_row_holds_it_is_read_as_a_page_of_a_search_reads_it(viewer, text, value, offset):
    principal, consent = viewer
    Observation.objects.all().delete()
    observation = ObservationFactory(
        patient=consent.patient,
        code=consent.code,
        omh_data={"header": {text: "\\N"}, "body": {"t": f"\t\n\\{text}"}},
        value_quantity=value,
        value_unit=text,
        utc_offset_minutes=offset,
        fhir_extra={"note": text},
    )
    ObservationIdentifierFactory(observation=observation, value=f"\\{text}\\")
    assert read(principal) == page(principal, Which(), limit=10)


def test_null_is_null_and_a_text_that_looks_like_it_is_a_text(viewer):
    principal, consent = viewer
    ObservationFactory(patient=consent.patient, code=consent.code, value_unit="\\N")
    [row] = read(principal)
    assert (row.value_unit, row.identifiers, row.effective_end, row.data_source_id) == ("\\N", None, None, None)
    PatientIdentifierFactory(patient=consent.patient)
    assert read(principal) == page(principal, Which(), limit=10)


def test_they_come_by_id_so_many_at_a_time_and_no_more_than_is_enough(viewer, monkeypatch):
    principal, consent = viewer
    made = ObservationFactory.create_batch(5, patient=consent.patient, code=consent.code)
    keys = [observation.pk for observation in made]
    assert [row.id for row in read(principal)] == keys
    assert [row.id for row in read(principal, after=keys[1], limit=2)] == keys[2:4]
    monkeypatch.setattr("core.models.observation_export.FETCH", 2)
    assert [row.id for row in read(principal)] == keys
    assert [row.id for row in read(principal, enough=True)] == keys[:2]


def test_what_is_not_consented_to_is_neither_read_nor_still_readable(viewer):
    principal, consent = viewer
    shared = ObservationFactory(patient=consent.patient, code=consent.code)
    kept = ObservationFactory(patient=consent.patient)
    assert still_readable(principal, [shared.pk, kept.pk]) == {shared.pk: consent.patient_id}
    consent.consented = False
    consent.save()
    assert read(principal) == []
    assert still_readable(principal, [shared.pk, kept.pk]) == {}
