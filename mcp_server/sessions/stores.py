"""Where sessions are kept: in this process, or, for several workers, in Redis."""

from mcp_server.sessions import Sessions
from mcp_server.sessions.memory import Memory
from mcp_server.sessions.redis import RedisStore
from mcp_server.sessions.store import Limits, Store
from mcp_server.settings import HttpService


def sessions_of(settings: HttpService) -> Sessions | None:
    """None where every request stands alone."""
    return Sessions(store_of(settings)) if settings.sessions or settings.sse else None


def store_of(settings: HttpService) -> Store:
    limits = Limits(settings.max_sessions, settings.max_sessions_per_person, settings.session_idle)
    return RedisStore(settings.redis_url, limits) if settings.redis_url else Memory(limits)
