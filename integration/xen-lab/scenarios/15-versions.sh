# TLS 1.2 in full and resumed, TLS 1.3 in full.
guest_up 01
server 4434 -www -tls1_2
server 4435 -www -tls1_3

fetch 01 4434 | tee "$W/full"
expect "TLS 1.2 in full" 'New, .*TLSv1.2' "$W/full"
fetch 01 4434 | tee "$W/resumed"
expect "TLS 1.2 resumed" 'Reused, .*TLSv1.2' "$W/resumed"
fetch 01 4434 --no-resume | tee "$W/full"
expect "TLS 1.2 in full, as asked for" 'New, .*TLSv1.2' "$W/full"
fetch 01 4435 | tee "$W/full"
expect "TLS 1.3 in full" 'New, .*TLSv1.3' "$W/full"
expect "the server has seen the card's certificate" 'CN ?= ?web01' "$W/full"
audit_has session-established '"abbreviated":true' || fail "the audit has no resumed session"
