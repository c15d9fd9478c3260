"""`make bench`: everything, in a few minutes. `python -m benchmarks --rounds 1 --seconds 0.1` only tries the machinery.

What was measured is printed, also when it misses a goal; the exit status says only that everything could be measured.
"""

import argparse

from benchmarks import permission, tool_calls
from benchmarks.exchange import measured_exchange
from benchmarks.load import generator
from benchmarks.others import noticed
from benchmarks.rounds import Effort


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What is fast, measured against what.")
    parser.add_argument("--rounds", type=int, default=9, help="how often each way is measured (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long, each time (default: %(default)s)")
    chosen = parser.parse_args()
    effort = Effort(chosen.rounds, chosen.seconds)
    with generator() as asking, measured_exchange() as measured, noticed(measured.exchange.data_dir):
        permission.measure(measured, asking, effort)
        tool_calls.measure(measured, asking, effort)


if __name__ == "__main__":
    main()
