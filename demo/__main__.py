"""`make demo`: starts PostgreSQL and both services, asks a first question as manager_mary and serves until Ctrl-C."""

import logging
import signal
import sys

from demo.services import (
    DemoError,
    Exchange,
    migrate,
    refuse_taken_ports,
    running,
    wait_for_one_to_die,
    wait_until_healthy,
)
from jhe import embedded, env


def main() -> None:
    logging.disable()  # what goes wrong is said in one sentence; the services keep logs of their own
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit())
    try:
        demonstrate(Exchange(env.DATA_DIR, env.WEB_PORT, env.MCP_PORT))
    except KeyboardInterrupt:
        print("\nStopped.")
    except (DemoError, embedded.EmbeddedDatabaseError) as error:
        sys.exit(f"\n{error}")


def demonstrate(exchange: Exchange) -> None:
    """Serve until a signal or a fault ends it; everything that was started is stopped on the way out."""
    refuse_taken_ports(exchange)
    say(f"Starting PostgreSQL in {exchange.data_dir}")
    embedded.ensure_running(exchange.data_dir)
    say("Bringing the database up to date")
    migrate(exchange)
    say(f"Starting the web service on port {exchange.web_port} and the MCP server on port {exchange.mcp_port}")
    with running(exchange) as processes:
        from demo import welcome  # takes a while to load, and the services are starting anyway

        say("Seeding people, studies and two weeks of readings (skipped where they are already)")
        exchange.manage("seed", "--large")
        wait_until_healthy(exchange, processes)
        say(f"Logging in as {welcome.ASKS.email}")
        say(welcome.first_question(exchange))
        say(welcome.directions(exchange))
        say("Serving until Ctrl-C.")
        wait_for_one_to_die(exchange, processes)


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
