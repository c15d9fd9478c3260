"""What iglu says: CSV readings (id, time, gl) on standard input, JSON {id: metrics} on standard output.

A program of its own, because it starts R in its process, which takes over signals and the terminal.
"""

import json
import sys

import pandas as pd
import rpy2.rinterface_lib.callbacks

rpy2.rinterface_lib.callbacks.consolewrite_print = rpy2.rinterface_lib.callbacks.consolewrite_warnerror = (
    lambda _: None  # progress bars and notes about gaps
)
import iglu_py as iglu  # noqa: E402
from rpy2.robjects import FloatVector  # noqa: E402

readings = pd.read_csv(sys.stdin, dtype={"id": str})
metrics = [
    iglu.mean_glu(readings),
    iglu.sd_glu(readings),
    iglu.cv_glu(readings),
    iglu.gmi(readings),
    iglu.mage(readings),
    iglu.below_percent(readings, targets_below=[54, 70]),
    iglu.in_range_percent(readings, target_ranges=[[70, 180]]),
    iglu.above_percent(readings, targets_above=[180, 250]),
    iglu.quantile_glu(readings, quantiles=FloatVector([0, 5, 25, 50, 75, 95, 100])),
    # One person at a time: in one call it takes the first one's interval for everybody's.
    pd.concat([iglu.active_percent(person) for _, person in readings.groupby("id")]),
]
table = pd.concat([metric.set_index("id") for metric in metrics], axis="columns").select_dtypes("number")
sys.stdout.write(json.dumps(table.to_dict(orient="index")))
