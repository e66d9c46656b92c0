# xenstored: both
# A guest reboots: another domid, the same UUID; it is served again without anything done in dom0.
guest_up 01
server 4433 -www -tls1_2
before=$(domid 01)
in_guest 01 'rm -f /run/agent-connected'
begin=$(now)
xl reboot web01
other_domid() { local id; id=$(domid 01) && [ "$id" != "$before" ]; }
wait_for 60 "the guest has another domid" other_domid
fetches() { fetch 01 4433 >"$W/page"; }
wait_for 180 "the guest is served again" fetches
figure "xl reboot to first session" "$(between "$begin" "$(now)")" s
expect "the server has seen the card's certificate" 'CN ?= ?web01' "$W/page"
agent_times 01
within "agent start to connected, after a reboot" "$agent_seconds" 5
node_gone() { ! xenstore-exists "/local/domain/0/data/tessera/$before"; }
wait_for 20 "the old vchan's node is gone" node_gone
audit_has domain-ended "\"domid\":$before" || fail "the audit has no end of domain $before"
