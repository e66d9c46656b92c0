# pcscd killed, the card pulled and put back, another card in its place.
guest_up 01
server 4433 -www -tls1_2
fetch 01 4433 >"$W/page"
expect "a page before" 'CN ?= ?web01' "$W/page"

pkill -KILL -x pcscd
wait_for 60 "the loss of pcscd is noticed" card_absent 01
fetch 01 4433 --timeout-ms 3000 >"$W/page" && fail "there was a session without pcscd"
pcscd_start
wait_for 90 "the card is back after pcscd" card_present 01
fetch 01 4433 >"$W/page"
expect "a page after pcscd" 'CN ?= ?web01' "$W/page"

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
soft-card personalise --dir "$W/card-01" --name web02 --key "$W/pki/web02.key" \
    --cert "$W/pki/web02.pem" --ca "$W/pki/ca.pem" --pin-file /etc/dom0-middleware/pin
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
