# xenstored: both
# A second guest tries the first one's vchan, token and UUID: refused, and the audit knows.
guest_up 01
guest_up 02
first=/local/domain/0/data/tessera/$(domid 01)

# Its own tools of an attacker: dom0's programs for xenstore.
tools=$W/tools.tar
tar -C /usr/bin -cf "$tools" $(cd /usr/bin && echo xenstore-{read,write,ls,chmod})
socat -u "OPEN:$tools" "TCP-LISTEN:7001,bind=$DOM0_IP,reuseaddr" &
wait_for 10 "the tools can be fetched" listening 7001
in_guest 02 "mkdir -p /tools && nc $DOM0_IP 7001 | tar -x -C /tools"

# The vchan: its keys cannot be read, nor written.
xenstore-ls -fp "${first%/*}" | tee "$W/nodes"
expect "the first guest alone may read its node" "^$first = .*\\(n0,r$(domid 01)\\)" "$W/nodes"
for node in ring-ref event-channel; do
    in_guest 02 "/tools/xenstore-read $first/$node" && fail "$first/$node can be read"
    in_guest 02 "/tools/xenstore-write $first/$node 1" && fail "$first/$node can be written"
done
in_guest 02 "/tools/xenstore-ls $first" && fail "$first can be listed"
in_guest 02 "/tools/xenstore-read /local/domain/$(domid 01)/tessera/token" && fail "its token can be read"
in_guest 02 '/tools/xenstore-write tessera/token x' && fail "its own token can be written"
[ "$(in_guest 02 '/tools/xenstore-read tessera/token')" = "$(cat "$TOKENS/$(uuid 02).token")" ] ||
    fail "its own token cannot be read"

# The UUID: only nodes that nobody believes can be written.
in_guest 02 "/tools/xenstore-write vm /vm/$(uuid 01)" && fail "vm can be written"
in_guest 02 "/tools/xenstore-write data/vm /vm/$(uuid 01); /tools/xenstore-write data/uuid $(uuid 01)"

# The token, on its own channel: not this guest's key, not this guest's UUID.
socat -u "OPEN:$TOKENS/$(uuid 01).token" "TCP-LISTEN:7001,bind=$DOM0_IP,reuseaddr" &
wait_for 10 "the token can be fetched" listening 7001
refused_before=$(audit_count session-refused "$(uuid 02)|bad-token")
in_guest 02 "nc $DOM0_IP 7001 >/tmp/stolen
    sed '/^\[dom0\]/a token_file = \"/tmp/stolen\"' /etc/domu-agent/domu-agent.toml >/tmp/stolen.toml
    kill \$(cat /run/agent.pid); while [ -d /proc/\$(cat /run/agent.pid) ]; do usleep 100000; done
    setsid domu-agent serve --config /tmp/stolen.toml >>/var/log/agent.log 2>&1 </dev/null &
    echo \$! >/run/agent.pid"
is_refused() { in_guest 02 'domu-agent status; cat /var/log/agent.log' | has bad-token; }
wait_for 60 "the stolen token is refused" is_refused
[ "$(audit_count session-refused bad-token)" -gt 0 ] || fail "the audit does not have it"
echo "refusals before: $refused_before"

in_guest 02 'kill $(cat /run/agent.pid); while [ -d /proc/$(cat /run/agent.pid) ]; do usleep 100000; done; agent-start'
wait_for 60 "with its own token the guest is let in" connected 02
connected 01 || fail "the first guest has lost its connection"
