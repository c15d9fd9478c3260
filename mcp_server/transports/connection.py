"""A client's connection: uvicorn's, with bounds that uvicorn does not have."""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of a request that may come without its head being over, and without its trailers being over."""


class Connection(HttpToolsProtocol):
    """Who sends a request slowly, never ends its head or its trailers, or does not take up what is sent, is cut off.

    uvicorn waits for all of them for ever. A call may take as long as it needs, and a stream is open as long as it is
    taken up.
    """

    def __init__(self, *args: Any, seconds: float, **kwargs: Any) -> None:
        """`seconds` for a request to arrive, and for what was sent to be taken up."""
        super().__init__(*args, **kwargs)
        self._seconds = seconds
        self._arriving: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._in_head = True
        self._received = 0
        """Bytes since the last that was not of a head or of trailers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _send_at_once(transport)
        self._arriving = self._in_time()

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._arriving)
        _cancel(self._stuck)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._received > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The head of a request, and its trailers, have at most {MAX_HEAD} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        _cancel(self._arriving)
        self._arriving = self._in_time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # RFC 9110 §6.5.1: a trailer is no header, and nothing here asks for one
            super().on_header(name, value.strip(b" \t"))  # §5.5: what stands around a value is not part of it

    def on_headers_complete(self) -> None:
        self._in_head, self._received = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._received = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._received = 0
        _cancel(self._arriving)
        super().on_message_complete()

    def pause_writing(self) -> None:
        self._stuck = self._in_time()
        super().pause_writing()

    def resume_writing(self) -> None:
        _cancel(self._stuck)
        super().resume_writing()

    def _in_time(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self._seconds, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _send_at_once(transport: asyncio.Transport) -> None:
    """The end of an answer does not wait for the client to have acknowledged its head (Nagle), which takes 40 ms.

    asyncio sees to that itself, but not on the listening socket that several workers are given.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
