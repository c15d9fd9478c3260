"""Who else was at work: on a shared machine, what needs two cores looks slower beside what needs one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

TOO_MUCH = 0.1


@contextmanager
def noticed(data_dir: Path) -> Iterator[None]:
    """Say afterwards how much of the machine other programs have used, if it was much.

    Ours are this process, those it has started, and the PostgreSQL of `data_dir`.
    """
    postmaster = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
    ours = [psutil.Process(), psutil.Process(postmaster)]
    psutil.cpu_percent()  # from here on
    began, worked = time.monotonic(), sum(map(_worked, ours))
    yield
    there_was = (time.monotonic() - began) * (psutil.cpu_count() or 1)
    others = psutil.cpu_percent() / 100 - (sum(map(_worked, ours)) - worked) / there_was
    if others > TOO_MUCH:
        print(f"Other programs used {others:.0%} of this machine meanwhile. Measure again when it is quiet.")


def _worked(process: psutil.Process) -> float:
    """Seconds that it and its children have worked; those that have ended are in their parent's account."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(each.cpu_times()[:4])
    return total
