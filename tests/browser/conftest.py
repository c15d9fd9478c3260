from collections.abc import Iterator

import pytest

from tests.browser.landing import Landing, listening


@pytest.fixture
def landing() -> Iterator[Landing]:
    with listening() as landing:
        yield landing
