"""The demo world: what wire-formats says it holds, made once however often it is asked for."""

import pytest

from core.models import ConsentHistory
from tests import personas

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo_world() -> None:
    personas.seed_demo_world()


def test_peter_has_not_answered_the_second_study(demo_world: None) -> None:
    peter = personas.patient_of("ll_patient_peter")
    assert set(peter.studies.values_list("name", flat=True)) == {personas.BP_AND_HR, personas.BP}
    assert not peter.consents.filter(study=personas.study_of(personas.BP)).exists()


def test_every_answer_of_the_demo_has_its_history(demo_world: None) -> None:
    assert set(ConsentHistory.objects.values_list("before", "after", "method")) == {(None, True, "seed")}
    assert ConsentHistory.objects.count() == 9
