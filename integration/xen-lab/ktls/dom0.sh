#!/bin/bash
# Kernel TLS on a real kernel, in one domain: the facts about the kernel that docs/agent.md rests on,
# and the tests of integration/tests/kernel_tls. `payload` beside this file collects what it needs.
set -eu
cd "$(dirname "$0")"
modprobe tls
export TESSERA_KERNEL_TLS=required RUST_BACKTRACE=0

echo "== facts: kernel $(uname -r)"
./facts.py

tests() {
    echo "== tests $*"
    bin/kernel_tls --nocapture --test-threads 1 "$@" 2>&1 | tee -a "${OUT:-/tmp}/kernel-tls.txt"
    return "${PIPESTATUS[0]}"
}
status=0
tests --skip figures || status=$?
tests figures || status=$?
exit "$status"
