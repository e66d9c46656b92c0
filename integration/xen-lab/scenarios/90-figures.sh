# What vchan costs, through our wrapper and with the library alone, and how fast this machine is.
figure_of_openssl() { # NAME FIELDS.. : the last number of openssl speed's last line
    figure "$1" "$2" "$3"
}
gcm=$(openssl speed -seconds 1 -bytes 16384 -evp aes-128-gcm 2>/dev/null | tail -n 1 | awk '{ sub("k", "", $NF); print $NF / 1000 }')
figure_of_openssl "openssl aes-128-gcm" "$gcm" MB/s
sign=$(openssl speed -seconds 1 ecdsap256 2>/dev/null | tail -n 1 | awk '{ print $(NF - 1) }')
figure_of_openssl "openssl ecdsa p256 sign" "$sign" 1/s

[ -x /programs/bin/vchan_bench ] && [ -x /programs/bin/vchan_bench_c ] ||
    { echo "vchan is NOT measured: its bench programs were not built"; exit 0; }
guest_up 01
node=/local/domain/$(domid 01)/data/bench
xenstore-write "$node" ''
for kind in vchan_bench vchan_bench_c; do
    VCHAN_BENCH_SECONDS=1 $kind server "$(domid 01)" "$node" >"$W/$kind.server" 2>&1 &
    server=$!
    bench_ready() { xenstore-exists "$node/ring-ref"; }
    wait_for 20 "$kind has its server" bench_ready
    in_guest 01 "VCHAN_BENCH_SECONDS=1 $kind client 0 $node" | tee "$W/$kind.json"
    wait $server || true
    xenstore-rm "$node/ring-ref" 2>/dev/null || true
    python3 - "$W/$kind.json" "$kind" <<'PY' >"$W/$kind.figures"
import json, sys
for line in open(sys.argv[1]):
    if line.startswith("{"):
        found = json.loads(line)
        size = found.pop("size", found.pop("bytes", "?"))
        for name, value in found.items():
            if not isinstance(value, (int, float)):
                continue
            unit = "us" if name.endswith("_us") else "MB/s"
            print(f"{sys.argv[2]} {size} bytes {name}\t{value}\t{unit}")
PY
    while IFS=$'\t' read -r name value unit; do figure "$name" "$value" "$unit"; done <"$W/$kind.figures"
done
