#!/bin/bash
# As the image's own of this name: not root, and at an end where clamd does not make the socket that is waited for.
set -euo pipefail
[[ $(id -un) == clamav ]]
rm -f /tmp/clamd.sock
clamd --foreground &
trap 'kill %1' TERM # as the first process of its container it would not be heard
for _ in {1..60}; do
    [[ -S /tmp/clamd.sock ]] && break
    sleep 1
done
[[ -S /tmp/clamd.sock ]]
wait
