# xenstored: both
# A guest is destroyed while its handshake has the card: the card is free for the next one, no key
# has left.
guest_up 01
# A server that takes the ClientHello and says nothing.
socat "TCP-LISTEN:4440,bind=$DOM0_IP,fork,reuseaddr" EXEC:'sleep 600' &
at_end+=("kill $!")
wait_for 20 "the mute server listens" listening 4440
keys_before=$(audit_count session-established)
timeouts_before=$(audit_count session-refused '"timeout"')
in_guest 01 "setsid domu-agent connect $DOM0_IP:4440 --server-name www.example >/dev/null 2>&1 &"
has_card() { dom0-middleware card list | has '^se-01 .*www\.example'; }
wait_for 30 "the handshake has the card" has_card
dom0-middleware session list
dom0-middleware card list

# xl takes the devices away first; xenstored tells when the domain itself is gone, as it does when the
# watch begins.
xenstore-watch -n 2 @releaseDomain | { read -r _ && touch "$W/watches" && read -r _ && now >"$W/released"; } &
wait_for 10 "the end of domains is watched" test -e "$W/watches"
begin=$(now)
xl destroy web01
nobody_has() { ! has_card; }
wait_for 30 "the card is free" nobody_has
free=$(now)
rm "$W/watches"
wait_for 10 "the end of the domain was told" test -s "$W/released"
figure "xl destroy to free card" "$(between "$begin" "$free")" s
within "end of a domain to free card" "$(between "$(cat "$W/released")" "$free")" 1

[ "$(audit_count session-established)" = "$keys_before" ] || fail "keys have left"
[ "$(audit_count session-refused '"timeout"')" = "$timeouts_before" ] ||
    fail "the handshake had ended before its guest was destroyed"
audit_has domain-ended "$(uuid 01)" || fail "the audit has no end"
# The card works for the next one: this guest, born again.
guest_up 01
server 4433 -www -tls1_2
fetch 01 4433 >"$W/page"
expect "the card makes the next session" 'CN ?= ?web01' "$W/page"
