#!/usr/bin/env python3
"""What this kernel does with TLS sockets where its documentation leaves it open.

Each fact is one that the agent's choice of a form rests on; a fact that is not so ends this with 1.
Needs a loopback and the module tls.
"""

import errno
import os
import socket
import struct
import sys
import threading

SOL_TLS, TLS_TX, TLS_RX, TCP_ULP = 282, 1, 2, 31
TLS_SET_RECORD_TYPE = 1
ALERT, HANDSHAKE = 21, 22
CLOSE_NOTIFY = b"\x01\x00"


def keys(version, sequence=0, key=b"k" * 16):
    """struct tls12_crypto_info_aes_gcm_128"""
    iv, salt = b"i" * 8, b"s" * 4
    return struct.pack("=HH8s16s4s8s", version, 51, iv, key, salt, struct.pack(">Q", sequence))


def pair(version, receive=True):
    """Two ends of one connection: the first sends, the second receives."""
    listener = socket.create_server(("127.0.0.1", 0))
    sender = socket.create_connection(listener.getsockname())
    receiver, _ = listener.accept()
    for end in (sender, receiver):
        end.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        end.settimeout(10)
    sender.setsockopt(SOL_TLS, TLS_TX, keys(version))
    if receive:
        receiver.setsockopt(SOL_TLS, TLS_RX, keys(version))
    return sender, receiver


def send_record(sender, kind, content):
    sender.sendmsg([content], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([kind]))])


def error_of(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def expect(what, got, *expected):
    good = got in expected
    print("ok  " if good else "NOT ", f"{what}: {got}")
    return good


def facts():
    tls12, tls13 = 0x0303, 0x0304
    for version in (tls12, tls13):
        name = "TLS 1.2" if version == tls12 else "TLS 1.3"
        sender, receiver = pair(version)
        sender.sendall(b"data")
        send_record(sender, HANDSHAKE, b"\x04\x00\x00\x00")
        yield expect(f"{name}: read, data before a handshake message", receiver.recv(64), b"data")
        yield expect(f"{name}: read, a handshake message", error_of(receiver.recv, 64), "EIO")
        data, control, *_ = receiver.recvmsg(64, 64)
        yield expect(f"{name}: recvmsg, its type", control[0][2][0], HANDSHAKE)
        sender.sendall(b"data")
        send_record(sender, ALERT, CLOSE_NOTIFY)
        sender.close()
        yield expect(f"{name}: read, data before close_notify", receiver.recv(64), b"data")
        yield expect(f"{name}: read, close_notify", error_of(receiver.recv, 64), "EIO")
        yield expect(f"{name}: read, again", error_of(receiver.recv, 64), "EIO")
        data, control, *_ = receiver.recvmsg(64, 64)
        yield expect(f"{name}: recvmsg, close_notify", (control[0][2][0], data), (ALERT, CLOSE_NOTIFY))
        yield expect(f"{name}: read, behind it", receiver.recv(64), b"")

    # What was queued before the keys were set is opened with them.
    sender, receiver = pair(tls12, receive=False)
    sender.sendall(b"early")
    receiver.setsockopt(SOL_TLS, TLS_RX, keys(tls12))
    yield expect("TLS 1.2: data before TLS_RX was set", receiver.recv(64), b"early")

    # A KeyUpdate wants other keys for the next record (RFC 8446 section 4.6.3).
    sender, receiver = pair(tls13)
    again = error_of(sender.setsockopt, SOL_TLS, TLS_TX, keys(tls13, key=b"n" * 16))
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if release < (6, 14):
        yield expect("TLS 1.3: new keys for sending", again, "EBUSY")
    else:
        print("     TLS 1.3: new keys for sending:", again)

    # Keys can be read back by whoever has the descriptor.
    sender, _ = pair(tls12)
    info = sender.getsockopt(SOL_TLS, TLS_TX, 40)
    yield expect("TLS 1.2: keys read back from the socket", info[12:28], b"k" * 16)

    # A holder that shuts the connection down wakes another that waits in send.
    sender, receiver = pair(tls12)
    sender.settimeout(None)
    sent, ended = [], []

    def fill():
        while not ended:
            outcome = error_of(sender.send, b"x" * 65536)
            (sent if isinstance(outcome, int) else ended).append(outcome)

    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    before = -1
    while len(sent) != before:  # until it waits
        before = len(sent)
        filler.join(2)
    sender.shutdown(socket.SHUT_RDWR)
    filler.join(60)
    yield expect("TLS 1.2: a sender that waits, after shutdown", ended, ["EPIPE"])


sys.exit(0 if all(list(facts())) else 1)
