# shellcheck shell=bash disable=SC2154
# For scenarios: guests. Guest NN is the domain webNN with the address 10.77.0.NN; its root is
# busybox and domu-agent in a ramdisk.

# The ramdisk of guest NN, with the key of its channel, which is made here as an administrator who
# prepares images would. `guest_image NN nokey` leaves the key to the guest.
guest_image() { # NN [nokey]
    local nn=$1 root=$W/guest-$1 base=$W/guest-base.cpio
    if [ ! -e "$base" ]; then
        local tree=$W/guest-base
        mkdir -p "$tree/programs"
        cp /lab/inside/guest-init "$tree/init"
        cp /lab/inside/agent-start /programs/bin/{domu-agent,transfer} "$tree/programs/"
        cp /programs/bin/vchan_bench* "$tree/programs/" 2>/dev/null || true
        chmod +x "$tree/init" "$tree"/programs/*
        { cat /boot/guest.cpio && archive "$tree"; } >"$base"
    fi
    rm -rf "$root"
    install -d "$root/etc/domu-agent"
    local hv
    hv=$(openssl x509 -in "$HV/hv.cert.pem" -outform DER | sha256sum | cut -c 1-64)
    cat >"$root/etc/domu-agent/domu-agent.toml" <<TOML
[dom0]
kind = "vchan"
key_file = "/etc/domu-agent/channel.key.pem"
hv_pins = ["SHA256:$hv"]
[[allow]]
modes = ["stream", "socket", "keys"]
TOML
    if [ "${2:-}" != nokey ]; then
        local key=$W/guest-$nn.key.pem
        if [ ! -e "$key" ]; then
            (umask 077 && openssl genpkey -algorithm ed25519 -out "$key")
            openssl pkey -in "$key" -pubout -out "$W/guest-$nn.pub.pem"
        fi
        install -m 600 "$key" "$root/etc/domu-agent/channel.key.pem"
    fi
    { cat "$base" && archive "$root"; } >"$W/guest-$nn.cpio"
}

archive() { (cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet); }

guest_create() { # NN [SETTING OF xl..]
    local nn=$1
    shift
    [ -e "$W/guest-$nn.cpio" ] || guest_image "$nn"
    cat >"$W/web$nn.cfg" <<CFG
name = "web$nn"
uuid = "$(uuid "$nn")"
type = "pv"
kernel = "/boot/vmlinux"
ramdisk = "$W/guest-$nn.cpio"
cmdline = "console=hvc0 quiet loglevel=4 lab_address=10.77.0.$((10#$nn + 10))"
memory = 192
vcpus = 1
vif = [ "bridge=xenbr0,script=/lab/inside/vif-lab" ]
on_crash = "destroy"
CFG
    xl create "$W/web$nn.cfg" "$@"
}

domid() { xl domid "web$1"; }
guest_exists() { xl domid "web$1"; }
guest_gone() { ! guest_exists "$1"; }

guest_destroy() { # NN
    ! guest_exists "$1" >/dev/null 2>&1 || xl destroy "web$1"
    wait_for 60 "guest $1 is gone" guest_gone "$1"
}

# Runs a command in guest NN, as root; its output, its status.
in_guest() { # NN COMMAND
    local answer status
    answer=$(printf '( %s\n) </dev/null 2>&1; printf "\\n=%%s=" $?; exit\n' "$2" |
        socat -t 900 - "TCP:10.77.0.$((10#$1 + 10)):7000,connect-timeout=5") || return 99
    status=${answer##*$'\n='}
    status=${status%=}
    printf '%s\n' "${answer%$'\n='*}"
    [[ $status =~ ^[0-9]+$ ]] || return 99
    return "$status"
}

answers() { in_guest "$1" true; }
connected() { in_guest "$1" 'domu-agent status'; }
not_connected() { answers "$1" && ! connected "$1"; }

# Guest NN runs, is bound, has its token, and its agent is connected to dom0.
guest_up() { # NN
    dom0_up
    [ -e "$W/guest-$1.cpio" ] || guest_image "$1"
    bind "$1"
    [ -e "$TOKENS/$(uuid "$1").token" ] || issue "$1"
    guest_exists "$1" >/dev/null 2>&1 || guest_create "$1"
    wait_for 120 "guest $1 answers" answers "$1"
    wait_for 60 "the agent of guest $1 is connected" connected "$1"
}

# Fetches a page of a server in dom0 in guest NN; prints what matters of it: the session, as both ends
# see it, whose certificate the server has seen, and errors.
fetch() { # NN PORT [OPTION OF domu-agent connect..]
    local nn=$1 port=$2 page status=0
    shift 2
    page=$(in_guest "$nn" "printf 'GET / HTTP/1.0\r\n\r\n' |
        domu-agent connect $DOM0_IP:$port --server-name www.example $*") || status=$?
    grep -E '^established|^New|^Reused|^ *Subject: |^domu-agent' <<<"$page" || true
    return $status
}

# A TLS connection of guest NN that stays, to a server that sends each line back reversed.
session_open() { # NN PORT
    in_guest "$1" "rm -f /tmp/lines /tmp/echo; mkfifo /tmp/lines
        setsid domu-agent connect $DOM0_IP:$2 --server-name www.example \
            <>/tmp/lines >/tmp/echo 2>/tmp/session.log &
        echo \$! >/tmp/session.pid"
    session_ready() { in_guest "$1" 'grep -q . /tmp/session.log'; }
    wait_for 30 "the session of guest $1 stands or failed" session_ready "$1"
    in_guest "$1" 'cat /tmp/session.log; grep -q "^established" /tmp/session.log'
}

session_echoes() { # NN LINE REVERSED
    in_guest "$1" "echo $2 >/tmp/lines"
    session_has() { in_guest "$1" "grep -q '$2' /tmp/echo"; }
    wait_for 30 "the session of guest $1 carries '$2'" session_has "$1" "$3"
}

# Sets agent_seconds: from the start of the agent of guest NN until dom0 had let it in.
agent_times() { # NN
    noted() { in_guest "$1" 'test -s /run/agent-connected'; }
    wait_for 30 "the agent has noted when it was connected" noted "$1"
    agent_seconds=$(in_guest "$1" 'cat /run/agent-started /run/agent-connected' |
        awk 'NF { t[n++] = $1 } END { printf "%.2f", t[1] - t[0] }')
}
