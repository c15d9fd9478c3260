"""jupyterhealth-client reads ten thousand observations of a patient: from the exchange, and the same bytes as files."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.exchange import Measured, free_ports
from benchmarks.filling import Filled
from benchmarks.load import Generator
from benchmarks.report import Row, duration, show
from benchmarks.rounds import Effort, in_turns, typical_ratio
from benchmarks.tool_calls import wait_for

FILES = "the same bytes from a static file server"
EXCHANGE = "from the exchange"
LIMITS = {EXCHANGE: 3}


def measure(measured: Measured, generator: Generator, filled: Filled, effort: Effort) -> None:
    count = min(filled.readings, 10_000)
    patient = filled.people[1]
    with tempfile.TemporaryDirectory() as folder, _static(Path(folder)) as files_url:
        _save(measured, generator, f"Observation?patient={patient}&_count=1000", Path(folder), files_url)
        ways = {
            FILES: lambda: _read(files_url, "-", patient, count),
            EXCHANGE: lambda: _read(measured.exchange.web_url, measured.rest_token, patient, count),
        }
        in_turns(ways, 1)  # to warm up
        found = in_turns(ways, effort.rounds)
    rows = [
        Row(way, (duration(median(times)),), typical_ratio(times, found[FILES]), limit=LIMITS.get(way))
        for way, times in found.items()
    ]
    show(f"jupyterhealth-client reading {count:,} observations", ["in all"], "times as long", rows)


def _read(url: str, token: str, patient: int, count: int) -> float:
    from jupyterhealth_client import JupyterHealthClient  # takes a second, which nothing else needs

    client = JupyterHealthClient(url=url, token=token)
    began = time.perf_counter()
    read = sum(1 for _ in client.list_observations(patient_id=patient, limit=count))
    took = time.perf_counter() - began
    assert read == count, f"Nothing was measured: {read:,} of {count:,} observations."
    return took


def _save(measured: Measured, generator: Generator, query: str, folder: Path, url: str) -> None:
    """Every page as a file, the links to the next one as those of the files."""
    asked, number = measured.fhir(query), 0
    name = "FHIR/R5/Observation"
    while True:
        answer = generator.run(asked, connections=1, seconds=0, alike=True).answer
        links = {link["relation"]: link["url"] for link in json.loads(answer)["link"]}
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if "next" not in links:
            file.write_bytes(answer)
            return
        number += 1
        name = f"page{number}"
        next_url = json.dumps(links["next"]).encode()
        file.write_bytes(answer.replace(next_url, json.dumps(f"{url}/{name}").encode()))
        asked = measured.fhir(links["next"])


@contextmanager
def _static(folder: Path) -> Iterator[str]:
    [port] = free_ports(1)
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--protocol", "HTTP/1.1"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait()
