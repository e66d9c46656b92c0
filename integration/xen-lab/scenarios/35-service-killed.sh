# The service is killed and started again: agents come back, TLS sessions in the guest go on.
guest_up 01
server 4436 -rev -tls1_2
server 4433 -www -tls1_2
session_open 01 4436
session_echoes 01 before erofeb
service_kill KILL
session_echoes 01 meanwhile elihwnaem
service_start
wait_for 60 "the agent is connected again" connected 01
session_echoes 01 after retfa
wait_for 60 "the card is present again" card_present 01
fetch 01 4433 | tee "$W/page"
expect "the guest is served again" 'CN ?= ?web01' "$W/page"
audit_good
