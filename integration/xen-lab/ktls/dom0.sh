#!/bin/bash
# Kernel TLS on a real kernel, in one domain: the tests of integration/tests/kernel_tls and the
# facts about the kernel that docs/agent.md rests on. `payload` beside this file collects what it needs.
set -eu
cd "$(dirname "$0")"
modprobe tls
export TESSERA_KERNEL_TLS=required RUST_BACKTRACE=0

echo "== facts: kernel $(uname -r)"
./facts.py

echo "== tests"
bin/kernel_tls --nocapture --test-threads 1 "$@" 2>&1 | tee "${OUT:-/tmp}/kernel-tls.txt"
exit "${PIPESTATUS[0]}"
