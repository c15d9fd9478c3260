"""`make bench`: everything, in a few minutes. `python -m benchmarks --rounds 1 --seconds 0.1` only tries the machinery.

What was measured is printed, also when it misses a goal; the exit status says only that everything could be measured.
"""

import argparse

import psutil

from benchmarks import permission, tool_calls
from benchmarks.exchange import measured_exchange
from benchmarks.load import generator
from benchmarks.rounds import Effort

BUSY_PERCENT = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What is fast, measured against what.")
    parser.add_argument("--rounds", type=int, default=9, help="how often each way is measured (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long, each time (default: %(default)s)")
    chosen = parser.parse_args()
    effort = Effort(chosen.rounds, chosen.seconds)
    _say_if_busy()
    with generator() as asking, measured_exchange() as measured:
        permission.measure(measured, asking, effort)
        tool_calls.measure(measured, asking, effort)


def _say_if_busy() -> None:
    others = psutil.cpu_percent(interval=1)
    if others > BUSY_PERCENT:
        print(f"Other programs use {others:.0f} % of this machine: what needs more than one core comes out too slow.")


if __name__ == "__main__":
    main()
