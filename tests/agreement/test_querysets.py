"""Django's querysets say what the rules say, for everybody in random worlds, and again after rights were taken away."""

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from core.models import Observation, Organization, Patient, Study
from tests.agreement.oracle import World, oracle_of
from tests.agreement.worlds import RANDOM_WORLDS, READINGS, Rows, build, take_a_right_away, worlds

pytestmark = pytest.mark.django_db(transaction=True)


def seen(queryset, rows):
    """Positions in `rows` of what a queryset gives; a row given twice is a fault."""
    found = list(queryset.values_list("pk", flat=True))
    assert len(found) == len(set(found)), "a row is seen twice"
    return {position for position, row in enumerate(rows) if row.pk in found}


def check_everybody(world: World, rows: Rows) -> None:
    for number in range(world.users):
        oracle, principal = oracle_of(world, number), rows.principal(number)
        assert seen(Organization.objects.visible_to(principal), rows.organizations) == oracle.organizations()
        assert seen(Study.objects.visible_to(principal), rows.studies) == oracle.studies()
        assert seen(Patient.objects.visible_to(principal), rows.patients) == oracle.patients()
        observations = list(Observation.objects.visible_to(principal).values_list("patient_id", "code_id"))
        grants = {(rows.patients[p].pk, rows.codes[c].pk) for p, c in oracle.grants()}
        assert sorted(observations) == sorted(list(grants) * READINGS)
        assert granted_by_view(principal.caller_id) == grants


def granted_by_view(user_id: int) -> set[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT patient_id, code_id FROM access_observation WHERE user_id = %s", [user_id])
        return set(cursor.fetchall())


@RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_each_person_sees_through_querysets_and_views_what_the_rules_say(world, data):
    rows = build(world)
    check_everybody(world, rows)
    take_a_right_away(world, rows, data)
    check_everybody(world, rows)
