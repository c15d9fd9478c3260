"""Figures as textbooks have them, over what pandas holds."""

import pandas as pd

from tests.questions.world import Frame


def statistics(values: "pd.Series[float]") -> dict[str, float]:
    """SD is the sample's; percentiles are interpolated, as R's type 7."""
    return {
        "n": len(values),
        "mean": values.mean(),
        "sd": values.std(ddof=1),
        "cv": 100 * values.std(ddof=1) / values.mean(),
        "min": values.min(),
        **{name: values.quantile(q) for name, q in _QUANTILES.items()},
        "max": values.max(),
    }


_QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


def mg_per_dl(points: Frame) -> "pd.Series[float]":
    """Glucose of data points in both units; 18 mg/dL are a mmol/L."""
    return points.value * points.unit.map({"mg/dL": 1, "mmol/L": 18})


def gmi(mean: float) -> float:
    """Glucose management indicator, percent (Bergenstal 2018, doi:10.2337/dc18-1581)."""
    return 3.31 + 0.02392 * mean


def time_in_range(glucose: "pd.Series[float]") -> dict[str, float]:
    """Percent in each range of the consensus (Battelino 2019, doi:10.2337/dci19-0028)."""
    within = {
        "very_low": glucose < 54,
        "low": (glucose >= 54) & (glucose < 70),
        "target": (glucose >= 70) & (glucose <= 180),
        "high": (glucose > 180) & (glucose <= 250),
        "very_high": glucose > 250,
    }
    return {name: 100 * float(members.mean()) for name, members in within.items()}


def sufficiency(points: Frame) -> dict[str, float]:
    """Days from the first reading to the last, and how many percent of the readings to expect in them there are."""
    minutes = points.utc.sort_values().diff().dropna() / pd.Timedelta(minutes=1)
    interval = round(minutes.median())
    expected = round(round(minutes.sum()) / interval) + 1
    missing = round((minutes - interval)[minutes.round() > interval].sum() / interval)
    return {"days": expected * interval / 1440, "active_percent": 100 * (expected - missing) / expected}


def days(points: Frame, first: str, last: str) -> Frame:
    """The data points of these local days, both included."""
    return points[points.day.between(first, last)]
