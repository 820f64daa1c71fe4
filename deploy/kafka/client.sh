#!/bin/sh
# What docs/security.md lists for a client; written by `python -m harness.rights`.
# sh client.sh BROKERS USER [further options, such as --command-config admin.properties]
set -eu
brokers=$1 user=$2
shift 2
allow() { kafka-acls.sh --bootstrap-server "$brokers" --add --allow-principal "User:$user" "$@"; }
allow --operation Write --topic separation.requests "$@"
allow --operation Write --topic separation.control "$@"
allow --operation Read --topic separation.results "$@"
allow --operation Read --topic separation.dead-letter "$@"
allow --operation Read --topic separation.progress "$@"
