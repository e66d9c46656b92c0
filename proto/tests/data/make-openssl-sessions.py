#!/usr/bin/env python3
"""Records sessions with `openssl s_server` and prints them as openssl-sessions.txt.

    python3 make-openssl-sessions.py > openssl-sessions.txt

Needs Python's ssl module with OpenSSL 3 and the openssl program. Keys are made for the run and
thrown away. Both ends are OpenSSL: the record layer under test has to open what the server
sealed, and to seal the client's data to the same bytes.
"""

import hashlib
import hmac
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time

SUITES = [
    ("0303", "c02f", "ECDHE-RSA-AES128-GCM-SHA256", "sha256", 40),
    ("0303", "c030", "ECDHE-RSA-AES256-GCM-SHA384", "sha384", 72),
    ("0303", "cca8", "ECDHE-RSA-CHACHA20-POLY1305", "sha256", 88),
    ("0304", "1301", "TLS_AES_128_GCM_SHA256", "sha256", 0),
    ("0304", "1302", "TLS_AES_256_GCM_SHA384", "sha384", 0),
    ("0304", "1303", "TLS_CHACHA20_POLY1305_SHA256", "sha256", 0),
]


def main():
    print("# Sessions between two ends of OpenSSL, made by make-openssl-sessions.py; throw-away keys.")
    print("# client: client says `client N\\n`, server: server says `server N\\n`, in records as sent.")
    print("# update: a KeyUpdate of the server that asks for one of the client, answer: the client's.")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_certificate(folder)
        for suite in SUITES:
            record_session(folder, *suite)


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test",
         "-days", "1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )


def record_session(folder, version, code, name, digest, key_block_len):
    is_tls13 = version == "0304"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chosen = ["-tls1_3", "-ciphersuites", name] if is_tls13 else ["-tls1_2", "-cipher", name]
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", str(port), "-key", folder / "key.pem",
         "-cert", folder / "cert.pem", *chosen],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    try:
        while b"ACCEPT" not in server.stdout.readline():
            pass
        key_log = folder / f"{code}.log"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            session = Session(connection, key_log, is_tls13)
            handshake_end = session.handshake()
            fields = [("version", version), ("cipher_suite", code)]
            fields += keys(key_log, session, digest, key_block_len, is_tls13)
            if not is_tls13:
                fields.append(("client_finished", handshake_end))
            fields += session.talk(server, is_tls13)
    finally:
        server.kill()
        server.wait()
    print(f"\n[{name}]")
    for field, value in fields:
        print(f"{field:<15} = {value}")


class Session:
    """A client whose records can be seen in both directions."""

    def __init__(self, connection, key_log, is_tls13):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.keylog_filename = str(key_log)
        context.minimum_version = context.maximum_version = (
            ssl.TLSVersion.TLSv1_3 if is_tls13 else ssl.TLSVersion.TLSv1_2
        )
        self.connection = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.server_random = None

    def handshake(self):
        """Returns the last record the client sends in it."""
        last = None
        while True:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            for record in split(self.outgoing.read()):
                self.connection.sendall(record)
                last = record
            if done:
                return last.hex()
            self.feed()

    def feed(self):
        """One record of the server, passed on to the engine."""
        header = self.exactly(5)
        record = header + self.exactly(int.from_bytes(header[3:5], "big"))
        if self.server_random is None:
            self.server_random = record[11:43]
        self.incoming.write(record)
        return record

    def exactly(self, length):
        data = b""
        while len(data) < length:
            more = self.connection.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def say(self, text):
        self.tls.write(text)
        return list(split(self.outgoing.read()))

    def hear(self):
        """Records up to the next one with data."""
        records = []
        while True:
            records.append(self.feed())
            try:
                assert self.tls.read(100)
                return records
            except ssl.SSLWantReadError:
                pass

    def talk(self, server, is_tls13):
        fields = []
        (first,) = self.say(b"client 1\n")
        fields.append(("client", first.hex()))
        self.connection.sendall(first)
        command(server, b"server 1\n")
        *tickets, data = self.hear()
        fields += [("ticket", record.hex()) for record in tickets]
        fields.append(("server", data.hex()))
        if is_tls13:
            command(server, b"K\n")
            command(server, b"server 2\n")
            update, data = self.hear()
            fields.append(("update", update.hex()))
            answer, second = self.say(b"client 2\n")
            fields += [("answer", answer.hex()), ("server", data.hex())]
        else:
            command(server, b"server 2\n")
            (data,) = self.hear()
            (second,) = self.say(b"client 2\n")
            fields.append(("server", data.hex()))
        fields.append(("client", second.hex()))
        return fields


def command(server, text):
    server.stdin.write(text)
    server.stdin.flush()
    # s_server reads its input by blocks: let it take one line before the next.
    time.sleep(0.3)


def split(stream):
    while stream:
        length = 5 + int.from_bytes(stream[3:5], "big")
        yield stream[:length]
        stream = stream[length:]


def keys(key_log, session, digest, key_block_len, is_tls13):
    logged = {}
    for line in key_log.read_text().splitlines():
        if not line.startswith("#"):
            label, client_random, secret = line.split()
            logged[label] = (bytes.fromhex(client_random), bytes.fromhex(secret))
    if is_tls13:
        return [
            ("client_secret", logged["CLIENT_TRAFFIC_SECRET_0"][1].hex()),
            ("server_secret", logged["SERVER_TRAFFIC_SECRET_0"][1].hex()),
        ]
    client_random, master_secret = logged["CLIENT_RANDOM"]
    seed = b"key expansion" + session.server_random + client_random
    return [("key_block", p_hash(digest, master_secret, seed)[:key_block_len].hex())]


def p_hash(digest, secret, seed):
    """P_hash of RFC 5246, section 5, as much as any key block needs."""
    mac = lambda data: hmac.new(secret, data, getattr(hashlib, digest)).digest()
    a, out = seed, b""
    while len(out) < 200:
        a = mac(a)
        out += mac(a + seed)
    return out


if __name__ == "__main__":
    main()
