# xenstored: both
# Three guests at once, one of which floods: the others are served, the one that shares its card with it
# and the one that has its own.
guest_up 01
guest_up 02
guest_up 03
dom0-middleware vm unbind "$(uuid 03)"
bind_to 03 se-02
at_end+=("in_guest 03 'touch /tmp/stop'; dom0-middleware vm unbind $(uuid 03); bind 03")
wait_for 60 "guest 03 is connected again, with the card of guest 02" connected 03
dom0-middleware vm list
server 4433 -www -tls1_2
server 4437 -www -tls1_2

in_guest 03 "for n in 1 2 3 4 5 6 7 8; do
    (while [ ! -e /tmp/stop ]; do
        domu-agent connect $DOM0_IP:4437 --server-name www.example </dev/null >/dev/null 2>&1
    done) >/dev/null 2>&1 &
done"
flooding() { [ "$(audit_count session-established "$(uuid 03)" '"seid":"se-02"')" -ge 3 ]; }
wait_for 60 "guest 03 floods" flooding
for round in 1 2 3; do
    for nn in 01 02; do
        begin=$(now)
        fetch $nn 4433 | tee "$W/page"
        expect "guest $nn is served" "CN ?= ?web$nn" "$W/page"
        figure "session of guest $nn while 03 floods, round $round" "$(between "$begin" "$(now)")" s
    done
done
audit_has session-established "$(uuid 02)" '"seid":"se-02"' && audit_has session-established "$(uuid 03)" '"seid":"se-02"' ||
    fail "the card of guest 02 was not shared"
connected 01 && connected 02 || fail "a guest has lost its connection"
for nn in 01 02 03; do
    figure "agent of guest $nn, peak memory" "$(in_guest $nn 'sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p" /proc/$(cat /run/agent.pid)/status')" KiB
done
figure "service with three guests, peak memory" \
    "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(cat "$W/service.pid")/status")" KiB
