# The agent is killed and started again: its TLS connections end, and it is connected again at once.
guest_up 01
server 4436 -rev -tls1_2
session_open 01 4436
session_echoes 01 before erofeb
in_guest 01 'kill -9 $(cat /run/agent.pid)'
session_over() { in_guest 01 '! kill -0 $(cat /tmp/session.pid)'; }
wait_for 30 "the session of the killed agent is over" session_over
in_guest 01 agent-start
wait_for 60 "the agent is connected again" connected 01
agent_times 01
within "agent start to connected" "$agent_seconds" 5
server 4433 -www -tls1_2
fetch 01 4433 | tee "$W/page"
expect "the guest is served again" 'CN ?= ?web01' "$W/page"
