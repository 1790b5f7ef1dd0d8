#!/bin/sh
# Put the page's address, PAGE_URL, in the place of the one that the dashboards' links have, in copies of them; then be
# Grafana, which cannot do it itself: start.sh [DASHBOARDS [COPIES [GRAFANA]]]
set -eu

from=${1:-/etc/grafana/dashboards}
to=${2:-/tmp/dashboards}
grafana=${3:-/run.sh}

if ! printf '%s' "$PAGE_URL" | grep -Eq '^https?://[][A-Za-z0-9._~:/@%+-]+$'; then
    printf 'PAGE_URL: not an address such as http://localhost:8050: %s\n' "$PAGE_URL" >&2
    exit 1
fi
mkdir -p "$to"
for board in "$from"/*.json; do
    sed "s|http://localhost:8050|${PAGE_URL%/}|g" "$board" > "$to/${board##*/}"
done
exec "$grafana"
