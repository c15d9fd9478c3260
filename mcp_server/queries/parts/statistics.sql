-- The statistics of `figures`, which has n, mean, sd and the quantiles 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.
json_build_object(
    'n', figures.n,
    'mean', figures.mean,
    'sd', figures.sd,
    'cv', 100 * figures.sd / NULLIF(figures.mean, 0),
    'min', figures.quantiles[1],
    'p05', figures.quantiles[2],
    'p25', figures.quantiles[3],
    'median', figures.quantiles[4],
    'p75', figures.quantiles[5],
    'p95', figures.quantiles[6],
    'max', figures.quantiles[7]
)
