# xenstored: both
# Bind, issue, boot: the guest fetches a page from a server that asks for its certificate. Its agent
# came to dom0 by vchan, with channel TLS, and found its token in xenstore.
dom0_up
guest_image 01
bind 01
issue 01
begin=$(now)
guest_create 01
server 4433 -www -tls1_2
fetches() { fetch 01 4433 >"$W/page"; }
wait_for 180 "the guest fetches a page" fetches
within "xl create to first session" "$(between "$begin" "$(now)")" 30
expect "the server has seen the card's certificate" 'CN ?= ?web01' "$W/page"
expect "the session is TLS 1.2" 'established TLS 1.2' "$W/page"

in_guest 01 'domu-agent status' | tee "$W/status"
expect "the channel has TLS" "^channel +TLS" "$W/status"
dom0-middleware status
audit_has guest-admitted "$(uuid 01)" '"cti"' || fail "the audit has nobody admitted with a token"
audit_has session-established "$(uuid 01)" || fail "the audit has no session"
audit_good
