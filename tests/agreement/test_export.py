"""A bulk export holds what the rules say, for everybody in random worlds: also when rights end while it is written, and
when they end between the writing and the download."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.actions.clients import register_stdio_client
from core.fhir.bulk import tasks
from tests.agreement.oracle import oracle_of
from tests.agreement.readings import Readings
from tests.agreement.worlds import RANDOM_WORLDS, build, take_a_right_away, worlds
from tests.bulk import fetched, kick_off, work

pytestmark = pytest.mark.django_db(transaction=True)

FEW_RANDOM_WORLDS = hypothesis_settings(RANDOM_WORLDS, max_examples=12)


@FEW_RANDOM_WORLDS
@given(world=worlds(), data=st.data(), ends=st.sampled_from(["never", "while it is written", "before the download"]))
def test_an_export_holds_what_may_be_seen_when_it_is_fetched(settings, monkeypatch, world, data, ends):
    settings.RATE_LIMIT = "10000/s"
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 0)  # a file at a time, so that there is a meanwhile
    rows = build(world)
    register_stdio_client()
    clients = {n: rows.client(n) for n in range(world.users) if oracle_of(world, n).active}
    jobs = {n: kick_off(client, "Patient/$export") for n, client in clients.items()}
    if ends == "while it is written":
        work(tasks=len(jobs) + 1)
        take_a_right_away(world, rows, data)
    work()
    if ends == "before the download":
        take_a_right_away(world, rows, data)
    for number, job in jobs.items():
        client, oracle = clients[number], oracle_of(world, number)
        found = fetched(client, client.get(job))
        patients = {rows.patients[p].pk for p in oracle.patients()}
        assert sorted(int(resource["id"]) for resource in found.get("Patient", [])) == sorted(patients)
        granted = [pk for pk, p, c in Readings.of(rows).all if (p, c) in oracle.grants() and p in oracle.patients()]
        assert sorted(int(resource["id"]) for resource in found.get("Observation", [])) == sorted(granted)
