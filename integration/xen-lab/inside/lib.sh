# shellcheck shell=bash
# For scenarios: what they say and measure, and how they wait. The other parts of this library are in
# files of their own.
export PATH=/programs/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C.UTF-8
DOM0_IP=10.77.0.1
# Files of the scenarios: keys, configuration, logs.
W=/run/lab
at_end=()
# Without KVM, and on a machine that does other things as well, all takes its time.
slowness=4
[ "$accelerator" != kvm ] || slowness=1

fail() {
    echo "FAILED: $*"
    exit 1
}

# Called by the trap on errors: a command that nobody expected to fail.
failed_at() { # LINE COMMAND FILE
    echo "FAILED: $(basename "$3"):$1: ${2:0:160}"
}

end_scenario() {
    local status=$? command log
    if [ $status != 0 ]; then
        for log in "$W"/dom0-middleware.log /var/log/xen/console/guest-*.log; do
            [ ! -e "$log" ] || { echo "--- the end of $log" && tail -n 15 "$log"; }
        done
    fi
    for command in "${at_end[@]}"; do eval "$command" || true; done
}

# Runs a command until it succeeds, and fails with the text when it has not within the time, which is
# what it may take with KVM.
wait_for() { # SECONDS TEXT COMMAND..
    local until=$((SECONDS + $1 * slowness)) text=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || fail "$text: not so"
        sleep 0.1
    done
}

# `grep -q` in a pipe: but reads it to its end, so that who writes does not fail when it has seen enough.
has() { grep "$@" >/dev/null; }

now() { echo "$EPOCHREALTIME"; }

# Seconds between two moments, with two decimals.
between() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'; }

# A number for target/lab/figures.json.
figure() { # NAME VALUE UNIT
    echo "figure $1: $2 $3"
    printf '{"name":"%s","value":%s,"unit":"%s","xenstored":"%s"}\n' "$1" "$2" "$3" "$store" \
        >>/out/figures
}

# A time that the project has a limit for. Without KVM all is slow: then it is only told.
within() { # NAME SECONDS LIMIT
    figure "$1" "$2" s
    [ "$accelerator" = kvm ] || return 0
    awk -v t="$2" -v limit="$3" 'BEGIN { exit !(t <= limit) }' || fail "$1 took $2 s, more than $3 s"
}

expect() { # TEXT PATTERN FILE: the file has a line with the pattern
    grep -qE -- "$2" "$3" || {
        echo "--- $3"
        tail -n 40 "$3"
        fail "$1"
    }
}

. /lab/inside/pki.sh
. /lab/inside/dom0.sh
. /lab/inside/guests.sh
