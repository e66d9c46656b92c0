# xenstored: both
# xenstored does not answer for a while: nobody gets a session, nobody waits for ever, running
# sessions go on, and afterwards all is as before.
guest_up 01
server 4436 -rev -tls1_2
server 4433 -www -tls1_2
session_open 01 4436
session_echoes 01 before erofeb
daemon=$(pgrep -x oxenstored || pgrep -x xenstored)
kill -STOP "$daemon"
at_end+=("kill -CONT $daemon")
begin=$(now)
fetch 01 4433 >"$W/page" && fail "there was a session while nobody could say who is who"
figure "time to a refusal while xenstored is mute" "$(between "$begin" "$(now)")" s
expect "the guest is told" internal "$W/page"
session_echoes 01 meanwhile elihwnaem
dom0-middleware status
kill -CONT "$daemon"
fetches() { fetch 01 4433 >"$W/page"; }
wait_for 60 "the guest is served again" fetches
session_echoes 01 after retfa
