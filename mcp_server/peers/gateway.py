"""The way to one peer: its token goes to its address and to no other, and no answer is longer than it may be."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
from pydantic_core import to_json

from core.policy.errors import DomainError, InvalidInput, PermissionDenied, Unavailable
from core.policy.peers import check_endpoint, reachable
from mcp_server.peers.peer import Peer
from mcp_server.peers.turns import Away

MAX_BYTES = 1024 * 1024
_NOT_READY = (httpx2.codes.BAD_GATEWAY, httpx2.codes.SERVICE_UNAVAILABLE, httpx2.codes.GATEWAY_TIMEOUT)

Token = Callable[[str], Awaitable[str]]
"""A person's token for the peer. The argument is the SHA-256 (hexadecimal) of one that the peer refused, or nothing."""


class Pinned(httpx2.AsyncHTTPTransport):
    """Looks a name up for each connection and connects to what was found and checked; certificates are the name's."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host, loop = request.url.host, asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, request.url.port, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError("no such host") from error
        failed: httpx2.TransportError = httpx2.ConnectError("no address that may be reached")
        for address in reachable(host, [str(info[4][0]) for info in found]):
            request.extensions["sni_hostname"] = host
            request.url = request.url.copy_with(host=address)  # the header Host was set from the name
            try:
                return await super().handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failed = error
        raise failed


class Gateway(httpx2.AsyncBaseTransport):
    """For one conversation of one person. What went wrong is in `fault`: an exception would end the SDK's client."""

    def __init__(self, peer: Peer, transport: httpx2.AsyncBaseTransport, token: Token) -> None:
        self._peer, self._transport, self._token = peer, transport, token
        self._url = httpx2.URL(peer.url)
        self._sent: set[bytes] = set()
        self.fault: DomainError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._with_token(request)
        except DomainError as error:
            self.fault = self.fault or error
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            self.fault = self.fault or Away(f"{self._peer.name} cannot be reached.")
        except httpx2.TransportError:
            self.fault = self.fault or Unavailable(f"{self._peer.name} did not answer this.")
        return httpx2.Response(503, request=request)

    def is_token_in(self, said: Any) -> bool:
        """Whether the peer says a token that it was sent, as it is: one that it spells otherwise cannot be known."""
        text = to_json(said)
        return any(token in text for token in self._sent)

    async def aclose(self) -> None:
        """The connections are shared, and stay."""

    async def _with_token(self, request: httpx2.Request) -> httpx2.Response:
        if request.url != self._url:
            raise InvalidInput(f"{self._peer.name} leads to another address, and its token goes to its own only.")
        check_endpoint(self._peer.url)
        token = await self._token("")
        response = await self._send(request, token)
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            await response.aclose()
            response = await self._send(request, await self._token(hashlib.sha256(token.encode()).hexdigest()))
        await self._check(response)
        response.stream = _Bounded(response.stream, self)
        return response

    async def _send(self, request: httpx2.Request, token: str) -> httpx2.Response:
        again = httpx2.Request(
            request.method, self._url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        self._sent.add(to_json(token)[1:-1])
        again.headers["Authorization"] = f"Bearer {token}"
        return await self._transport.handle_async_request(again)

    async def _check(self, response: httpx2.Response) -> None:
        status, name = response.status_code, self._peer.name
        error: DomainError | None = None
        if response.is_redirect:
            error = InvalidInput(f"{name} says that it has moved: its administrators have to say where to.")
        elif status in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            error = PermissionDenied(f"{name} does not let you in with the token that it gave you itself.")
        elif status == httpx2.codes.TOO_MANY_REQUESTS:
            error = PermissionDenied(f"{name} has been asked too much: try again in a minute.")
        elif response.is_server_error:
            error = (Away if status in _NOT_READY else Unavailable)(f"{name} is not ready (HTTP {status}).")
        if error is not None:
            await response.aclose()
            raise error


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: object, gateway: Gateway) -> None:
        self._stream, self._gateway = stream, gateway

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_BYTES
        async for part in self._stream:  # type: ignore[attr-defined]
            left -= len(part)
            if left < 0:
                self._gateway.fault = InvalidInput("Its answer was too long to pass on: ask for less.")
                raise httpx2.ReadError("too long")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]
