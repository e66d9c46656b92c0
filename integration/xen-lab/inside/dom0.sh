# shellcheck shell=bash disable=SC2154
# For scenarios: dom0's side. `dom0_up` brings up what does not run yet: pcscd with a card in its
# virtual reader (se-01), two cards without a reader (se-02, se-03), the HV key, the service.

TOKENS=/var/lib/dom0-middleware/tokens
AUDIT=/var/log/dom0-middleware/audit.jsonl
HV=/etc/dom0-middleware/hv

dom0_up() {
    pki
    if [ ! -e "$HV/hv.key.pem" ]; then
        install -d -m 700 /etc/dom0-middleware /run/dom0-middleware /var/log/dom0-middleware \
            /var/lib/dom0-middleware "$TOKENS"
        # Of the day before yesterday, so that yesterday's tokens can be issued.
        ago 172800 token-tool keygen --name lab --alg p256 --out "$HV"
        configure
    fi
    [ -S /run/pcscd/pcscd.comm ] || pcscd_start
    service_start
    card_in 01
    card_in 02
    card_in 03
}

# Runs a program with a clock that is slow by so many seconds.
ago() { # SECONDS COMMAND..
    local seconds=$1 library
    shift
    library=$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)
    LD_PRELOAD=$library FAKETIME="-$seconds" "$@"
}

configure() {
    (umask 077 && echo 1234 >/etc/dom0-middleware/pin)
    cat >/etc/dom0-middleware/dom0-middleware.toml <<TOML
[xenstore]
enabled = true
[vchan]
enabled = true
[[hv]]
cert = "$HV/hv.cert.pem"
key = "$HV/hv.key.pem"
[[card_source]]
kind = "pcsc"
seid = "se-01"
reader = "Virtual PCD 00 00"
[[card_source]]
kind = "vicc"
seid = "se-02"
socket = "/run/dom0-middleware/se-02.sock"
[[card_source]]
kind = "vicc"
seid = "se-03"
socket = "/run/dom0-middleware/se-03.sock"
$(for card in 01 02 03; do
        printf '[[card]]\nseid = "se-%s"\npin_file = "/etc/dom0-middleware/pin"\n' $card
    done)
TOML
    # Without KVM xenstored alone takes longer than the service waits by default.
    [ "$accelerator" = kvm ] || cat >>/etc/dom0-middleware/dom0-middleware.toml <<TOML
[limits]
domain_read_ms = 3000
hello_ms = 20000
peer_wait_ms = 8000
peer_wait_alone_ms = 40000
handshake_ms = 60000
TOML
}

pcscd_start() {
    pcscd_alone
    wait_for 20 "pcscd has its virtual reader" listening 35963
}

pcscd_alone() { # [OPTION OF pcscd..]
    rm -f /run/pcscd/*
    setsid pcscd --foreground "$@" >>"$W/pcscd.log" 2>&1 </dev/null &
    wait_for 20 "pcscd listens" test -S /run/pcscd/pcscd.comm
}

pcscd_kill() {
    local process
    process=$(pgrep -x pcscd)
    kill -KILL "$process"
    wait_for 20 "pcscd is gone" process_ended "$process"
}

service_runs() { dom0-middleware status; }

service_start() {
    ! service_runs >/dev/null 2>&1 || return 0
    setsid dom0-middleware serve --config /etc/dom0-middleware/dom0-middleware.toml \
        >>"$W/dom0-middleware.log" 2>&1 </dev/null &
    echo $! >"$W/service.pid"
    wait_for 60 "the service runs" service_runs
}

service_kill() { # SIGNAL
    kill "-$1" "$(cat "$W/service.pid")"
    wait_for 30 "the service has ended" process_ended "$(cat "$W/service.pid")"
}

process_ended() { [ ! -d "/proc/$1" ] || has '^State:.Z' "/proc/$1/status"; }

# Puts the card of guest NN into its reader, if it is not there.
card_in() { # NN
    local dir=$W/card-$1 reader=/run/dom0-middleware/se-$1.sock
    [ "$1" != 01 ] || reader=127.0.0.1:35963
    if [ ! -e "$dir" ]; then
        identity_on "$dir" "web$1"
        # Guest 03 can share this one.
        [ "$1" != 02 ] || identity_on "$dir" web03
    fi
    if [ ! -e "$dir.pid" ] || process_ended "$(cat "$dir.pid")"; then
        setsid soft-card serve --connect "$reader" --dir "$dir" ${CARD_OPTIONS:-} \
            >>"$W/soft-card.log" 2>&1 </dev/null &
        echo $! >"$dir.pid"
    fi
    wait_for 60 "card se-$1 is present" card_present "$1"
}

identity_on() { # FOLDER_OF_CARD NAME
    soft-card personalise --dir "$1" --name "$2" --key "$W/pki/$2.key" --cert "$W/pki/$2.pem" \
        --ca "$W/pki/ca.pem" --pin-file /etc/dom0-middleware/pin
}

card_out() { # NN
    kill "$(cat "$W/card-$1.pid")"
    wait_for 60 "card se-$1 is gone" card_absent "$1"
}

card_present() { dom0-middleware card list | has "^se-$1 .*present"; }
card_absent() { ! card_present "$1"; }

uuid() { echo "7e55e2a0-0000-4000-8000-0000000000$1"; }

is_bound() { dom0-middleware vm list | has "$(uuid "$1")"; }

bind() { # NN
    is_bound "$1" || bind_to "$1" "se-$1"
}

# Guest 02 lets others have other identities of its card.
bind_to() { # NN SEID
    local shared=()
    [ "$2" != se-02 ] || shared=(--shared)
    dom0-middleware vm bind "$(uuid "$1")" --card "$2" --identity "web$1" --trust "$W/pki/ca.pem" \
        "${shared[@]}"
}

# A token for the key of guest NN, where the service looks for it.
issue() { # NN [OPTION OF token-tool issue..]
    local nn=$1
    shift
    token-tool issue --hv-cert "$HV/hv.cert.pem" --hv-key "$HV/hv.key.pem" --vm "$(uuid "$nn")" \
        --vm-cert "$W/pki/web$nn.pem" --agent-key "$W/guest-$nn.pub.pem" --out "$TOKENS" "$@"
}

# How many lines of the audit have all these patterns.
audit_count() { # PATTERN..
    local lines pattern
    lines=$(cat "$AUDIT")
    for pattern; do lines=$(grep -E -- "$pattern" <<<"$lines" || true); done
    grep -c . <<<"$lines" || true
}

audit_has() { [ "$(audit_count "$@")" -gt 0 ]; }

audit_good() {
    dom0-middleware audit verify "$AUDIT" --hv-cert "$HV/hv.cert.pem" \
        --state /var/lib/dom0-middleware/state.db
}
