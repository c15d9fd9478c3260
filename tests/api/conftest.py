from collections.abc import Iterator

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from tests.personas import seed_demo_world


@pytest.fixture(scope="module")
def demo_world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The demo world, made once for the tests of a module; what each of them does to it is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        seed_demo_world()
        yield
        transaction.set_rollback(True)
