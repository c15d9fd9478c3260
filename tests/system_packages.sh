#!/bin/sh
# Debian packages that some tests need; without them those tests skip. Does nothing when all are there.
# A browser (tests/browser); Redis (tests/mcp_server/sessions); R and what the R package iglu imports (tests/glucose).
packages="chromium redis-server
    r-base-core r-cran-catools r-cran-dplyr r-cran-dt r-cran-ggplot2 r-cran-ggpubr r-cran-gridextra r-cran-gtable
    r-cran-hms r-cran-lubridate r-cran-magrittr r-cran-patchwork r-cran-pheatmap r-cran-plotly r-cran-scales r-cran-shiny
    r-cran-tibble r-cran-tidyr r-cran-zoo"

missing=""
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null && exit 0
fi
echo "The tests that need$missing will skip; to run them too: apt-get install$missing (as root, on Debian)." >&2
