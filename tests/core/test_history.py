"""What a resource was: a version for each change on every path, one per transaction, kept for ever."""

import pytest

from core.models import Patient, ResourceHistory
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_saved_change_is_a_new_version():
    patient = PatientFactory(name_family="Before")
    assert patient.version_id == 1
    began = patient.last_updated
    patient.name_family = "After"
    patient.save()
    assert patient.version_id == 2
    assert patient.last_updated > began
    former = ResourceHistory.objects.get()
    assert former.version_id == 1
    assert former.ended_at == patient.last_updated
    assert former.last_updated == began
    was = former.as_instance()
    assert isinstance(was, Patient)
    assert (was.name_family, was.birth_date, was.last_updated) == ("Before", patient.birth_date, began)
