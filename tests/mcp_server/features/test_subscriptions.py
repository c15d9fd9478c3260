"""Subscriptions: who is told that something is new, and who is not, in both kinds of revisions."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import mcp_types as types
import pytest
from mcp import MCPError
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp_types.version import LATEST_MODERN_VERSION
from oauth2_provider.models import AccessToken

from core.models import AuditEvent, StudyPatientScopeConsent
from mcp_server.backends import watches
from mcp_server.backends.direct import Direct
from tests.factories import MembershipFactory, PatientFactory, StudyFactory
from tests.mcp_server.features.conftest import Host
from tests.mcp_server.features.inbox import SOON, Inbox, written
from tests.mcp_server.tools.world import glucose, pressure, record


@pytest.fixture
def host(as_user):
    def host(user, mode=LATEST_MODERN_VERSION):
        person = as_user(user)
        person.backend = Direct(person.backend._database, person._caller, watch_interval=0.02)
        return Host(person, mode)

    return host


@pytest.fixture
def patient(clinic):
    return clinic.patient()


def with_every_study(host):
    """With a token that names no studies, such as one of somebody who has too many to name."""
    person = host.person
    person.principal = replace(person.principal, limits=replace(person.principal.limits, truncated=True))
    return host


def readings(patient, kind="omh:blood-glucose:4.0"):
    return f"jhe://patients/{patient.pk}/observations/{kind}"


async def sent(patient, code, *data_points):
    await written(record, patient, code, *data_points)


async def first_of(subscription):
    async with asyncio.timeout(SOON):
        return await anext(aiter(subscription))


@asynccontextmanager
async def listening(host, *uris, **lists):
    async with host.connected() as client, client.listen(resource_subscriptions=uris, **lists) as subscription:
        yield subscription


def test_a_practitioner_is_told_of_a_new_reading(host, clinic, patient, audit):
    mary = host(clinic.practitioner)

    async def told():
        async with listening(mary, readings(patient)) as subscription:
            assert subscription.honored.resource_subscriptions == [readings(patient)]
            await sent(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
            return await first_of(subscription)

    assert mary.person.run(told()) == ResourceUpdated(readings(patient))
    began, update = AuditEvent.objects.filter(door="mcp").order_by("id")
    for row in (began, update):
        assert (row.action, row.outcome, row.patient_ids) == ("watch", "success", [patient.pk])
        assert row.detail == {"uris": [readings(patient)]}


def test_only_what_the_person_sees_and_what_changes_is_honored(host, clinic, patient):
    foreign, study = PatientFactory(), StudyFactory()
    silent = clinic.patient(consents=False)
    mine = ["jhe://studies", f"jhe://studies/{clinic.study.pk}", f"jhe://patients/{patient.pk}", readings(patient)]
    others = [
        f"jhe://studies/{study.pk}",
        "jhe://studies/39999",
        f"jhe://patients/{foreign.pk}",
        "jhe://patients/49999",
        readings(foreign),
        readings(silent),
        readings(patient, "no-such-kind"),
        f"{readings(patient)}?start=2026-11-01",
        "omh://schema/blood-glucose",
        "jhe://patients/x",
        "jhe://patients/9999999999999999999",
        "jhe://studies/9999999999999999999",
        readings(patient, "%00"),
        readings(patient, "blood%00glucose"),
        readings(patient, "x" * 101),
        "file:///etc/passwd",
        "\x00",
    ]
    mary = host(clinic.practitioner)

    async def honored():
        async with listening(mary, *others, *mine, tools_list_changed=True, prompts_list_changed=True) as subscription:
            return subscription.honored

    assert mary.person.run(honored()) == types.SubscriptionFilter(tools_list_changed=True, resource_subscriptions=mine)


def test_who_withdraws_consent_is_not_told_of(host, clinic, patient):
    """The reading of another kind that comes after it is the proof that there was time."""
    mary, gone, kept = host(clinic.practitioner), readings(patient), readings(patient, "blood-pressure")

    async def told():
        async with listening(mary, gone, kept) as subscription:
            consent = StudyPatientScopeConsent.objects.filter(patient=patient, code=clinic.glucose)
            await written(consent.update, consented=False)
            await sent(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
            await sent(patient, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z"))
            return await first_of(subscription)

    assert mary.person.run(told()) == ResourceUpdated(kept)
    assert [row.detail["uris"] for row in AuditEvent.objects.filter(door="mcp").order_by("id")] == [
        [gone, kept],
        [kept],
    ]


def test_a_changed_study_and_a_changed_patient_are_told_of(host, clinic, patient):
    mary, study = with_every_study(host(clinic.practitioner)), f"jhe://studies/{clinic.study.pk}"

    async def told(uri, change):
        async with listening(mary, uri) as subscription:
            await written(change)
            return await first_of(subscription)

    def renamed():
        clinic.study.description = "New"
        clinic.study.save()

    def moved():
        patient.name_family = "New"
        patient.save()

    for uri, change in (
        (study, renamed),
        (study, clinic.patient),
        (f"jhe://patients/{patient.pk}", moved),
        ("jhe://studies", lambda: StudyFactory(organization=clinic.organization)),
    ):
        assert mary.person.run(told(uri, change)) == ResourceUpdated(uri), uri


def test_a_new_membership_changes_the_list(host, clinic):
    mary = with_every_study(host(clinic.practitioner))
    elsewhere = StudyFactory()

    async def told():
        async with listening(mary, resources_list_changed=True) as subscription:
            await written(
                MembershipFactory,
                practitioner=clinic.practitioner.practitioner,
                organization=elsewhere.organization,
            )
            return await first_of(subscription)

    assert mary.person.run(told()) == ResourcesListChanged()


def test_a_token_that_names_its_studies_is_told_of_no_other(host, clinic, patient):
    mary = host(clinic.practitioner)

    async def told():
        async with listening(mary, readings(patient), resources_list_changed=True) as subscription:
            await written(StudyFactory, organization=clinic.organization)
            await sent(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
            return await first_of(subscription)

    assert mary.person.run(told()) == ResourceUpdated(readings(patient))


def test_a_token_that_is_revoked_ends_its_stream(host, clinic, patient):
    mary = host(clinic.practitioner)

    async def events():
        async with listening(mary, readings(patient)) as subscription:
            await written(AccessToken.objects.all().delete)
            await sent(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
            async with asyncio.timeout(SOON):
                return [event async for event in subscription]

    assert mary.person.run(events()) == []


def test_too_many_are_refused(host, clinic, patient, monkeypatch):
    mary = host(clinic.practitioner)
    monkeypatch.setattr(watches, "MOST_OF_ONE", 2)

    async def refused(*uris, beside=0):
        async with mary.connected() as client, AsyncExitStack() as open_streams:
            for _ in range(beside):
                await open_streams.enter_async_context(client.listen(resource_subscriptions=[readings(patient)]))
            try:
                async with client.listen(resource_subscriptions=uris):
                    return "It was opened."
            except MCPError as error:
                return error.error.message

    many = [f"jhe://patients/{number}" for number in range(101)]
    assert mary.person.run(refused(*many)) == "At most 100 resources can be watched at a time."
    sentence = mary.person.run(refused(readings(patient), beside=2))
    assert sentence == "You have 2 subscription streams open: close one first."
    assert mary.person.run(refused(readings(patient), beside=1)) == "It was opened."


@pytest.mark.filterwarnings("ignore:.*:mcp.MCPDeprecationWarning")
def test_an_older_host_subscribes_and_unsubscribes(host, clinic, patient):
    mary, sugar, bp = host(clinic.practitioner, "legacy"), readings(patient), readings(patient, "blood-pressure")

    async def told():
        inbox = Inbox()
        async with mary.connected(message_handler=inbox) as client:
            assert client.server_capabilities.resources.subscribe
            await client.subscribe_resource(sugar)
            await client.subscribe_resource(bp)
            await sent(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
            first = await inbox.next()
            await client.unsubscribe_resource(sugar)
            await sent(patient, clinic.glucose, glucose(110, "2026-11-01T12:05:00Z"))
            await sent(patient, clinic.pressure, pressure(120, 80, "2026-11-01T12:00:00Z"))
            return first, await inbox.next(), inbox.uris.qsize()

    assert mary.person.run(told()) == (sugar, bp, 0)


@pytest.mark.filterwarnings("ignore:.*:mcp.MCPDeprecationWarning")
def test_an_older_host_cannot_subscribe_to_what_the_person_cannot_see(host, clinic):
    mary, foreign = host(clinic.practitioner, "legacy"), PatientFactory()
    answers = {
        mary.refused(lambda client: client.subscribe_resource(uri))  # noqa: B023 - called at once
        for uri in (
            readings(foreign),
            "jhe://patients/49999",
            "jhe://patients/x",
            "jhe://patients/9999999999999999999",
            "jhe://patients/1/observations/%00",
            "omh://schema/blood-glucose",
        )
    }
    assert answers == {(-32002, "There is no such resource that you can see and that changes.")}
