from collections.abc import Iterator

import pytest
from django.core.cache import caches
from oauth2_provider.models import Application

from core.models import Organization, Peer, User
from tests import personas
from tests.factories import MembershipFactory, OrganizationFactory, StudyFactory
from tests.mcp_server.peers.conftest import opened
from tests.mcp_server.peers.other_server import OtherServer, other_server


@pytest.fixture
def demo_world(db: None) -> None:
    personas.seed_demo_world()


@pytest.fixture
def mary(demo_world: None) -> User:
    return personas.user_of("manager_mary")


@pytest.fixture
def somebody(db: None) -> User:
    """A practitioner of one organization with one study."""
    membership = MembershipFactory()
    StudyFactory(organization=membership.organization)
    return membership.practitioner.user


@pytest.fixture
def web_app(db: None) -> Application:
    """A confidential client on the web, as an admin registers one."""
    return Application.objects.create(
        name="Cohort Notebook",
        client_id="cohort-notebook",
        client_secret="a secret of the notebook",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="https://notebook.example.org/callback",
    )


@pytest.fixture(scope="module")
def _north() -> Iterator[OtherServer]:
    with other_server() as other:
        yield other


@pytest.fixture
def north(_north: OtherServer) -> OtherServer:
    """Another exchange."""
    _north.reset()
    caches["process"].clear()
    return _north


@pytest.fixture
def lab(db: None) -> Organization:
    organization: Organization = OrganizationFactory()
    return organization


@pytest.fixture
def ann(lab: Organization) -> User:
    """A practitioner of the lab."""
    user: User = MembershipFactory(organization=lab).practitioner.user
    return user


@pytest.fixture
def peer(north: OtherServer, lab: Organization) -> Peer:
    """What the lab may ask north with, where each person logs in themselves."""
    return opened(north, "north", lab, method=Peer.Method.LOGIN)
