# shellcheck shell=bash disable=SC2154
# For scenarios: a CA, a server www.example, one certificate for each card, made by openssl.

pki() {
    [ ! -e "$W/pki/done" ] || return 0
    mkdir -p "$W/pki"
    local name
    (
        cd "$W/pki"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=CA \
            -keyout ca.key -out ca.pem -days 3650
        for name in www.example web01 web02 web03; do
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                -subj "/CN=$name" -keyout "$name.key" -out "$name.csr"
            printf 'subjectAltName=DNS:%s\n' "$name" | openssl x509 -req -in "$name.csr" -CA ca.pem \
                -CAkey ca.key -CAcreateserial -days 3650 -extfile /dev/stdin -out "$name.pem"
        done
    ) 2>"$W/pki/openssl.log"
    touch "$W/pki/done"
}

# A TLS server in dom0, until the end of the scenario; it takes only clients with a certificate.
server() { # PORT [OPTION OF s_server..]
    local port=$1
    shift
    openssl s_server -accept "$DOM0_IP:$port" -cert "$W/pki/www.example.pem" \
        -key "$W/pki/www.example.key" -CAfile "$W/pki/ca.pem" -Verify 2 -verify_return_error \
        "$@" >"$W/server-$port.log" 2>&1 </dev/null &
    at_end+=("kill $! 2>/dev/null")
    wait_for 20 "a TLS server listens at port $port" listening "$port"
}

listening() { ss -Hltn "sport = :$1" | has .; }
