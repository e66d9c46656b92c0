# A guest sends APDUs to its own card over a vchan, as its binding allows, in turns with its handshakes.
guest_up 01
server 4433 -www -tls1_2
printf 'FFFFFF00 00A40400  # SELECT by AID\n' >"$W/web01.apdus"
racs() { # REQUEST: a line for each command
    in_guest 01 "printf 'BEGIN\\r\\n$1END\\r\\n' | domu-agent racs"
}

racs 'LIST\r\n' >"$W/racs" && fail "there is RACS without a list"
dom0-middleware vm unbind "$(uuid 01)"
dom0-middleware vm bind "$(uuid 01)" --card se-01 --identity web01 --trust "$W/pki/ca.pem" \
    --raw-apdu "$W/web01.apdus"
at_end+=("dom0-middleware vm unbind $(uuid 01); bind 01")
wait_for 60 "guest 01 is connected again" connected 01
lists() { racs 'LIST\r\n' | has '^+004 001 se-01'; }
wait_for 30 "the guest sees its card" lists

fetch 01 4433 >"$W/page"
expect "a page before" 'CN ?= ?web01' "$W/page"
racs 'POWERON se-01\r\nAPDU se-01 00A4040010A0000000300002FFFFFFFF8931323800\r\n' >"$W/racs"
expect "its card answers SELECT" '^\+006 002 9000' "$W/racs"
racs 'POWERON se-01\r\nAPDU se-01 A08600000182\r\n' >"$W/racs" || true
expect "the KeyBlock is not for it" '^-606 002' "$W/racs"
racs 'POWERON se-02\r\n' >"$W/racs" || true
expect "another card is none that there is" '^-408 001' "$W/racs"
fetch 01 4433 >"$W/page"
expect "a page after" 'CN ?= ?web01' "$W/page"
audit_has racs-connected "$(uuid 01)" || fail "the audit does not have it"
