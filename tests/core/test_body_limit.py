"""The web service reads no more of a request than it can use."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from core.web.body_limit import MAX_BYTES
from jhe.asgi import application

CHUNK = b"x" * 65_536


class Upload:
    """A body of this many bytes, that counts how many of them were asked for."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.left:
            chunk = CHUNK[: self.left]
            self.left -= len(chunk)
            self.read += len(chunk)
            yield chunk


async def post(upload: Upload, **headers: str) -> httpx2.Response:
    """To an address that takes no POST, which is said once the body was read."""
    transport = httpx2.ASGITransport(application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.post("/healthz", content=aiter(upload), headers=headers)


@pytest.mark.parametrize("size", [0, 1, MAX_BYTES])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_within_the_bound_reaches_its_page(size: int, declared: bool) -> None:
    upload = Upload(size)
    response = await post(upload, **({"Content-Length": str(size)} if declared else {}))
    assert (response.status_code, upload.read) == (404, size)


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 600_000_000, 2**63])
async def test_a_body_that_is_declared_larger_is_refused_unread(size: int) -> None:
    upload = Upload(size)
    response = await post(upload, **{"Content-Length": str(size)})
    assert (response.status_code, upload.read) == (413, 0)
    assert response.headers["Connection"] == "close"
    assert "at most 10,485,760 bytes" in response.text


async def test_a_body_without_a_declared_size_is_refused_where_it_passes_the_bound() -> None:
    upload = Upload(600_000_000)
    response = await post(upload)
    assert response.status_code == 413
    assert upload.read <= MAX_BYTES + len(CHUNK)
