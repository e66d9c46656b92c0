# A guest is destroyed while its handshake has the card: the card is free for the next one, no key
# has left.
guest_up 01
# A server that takes the ClientHello and says nothing.
socat "TCP-LISTEN:4440,bind=$DOM0_IP,fork,reuseaddr" EXEC:'sleep 600' &
at_end+=("kill $!")
wait_for 20 "the mute server listens" listening 4440
keys_before=$(audit_count session-established)
in_guest 01 "setsid domu-agent connect $DOM0_IP:4440 --server-name www.example >/dev/null 2>&1 &"
has_card() { dom0-middleware session list | has "$(uuid 01).*se-01\|se-01.*$(uuid 01)\|web01.*se-01"; }
wait_for 30 "the handshake has the card" has_card
dom0-middleware session list
dom0-middleware card list
begin=$(now)
xl destroy web01
nobody_has() { ! has_card; }
wait_for 30 "the card is free" nobody_has
within "xl destroy to free card" "$(between "$begin" "$(now)")" 1
[ "$(audit_count session-established)" = "$keys_before" ] || fail "keys have left"
audit_has session-refused "$(uuid 01)" || audit_has domain-ended "$(uuid 01)" || fail "the audit has no end"
card_present 01 || fail "the card does not work any more"
