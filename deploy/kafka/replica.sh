#!/bin/sh
# What docs/security.md lists for a replica; written by `python -m harness.rights`.
# sh replica.sh BROKERS USER [further options, such as --command-config admin.properties]
set -eu
brokers=$1 user=$2
shift 2
allow() { kafka-acls.sh --bootstrap-server "$brokers" --add --allow-principal "User:$user" "$@"; }
allow --operation Read --topic separation.requests "$@"
allow --operation Read --topic separation.control "$@"
allow --operation Read --topic separation.requests.retry-1 "$@"
allow --operation Read --topic separation.requests.retry-2 "$@"
allow --operation Read --topic separation.requests.retry-3 "$@"
allow --operation Write --topic separation.requests.retry-1 "$@"
allow --operation Write --topic separation.requests.retry-2 "$@"
allow --operation Write --topic separation.requests.retry-3 "$@"
allow --operation Read --topic separation.results "$@"
allow --operation Write --topic separation.results "$@"
allow --operation Read --topic separation.dead-letter "$@"
allow --operation Write --topic separation.dead-letter "$@"
allow --operation Write --topic separation.progress "$@"
allow --operation Write --topic separation.audit "$@"
allow --operation Read --group spleeter-consumer "$@"
allow --operation Write --transactional-id spleeter-consumer --resource-pattern-type prefixed "$@"
