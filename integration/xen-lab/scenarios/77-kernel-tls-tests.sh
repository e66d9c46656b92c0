# Kernel TLS on this kernel, in dom0 alone: the facts that docs/agent.md rests on, and the tests of
# integration/tests/kernel_tls, with how fast each way is.
modprobe tls
# As udev does where there is one: the kernel's AES with the processor's instructions.
modprobe aesni_intel || true
/lab/inside/ktls-facts.py
if [ ! -x /programs/bin/kernel_tls ]; then
    echo "the tests are not built: cargo test --release -p integration --test kernel_tls --no-run"
else
    export TESSERA_KERNEL_TLS=required
    grep -A 1 'gcm(aes)' /proc/crypto || true
    # The scenario kernel-tls carries as much, between two domains.
    kernel_tls --nocapture --test-threads 1 --skip a_hundred_megabytes | tee "$W/kernel-tls-tests"
    while IFS=, read -r name sent received; do
        figure "$name, sending" "$sent" MB/s
        figure "$name, receiving" "${received%% *}" MB/s
    done < <(sed -n 's/^.*figure: //p' "$W/kernel-tls-tests")
fi
