#!/bin/sh
# What docs/security.md lists for a gateway; written by `python -m harness.rights`.
# sh gateway.sh BROKERS USER [further options, such as --command-config admin.properties]
set -eu
brokers=$1 user=$2
shift 2
allow() { kafka-acls.sh --bootstrap-server "$brokers" --add --allow-principal "User:$user" "$@"; }
allow --operation Read --topic separation.requests "$@"
allow --operation Write --topic separation.requests "$@"
allow --operation Read --topic separation.requests.retry-1 "$@"
allow --operation Read --topic separation.requests.retry-2 "$@"
allow --operation Read --topic separation.requests.retry-3 "$@"
allow --operation Write --topic separation.control "$@"
allow --operation Write --topic separation.audit "$@"
allow --operation Read --topic separation.results "$@"
allow --operation Read --topic separation.dead-letter "$@"
allow --operation Read --topic separation.progress "$@"
allow --operation Read --group spleeter-consumer "$@"
