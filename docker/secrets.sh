#!/bin/sh
# Make what `docker compose up` needs and what is not there yet: .env from .env.example, and random secrets in secrets/.
# What is there is never touched. The containers' users have to read the files, so it is the folder that is shut.
set -eu
cd "$(dirname "$0")"

[ -e .env ] || cp .env.example .env
mkdir -p secrets
chmod 700 secrets
umask 022

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # name, content
    [ -s "secrets/$1" ] && return
    printf '%s\n' "$2" > "secrets/$1"
    echo "made secrets/$1"
}

for name in mqtt_detector_password mqtt_devices_password mqtt_health_password control_secret page_token \
    influxdb_admin_password influxdb_grafana_password grafana_admin_password; do
    keep "$name" "$(random)"
done
keep influxdb_token "apiv3_$(random)" # InfluxDB 3 wants tokens to begin so; to InfluxDB 2 it is a token as any other
keep influxdb_detector_token "$(cat secrets/influxdb_token)" # README.md says how to give the detector one that can do less
keep influxdb3_admin_token.json "{\"token\": \"$(cat secrets/influxdb_token)\", \"name\": \"_admin\"}"
