"""Pages, counts and the gate for uploads say what the rules say, for everybody in random worlds, and again after rights
were taken away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions.upload_gate import Sending, ask
from core.models.code import OPEN_MHEALTH
from core.models.observation_pages import Order, Which, count, page
from tests.agreement.oracle import CODES, Oracle, World, oracle_of
from tests.agreement.worlds import KINDS, RANDOM_WORLDS, READINGS, Rows, build, take_a_right_away, worlds

pytestmark = pytest.mark.django_db(transaction=True)


def check_everybody(world: World, rows: Rows) -> None:
    for number in range(world.users):
        oracle, principal = oracle_of(world, number), rows.principal(number)
        everything = _pairs(rows, oracle.grants())
        for order in Order:
            assert _seen(page(principal, Which(), order=order, limit=1_000)) == sorted(everything * READINGS)
        assert count(principal, Which()) == len(everything) * READINGS
        for position, study in enumerate(rows.studies):
            through = _pairs(rows, oracle.study_grants(position))
            which = Which(studies=[study.pk])
            assert _seen(page(principal, which, limit=1_000)) == sorted(through * READINGS)
            assert count(principal, which) == len(through) * READINGS
        check_gate(world, rows, number)


def check_gate(world: World, rows: Rows, number: int) -> None:
    """Whoever passes the gate: the patient with any consent to the kind, or who manages patients in such a study."""
    oracle = oracle_of(world, number)
    asked = [Sending(patient.pk, OPEN_MHEALTH, kind, None) for patient in rows.patients for kind in KINDS]
    answers = ask(rows.principal(number), asked)
    for p, patient in enumerate(rows.patients):
        for c in CODES:
            consented = {s for (s, q, d), yes in world.consents.items() if (q, d) == (p, c) and yes} & oracle.left()
            may = bool(consented) if p in oracle.own else False
            may |= any(_manages(world, number, world.studies[s]) for s in consented)
            may &= c in oracle.codes() and p in oracle.in_question()
            verdict = answers[Sending(patient.pk, OPEN_MHEALTH, KINDS[c], None)]
            assert (verdict == rows.codes[c].pk) is may


def _manages(world: World, user: int, organization: int) -> bool:
    oracle = Oracle(world, user)
    return oracle.superuser or (oracle.active and world.roles.get((user, organization)) in ("member", "manager"))


def _pairs(rows: Rows, positions: set[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(rows.patients[p].pk, rows.codes[c].pk) for p, c in positions]


def _seen(found: list) -> list[tuple[int, int]]:
    return sorted((row.patient_id, row.code_id) for row in found)


@RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_each_person_pages_counts_and_sends_what_the_rules_say(world, data):
    rows = build(world)
    check_everybody(world, rows)
    take_a_right_away(world, rows, data)
    check_everybody(world, rows)
