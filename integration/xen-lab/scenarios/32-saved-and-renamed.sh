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
# A connection made while the network comes back may hang.
soon() { timeout 20 bash -c '. /lab/inside/lib.sh; "$@"' soon "$@"; }
fetches() { soon fetch 01 4433 >"$W/page"; }
wait_for 90 "the restored guest is served" fetches
figure "xl save and xl restore to first session" "$(between "$begin" "$(now)")" s
expect "the server has seen the card's certificate" 'CN ?= ?web01' "$W/page"
[ "$(in_guest 01 'cat /run/agent.pid; kill -0 $(cat /run/agent.pid)')" = "$agent" ] ||
    fail "another agent runs"
in_guest 01 'dmesg | grep -E "BUG|Oops"' && fail "the guest's kernel has failed"

# Linux 6.1 does not get over the end of a program that had event channels when its domain was saved;
# another agent can be started all the same.
in_guest 01 'kill $(cat /run/agent.pid); agent-start'
wait_for 60 "another agent is connected" soon connected 01
fetch 01 4433 >"$W/page"
expect "a page by another agent" 'CN ?= ?web01' "$W/page"
in_guest 01 'dmesg | grep -E "BUG|Oops|recursive"' || true
# A guest whose kernel is whole again for what follows.
xl destroy web01
wait_for 60 "the guest is gone" guest_gone 01
