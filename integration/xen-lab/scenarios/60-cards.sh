# pcscd killed, its reader pulled and plugged in again, the card pulled and put back, another card in
# its place.
guest_up 01
server 4433 -www -tls1_2
fetch 01 4433 >"$W/page"
expect "a page before" 'CN ?= ?web01' "$W/page"

pcscd_kill
wait_for 60 "the loss of pcscd is noticed" card_absent 01
fetch 01 4433 >"$W/page" && fail "there was a session without pcscd"
cat "$W/page"
# vpcd's reader is one of pcscd's configuration, so it is pulled and plugged in by another pcscd.
touch "$W/no-reader.conf"
pcscd_alone --config "$W/no-reader.conf"
no_reader() { { dom0-middleware doctor || true; } | has 'reader Virtual PCD 00 00: is not there'; }
wait_for 60 "the reader is missed" no_reader
fetch 01 4433 >"$W/page" && fail "there was a session without a reader"
pcscd_kill
pcscd_start
wait_for 90 "the card is back after its reader" card_present 01
fetch 01 4433 >"$W/page"
expect "a page after pcscd and reader" 'CN ?= ?web01' "$W/page"

card_out 01
fetch 01 4433 --timeout-ms 3000 >"$W/page" && fail "there was a session without a card"
cat "$W/page"
expect "the guest is told that there is no card" 'no-card|card-removed' "$W/page"
card_in 01
fetch 01 4433 >"$W/page"
expect "a page after the card is back" 'CN ?= ?web01' "$W/page"

# Another card in this reader gets no PIN.
card_out 01
mv "$W/card-01" "$W/card-01.away"
identity_on "$W/card-01" web02
setsid soft-card serve --connect 127.0.0.1:35963 --dir "$W/card-01" >>"$W/soft-card.log" 2>&1 </dev/null &
echo $! >"$W/card-01.pid"
not_the_one() { dom0-middleware card list | has 'not the card that was adopted'; }
wait_for 60 "another card is noticed" not_the_one
fetch 01 4433 --timeout-ms 3000 >"$W/page" && fail "there was a session with another card"
kill "$(cat "$W/card-01.pid")"
wait_for 60 "the other card is out" process_ended "$(cat "$W/card-01.pid")"
reader_empty() { ! dom0-middleware card list | has 'not the card that was adopted'; }
wait_for 60 "the reader is empty" reader_empty
rm -rf "$W/card-01"
mv "$W/card-01.away" "$W/card-01"
card_in 01
fetch 01 4433 >"$W/page"
expect "a page with the right card" 'CN ?= ?web01' "$W/page"
