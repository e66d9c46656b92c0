#!/usr/bin/env python3
"""Fetches a page over a socket of its own: fetch_socket.py AGENT_SOCKET HOST:PORT SERVER_NAME

The socket comes with the agent's answer (mode "socket"). Its records are the kernel's where kernel
TLS can be had; then the end of the data is an error (EIO), and the agent says what it means.
"""

import errno
import json
import socket
import sys


def ask(agent, question):
    """One request, one answer."""
    with socket.socket(socket.AF_UNIX) as app:
        app.connect(agent)
        app.sendall(json.dumps(question).encode() + b"\n")
        return json.loads(app.makefile("rb").readline())


def connect(agent, **wish):
    """The socket of the request, to be closed last, the plaintext, and what the agent says."""
    request = socket.socket(socket.AF_UNIX)
    request.connect(agent)
    request.sendall(json.dumps({**wish, "mode": "socket"}).encode() + b"\n")
    line, fds = b"", []
    while not line.endswith(b"\n"):
        part, more, _, _ = socket.recv_fds(request, 65536, 1)
        if not part:
            sys.exit("the agent broke off")
        line, fds = line + part, fds + more
    answer = json.loads(line)
    if "error" in answer:
        sys.exit("{code}: {message}".format(**answer["error"]))
    return request, socket.socket(fileno=fds[0]), answer["established"]


def read_all(agent, plaintext, session):
    """All that the server sends; ends the program if some of it is missing."""
    data, part = b"", b"first"
    while part != b"":
        try:
            part = plaintext.recv(65536)
            data += part
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            part = None  # the next record is no data
        if not part:
            ended = ask(agent, {"ended": {"session": session}})["ended"]
            if ended["how"] == "closed":
                break
            if ended["how"] != "open":
                sys.stdout.buffer.write(data)
                sys.exit("the page was cut short: " + ended["message"])
    return data


def main():
    agent, destination, server_name = sys.argv[1:]
    request, plaintext, established = connect(agent, connect=destination, server_name=server_name)
    print("{version} {cipher_suite} via {via}".format(**established), file=sys.stderr)
    plaintext.sendall(f"GET / HTTP/1.0\r\nHost: {server_name}\r\n\r\n".encode())
    sys.stdout.buffer.write(read_all(agent, plaintext, established["session"]))
    plaintext.close()
    request.close()


main()
