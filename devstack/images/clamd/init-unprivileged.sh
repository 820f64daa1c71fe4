#!/bin/bash
# As the image's own of this name: not root, and at an end where clamd does not make the socket that is waited for.
set -euo pipefail
[[ $(id -un) == clamav ]]
rm -f /tmp/clamd.sock
clamd --foreground &
for _ in {1..60}; do
    [[ -S /tmp/clamd.sock ]] && break
    sleep 1
done
[[ -S /tmp/clamd.sock ]]
wait
