import pytest
from oauth2_provider.models import Application

from core.models import User
from tests import personas
from tests.factories import MembershipFactory, StudyFactory


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
