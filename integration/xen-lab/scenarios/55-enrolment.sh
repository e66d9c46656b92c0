# xenstored: both
# A guest without a key makes one; the administrator sees it and approves it by its fingerprint.
dom0_up
guest_destroy 03
rm -f "$TOKENS/$(uuid 03).token"
guest_image 03 nokey
bind 03
guest_create 03
wait_for 120 "guest 03 answers" answers 03
in_guest 03 'domu-agent enroll' | tee "$W/enrolled"
fingerprint=$(grep -o 'SHA256:[0-9a-f]*' "$W/enrolled" | head -n 1)
pending() { dom0-middleware vm list --pending | tee "$W/pending" | has "$fingerprint"; }
wait_for 30 "the key is pending" pending
cat "$W/pending"
wrong=SHA256:$(printf '0%.0s' {1..64})
! dom0-middleware vm approve "$(uuid 03)" --fingerprint "$wrong" || fail "a wrong fingerprint was approved"
[ ! -e "$TOKENS/$(uuid 03).token" ] || fail "there is a token without approval"
dom0-middleware vm approve "$(uuid 03)" --fingerprint "$fingerprint"
in_guest 03 'kill $(cat /run/agent.pid) 2>/dev/null; agent-start'
wait_for 60 "the agent is connected" connected 03
server 4433 -www -tls1_2
fetch 03 4433 | tee "$W/page"
expect "the server has seen the card's certificate" 'CN ?= ?web03' "$W/page"
audit_has token-issued "$(uuid 03)" || fail "the audit has no issued token"
# The image knows this key from now on, as an installed guest would.
guest_destroy 03
rm -f "$TOKENS/$(uuid 03).token"
guest_image 03
