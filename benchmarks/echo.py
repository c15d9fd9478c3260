"""What is compared against: the SDK's own bare echo tool, and an answer without any work, which shows what the load can
do. `python -m benchmarks.echo sdk|stateful|nothing PORT`, or `stdio`
"""

import logging
import sys

import uvicorn
from mcp.server import MCPServer
from starlette.types import ASGIApp, Receive, Scope, Send


def server() -> MCPServer:
    """A tool that needs no thread; no line per call."""
    echoing = MCPServer("echo", log_level="WARNING")

    @echoing.tool()
    async def echo(text: str) -> str:
        """Say it back."""
        return text

    return echoing


def sdk() -> ASGIApp:
    """The SDK as it is fastest: no login, JSON answers, no sessions."""
    return server().streamable_http_app(json_response=True, stateless_http=True)


def stateful() -> ASGIApp:
    """The same with a session for each client."""
    return server().streamable_http_app(json_response=True)


def nothing() -> ASGIApp:
    """A body as long as the echo's, without a look at the request."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"233")]})
        await send({"type": "http.response.body", "body": b"." * 233})

    return app


def main(which: str, port: str = "0") -> None:
    logging.basicConfig(level=logging.WARNING)
    if which == "stdio":
        server().run("stdio")
        return
    # The options of mcp_server.transports.serving.serve.
    uvicorn.run(
        {"sdk": sdk, "stateful": stateful, "nothing": nothing}[which](),
        host="127.0.0.1",
        port=int(port),
        http="httptools",
        lifespan="off" if which == "nothing" else "on",
        access_log=False,
        log_config=None,
        server_header=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
