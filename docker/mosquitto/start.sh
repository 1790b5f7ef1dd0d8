#!/bin/sh
# Hash the passwords of /run/secrets into a file in memory, then be mosquitto: start.sh CONF [SECRETS [WORK]]
set -eu
umask 077

conf=$1
secrets=${2:-/run/secrets}
work=${3:-/tmp}

for user in devices detector health; do
    printf '%s:%s\n' "$user" "$(cat "$secrets/mqtt_${user}_password")"
done > "$work/passwords"
mosquitto_passwd -U "$work/passwords"

# The health check's options; on a command line others could read the password.
mkdir -p "$work/health"
{
    echo '-h 127.0.0.1'
    echo '-u health'
    printf -- '-P %s\n' "$(cat "$secrets/mqtt_health_password")"
} > "$work/health/mosquitto_sub"

exec mosquitto -c "$conf"
