from collections.abc import Iterator

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from tests import personas


@pytest.fixture(scope="module")
def demo_world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Seeded once for all tests of a module, each of which undoes what it does: seeding takes longer than they do."""
    with django_db_blocker.unblock(), transaction.atomic():
        personas.seed_demo_world()
        yield
        transaction.set_rollback(True)
