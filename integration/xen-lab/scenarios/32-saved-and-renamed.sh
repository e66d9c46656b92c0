# xenstored: both
# A guest is renamed, saved and restored: same UUID, same binding, same card; the name is for the audit
# alone, and after the restoring the agent is connected by another vchan, nothing restarted.
guest_up 01
server 4433 -www -tls1_2
server 4436 -rev -tls1_2

xl rename web01 renamed
at_end+=("xl rename renamed web01 2>/dev/null")
renamed() { dom0-middleware vm list | has "^renamed .*$(uuid 01)"; }
wait_for 30 "the service knows the new name" renamed
fetch 01 4433 >"$W/page"
expect "the guest is served under another name" 'CN ?= ?web01' "$W/page"
xl rename renamed web01

agent=$(in_guest 01 'cat /run/agent.pid')
before=$(domid 01)
begin=$(now)
xl save web01 "$W/web01.saved"
wait_for 60 "the saved guest is gone" guest_gone 01
node_gone() { ! xenstore-exists "/local/domain/0/data/tessera/$before"; }
wait_for 20 "its vchan's node is gone" node_gone
# Saving takes longer than a guest may be silent: its connection may have ended before it did.
audit_has 'domain-ended|channel-closed' "\"domid\":$before" || fail "the audit has no end of domain $before"
xl restore "$W/web01.saved"
rm "$W/web01.saved"
[ "$(domid 01)" != "$before" ] || fail "the restored guest has the domid of the saved one"
fetches() { fetch 01 4433 >"$W/page"; }
at_end+=("in_guest 01 'cat /var/log/agent.log; ps; dmesg | tail -n 40'; dom0-middleware vm list; xenstore-ls /local/domain/0/data/tessera")
wait_for 90 "the restored guest is served" fetches
figure "xl save and xl restore to first session" "$(between "$begin" "$(now)")" s
expect "the server has seen the card's certificate" 'CN ?= ?web01' "$W/page"
[ "$(in_guest 01 'cat /run/agent.pid; kill -0 $(cat /run/agent.pid)')" = "$agent" ] ||
    fail "another agent runs"
