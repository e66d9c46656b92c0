# Mode "socket" in a guest: 100 MB to a server and back, every byte compared. In TLS 1.2 the kernel
# seals and opens the records; in TLS 1.3 the agent does.
guest_up 01
echo_server() { # PORT VERSION
    socat "OPENSSL-LISTEN:$1,bind=$DOM0_IP,reuseaddr,fork,cert=$W/pki/www.example.pem,key=$W/pki/www.example.key,cafile=$W/pki/ca.pem,verify=1,openssl-min-proto-version=$2,openssl-max-proto-version=$2" PIPE &
    at_end+=("kill $!")
    wait_for 20 "an echo server listens at port $1" listening "$1"
}
transfer() { # PORT VIA
    in_guest 01 "transfer $DOM0_IP:$1 www.example 100" | tee "$W/transfer"
    expect "the socket is of the kind $2" "\"via\": ?\"$2\"" "$W/transfer"
    figure "mode socket by $2, each way" "$(awk '/^sent and received/ { print $4 / $7 }' "$W/transfer")" MB/s
}
in_guest 01 'domu-agent status' | grep -i kernel
echo_server 4438 TLS1.2
echo_server 4439 TLS1.3
transfer 4438 ktls
transfer 4439 relay
