"""Where Prometheus finds the metrics: at a port of its own, so that no way from outside leads there."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mcp_server.settings import HttpService

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def exposed(settings: HttpService) -> Iterator[None]:
    """While this is entered the first process answers for all, from a thread. Without a port it does nothing."""
    if settings.metrics_port is None:
        yield
        return
    with TemporaryDirectory(prefix="jhe-mcp-metrics-") as folder:
        os.environ[_FOLDER] = folder  # before anything, here or in a worker, imports prometheus_client
        from prometheus_client import CollectorRegistry, Metric, start_http_server
        from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

        class Living(MultiProcessCollector):
            """What a process that was killed had open is open no more."""

            def collect(self) -> Iterable[Metric]:
                for file in Path(folder).glob("gauge_live*_*.db"):
                    process = int(file.stem.rpartition("_")[2])
                    if not _lives(process):
                        mark_process_dead(process, folder)  # type: ignore[no-untyped-call]
                metrics: Iterable[Metric] = super().collect()  # type: ignore[no-untyped-call]
                return metrics

        registry = CollectorRegistry()
        Living(registry, folder)  # type: ignore[no-untyped-call]
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
