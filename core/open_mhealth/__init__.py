"""Open mHealth and IEEE 1752.1 data points: what is valid, when it holds, and its number if it has one.

A data point is `{"header": …, "body": …}` (IEEE 1752.1-2021 clause 5). `check_data_point` is what a door asks of one
that was sent; the rest reads what queries need from it.
"""

from core.open_mhealth.check import check_data_point
from core.open_mhealth.scalar import Quantity, scalar
from core.open_mhealth.time_frame import TimeFrame, effective_time

__all__ = ["Quantity", "TimeFrame", "check_data_point", "effective_time", "scalar"]
