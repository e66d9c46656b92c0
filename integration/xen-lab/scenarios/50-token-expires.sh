# A token ends while a session is open: the session is shut, and a new token, put where the service
# looks, lets the guest in again. Nothing is restarted in the guest.
guest_up 01
server 4436 -rev -tls1_2
sed -i '/^\[tokens\]/,+1d' /etc/dom0-middleware/dom0-middleware.toml
printf '[tokens]\nrenew = false\n' >>/etc/dom0-middleware/dom0-middleware.toml
service_kill TERM
service_start
wait_for 60 "the card is present" card_present 01

# For the next scenario, whatever happens in this one.
as_before() {
    sed -i '/^\[tokens\]/,+1d' /etc/dom0-middleware/dom0-middleware.toml
    issue 01
    service_kill TERM
    service_start
}
at_end+=(as_before)

# As if issued a day ago, for a day: but for these seconds, in which the session must come about.
life=$((25 * slowness))
ago $((86400 - life)) issue 01 --days 1 | tee "$W/short-token"
ended=$(date -d "$(sed -n 's/^Expires *//p' "$W/short-token")" +%s)
shows_it() { in_guest 01 'domu-agent status --json' | has -E "\"token_expires\": ?$ended\b"; }
wait_for 30 "the agent has taken the short token" shows_it
session_open 01 4436
session_echoes 01 before erofeb
session_over() { in_guest 01 '! kill -0 $(cat /tmp/session.pid)'; }
wait_for 90 "the session is over" session_over
figure "end of a token to end of its session" "$(awk -v a="$ended" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }')" s
audit_has right-ended token-expired "$(uuid 01)" || fail "the audit has no end of the right"
not_connected 01 || fail "the agent still says that it is connected"

issue 01
wait_for 60 "with a new token the guest is let in" connected 01
