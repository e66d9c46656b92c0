#!/usr/bin/env python3
"""Fetches a page through the agent: fetch.py AGENT_SOCKET HOST:PORT SERVER_NAME"""

import json
import socket
import sys

agent, destination, server_name = sys.argv[1:]
app = socket.socket(socket.AF_UNIX)
app.connect(agent)
request = {"connect": destination, "server_name": server_name}
app.sendall(json.dumps(request).encode() + b"\n")

received = app.makefile("rb")  # one buffer for the answer and the plaintext behind it
answer = json.loads(received.readline())
if "error" in answer:
    sys.exit("{code}: {message}".format(**answer["error"]))
print("{version} {cipher_suite}".format(**answer["established"]), file=sys.stderr)

app.sendall(f"GET / HTTP/1.0\r\nHost: {server_name}\r\n\r\n".encode())
sys.stdout.buffer.write(received.read())
try:
    app.send(b"")  # sends nothing, and fails if the agent has closed both directions
except BrokenPipeError:
    sys.exit("the page was cut short")
