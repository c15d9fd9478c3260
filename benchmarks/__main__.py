"""`make bench`: everything, in eight minutes, most of which makes ten million observations.

`python -m benchmarks --only ingest` measures one subject; `--rounds 1 --seconds 0.1 --rows 20000` only tries the
machinery.
What was measured is printed, also when it misses a goal; the exit status says only that everything could be measured.
"""

import argparse
from collections.abc import Sequence

from benchmarks import (
    client_reading,
    data_tools,
    export,
    identity,
    ingest,
    observations,
    permission,
    processes,
    stateful,
    tool_calls,
)
from benchmarks.exchange import Measured, measured_exchange
from benchmarks.filling import fill
from benchmarks.load import Generator, generator
from benchmarks.others import noticed
from benchmarks.rounds import Effort

SUBJECTS = ("permission", "identity", "tool_calls", "processes", "ingest", "observations", "data_tools", "export")
SMALL_TABLE = 100_000
PEOPLE = 100
MOST_READINGS = 10_000
MOST_EXPORTED = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What is fast, measured against what.")
    parser.add_argument("--rounds", type=int, default=9, help="how often each way is measured (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long, each time (default: %(default)s)")
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="observations in the large table (default: %(default)s)"
    )
    parser.add_argument("--only", choices=SUBJECTS, help="one subject instead of all")
    chosen = parser.parse_args()
    effort = Effort(chosen.rounds, chosen.seconds)
    asked = [chosen.only] if chosen.only else SUBJECTS
    if asked != ["export"]:
        with generator() as asking, measured_exchange() as measured, noticed(measured.exchange.data_dir):
            _measure(measured, asking, effort, chosen.rows, asked)
    if "export" in asked:
        export.measure(min(chosen.rows, MOST_EXPORTED))


def _measure(measured: Measured, asking: Generator, effort: Effort, rows: int, asked: Sequence[str]) -> None:
    if "permission" in asked:
        permission.measure(measured, asking, effort)
    if "identity" in asked:
        identity.measure(measured, asking, effort)
    if "tool_calls" in asked:
        tool_calls.measure(measured, asking, effort)
        stateful.measure(measured, asking, effort)
    if "processes" in asked:
        processes.measure(measured, asking, effort)
    if set(asked) & {"ingest", "observations", "data_tools"}:
        _measure_observations(measured, asking, effort, rows, asked)


def _measure_observations(
    measured: Measured, asking: Generator, effort: Effort, rows: int, asked: Sequence[str]
) -> None:
    data_dir = measured.exchange.data_dir
    readings = min(SMALL_TABLE, rows // 2) // PEOPLE
    few = fill(data_dir, study="Small", people=PEOPLE, readings=readings)
    before = observations.small(measured, asking, few, effort) if "observations" in asked else []
    tools_before = data_tools.small(measured, asking, few, effort) if "data_tools" in asked else []
    if "ingest" in asked:
        ingest.measure(measured, few, rounds=effort.rounds, bundles=max(1, round(10 * effort.seconds)))
    if set(asked) & {"observations", "data_tools"}:
        readings = min(MOST_READINGS, rows // 2 // PEOPLE)
        many = fill(data_dir, study="Large", people=PEOPLE, readings=readings)
        others = (rows - PEOPLE * readings) // readings
        fill(data_dir, study="Others", people=max(1, others), readings=readings)
    if "observations" in asked:
        observations.large(measured, asking, many, effort, before=before)
        client_reading.measure(measured, asking, many, effort)
    if "data_tools" in asked:
        data_tools.large(measured, asking, many, effort, before=tools_before)


if __name__ == "__main__":
    main()
