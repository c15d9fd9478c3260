"""Where the figures of the metrics are read."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge

from mcp_server import metrics
from mcp_server.auth.verifier import Verifier
from mcp_server.database import Database
from mcp_server.metrics import Read
from mcp_server.sessions import Sessions
from mcp_server.transports.bounds import Bounds


def readings(
    database: Database, verifier: Verifier, bounds: Bounds, sessions: Sessions | None
) -> tuple[Mapping[Gauge, Read], Mapping[Counter, Read]]:
    """For `metrics.published`."""
    gauges: dict[Gauge, Read] = {
        metrics.CALLS_NOW: lambda: bounds.calls.taken,
        metrics.STREAMS_NOW: lambda: bounds.streams.taken,
        metrics.CONNECTIONS_NOW: lambda: database.in_use,
    }
    counters: dict[Counter, Read] = {
        metrics.WAITS: lambda: database.waits,
        metrics.TOKENS_KEPT: lambda: verifier.kept,
        metrics.TOKENS_CHECKED: lambda: verifier.checked,
        metrics.KEY_FETCHES: lambda: sum(keys.fetches for keys in verifier.keys),
        metrics.KEY_FAILURES: lambda: sum(keys.failures for keys in verifier.keys),
    }
    if sessions is not None:
        counters |= {
            metrics.SESSIONS_OPENED: lambda: sessions.opened,
            metrics.SESSIONS_ENDED: lambda: sessions.ended,
        }
    return gauges, counters
