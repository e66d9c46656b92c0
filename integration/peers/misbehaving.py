"""A server by tlslite-ng that asks for a client certificate, echoes, and misbehaves when told to.

    misbehaving.py CERTIFICATE KEY CA 1.2|1.3 [MISBEHAVIOUR[=N]]

It does not judge the client's certificate; the CA is there so that all servers of this folder are
started alike. MISBEHAVIOURS below are the ways to misbehave. See README.md.
"""

import os
import socket
import sys

from tlslite.api import (HandshakeSettings, TLSAbruptCloseError, TLSConnection, TLSLocalAlert,
                         TLSRemoteAlert, X509CertChain, parsePEMKey)
from tlslite.constants import AlertDescription, ContentType, KeyUpdateMessageType
from tlslite.messages import ApplicationData, Finished, Message

MISBEHAVIOURS = {
    "small-records": "no record holds more than N bytes, in the handshake and after",
    "bad-finished": "the server's Finished is wrong",
    "split-tickets": "each NewSessionTicket is spread over two records",
    "empty-records": "N records without data come before each answer",
    "key-updates": "N KeyUpdates come before each answer, every other one asking for ours",
    "hello-requests": "N HelloRequests come before each answer",
    "empty-handshake": "a handshake record without content comes before ServerHello",
}

VERSIONS = {"1.2": (3, 3), "1.3": (3, 4)}
HELLO_REQUEST = bytearray([0, 0, 0, 0])
NO_RENEGOTIATION = bytes([1, AlertDescription.no_renegotiation])


class Server(TLSConnection):
    """A connection that does what it is told."""

    sends_tickets = False

    def __init__(self, sock, misbehaviour, count):
        super().__init__(sock)
        self.misbehaviour = misbehaviour
        self.count = count
        self.declined = 0
        self.answered = 0
        if misbehaviour == "small-records":
            self.recordSize = count

    def _serverSendTickets(self, settings):
        self.sends_tickets = True
        yield from super()._serverSendTickets(settings)
        self.sends_tickets = False

    def _queue_flush(self):
        """Sends the messages in the buffer."""
        usual = self.recordSize
        if self.sends_tickets and self.misbehaviour == "split-tickets":
            self.recordSize = (len(self._buffer) + 1) // 2
            say("split", len(self._buffer), self.recordSize)
        yield from super()._queue_flush()
        self.recordSize = usual

    def _sendMsgs(self, msgs):
        """Sends a flight."""
        if self.misbehaviour == "empty-handshake":
            self.send_as_it_is(Message(ContentType.handshake, bytearray()))
        yield from super()._sendMsgs(msgs)

    def _getNextRecord(self):
        """Tells that the client renegotiates nothing, and reads on: the connection stands."""
        while True:
            for result in super()._getNextRecord():
                if result in (0, 1):
                    yield result
                else:
                    break
            header, parser = result
            if header.type == ContentType.alert and bytes(parser.bytes) == NO_RENEGOTIATION:
                self.declined += 1
                continue
            yield result
            return

    def _handle_keyupdate_request(self, request):
        """The client has changed its key, here because it was asked to."""
        self.answered += 1
        yield from super()._handle_keyupdate_request(request)

    def send_as_it_is(self, message):
        """Sends a message in one record, even without content; no hash takes it in."""
        for _ in self._sendMsg(message, update_hashes=False):
            pass

    def misbehave(self):
        """What comes before an answer."""
        for number in range(self.count):
            if self.misbehaviour == "empty-records":
                self.send_as_it_is(ApplicationData().create(bytearray()))
            elif self.misbehaviour == "hello-requests":
                self.send_as_it_is(Message(ContentType.handshake, HELLO_REQUEST))
            elif self.misbehaviour == "key-updates":
                kind = (KeyUpdateMessageType.update_requested if number % 2
                        else KeyUpdateMessageType.update_not_requested)
                for _ in self.send_keyupdate_request(kind):
                    pass


def say(*words):
    """One line for whoever started the server."""
    print(*words, flush=True)


def alert_name(error):
    """How an alert is called."""
    return AlertDescription.toRepr(error.description)


def spoil_finished():
    """From now on each Finished that is made is wrong."""
    create = Finished.create

    def create_wrong(self, verify_data):
        wrong = bytearray(verify_data)
        wrong[0] ^= 1
        return create(self, wrong)

    Finished.create = create_wrong


def settings_of(version, misbehaviour, ticket_key):
    """One version, and tickets that are good as long as the server runs."""
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = VERSIONS[version]
    settings.versions = [VERSIONS[version]]
    # TLS 1.3 has no others of the usual ones.
    settings.eccCurves = ["x25519", "secp256r1", "secp384r1"]
    settings.ticketKeys = [ticket_key]
    # A buffer is then one ticket.
    settings.ticket_count = 1 if misbehaviour == "split-tickets" else 2
    return settings


def client_certificate(connection):
    """DER of the client's certificate, hexadecimal."""
    chain = connection.session.clientCertChain
    return chain.x509List[0].bytes.hex() if chain and chain.x509List else "-"


def echo(connection):
    """Sends back what comes, until the client's close_notify."""
    while True:
        data = connection.read(max=4096, min=1)
        if not data:
            return
        connection.misbehave()
        connection.write(data)


def serve(connection, chain, key, settings):
    """One connection, from its handshake to its end; says what becomes of it."""
    stage = "failed"
    try:
        connection.handshakeServer(certChain=chain, privateKey=key, reqCert=True,
                                   settings=settings)
        # In TLS 1.3 the library does not say; a server signs in full handshakes alone.
        is_tls13 = connection.version == VERSIONS["1.3"]
        resumed = connection.serverSigAlg is None if is_tls13 else connection.resumed
        kind = "resumed" if resumed else "full"
        version = connection.getVersionName().replace("TLS ", "TLSv")
        say("handshake", version, kind, client_certificate(connection))
        stage = "closed"
        echo(connection)
        say("closed", "in order")
    except TLSRemoteAlert as error:
        say(stage, "by alert", alert_name(error))
    except TLSLocalAlert as error:
        say(stage, "with alert", alert_name(error), error.message or "")
    except (TLSAbruptCloseError, OSError) as error:
        say(stage, "by", type(error).__name__)
    if connection.declined:
        say("declined", connection.declined)
    if connection.answered:
        say("answered", connection.answered)


def read(path):
    """The text of a file."""
    with open(path, encoding="ascii") as file:
        return file.read()


def main(certificate, key, _ca, version, misbehaviour=""):
    """Serves one connection after the other."""
    misbehaviour, _, count = misbehaviour.partition("=")
    if misbehaviour and misbehaviour not in MISBEHAVIOURS:
        sys.exit(f"no misbehaviour {misbehaviour}: there are {', '.join(MISBEHAVIOURS)}")
    if misbehaviour == "bad-finished":
        spoil_finished()
    chain = X509CertChain()
    chain.parsePemList(read(certificate))
    key = parsePEMKey(read(key), private=True)
    settings = settings_of(version, misbehaviour, bytearray(os.urandom(32)))
    listener = socket.create_server(("127.0.0.1", 0))
    say("listening", listener.getsockname()[1])
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Server(client, misbehaviour, int(count or 0))
        serve(connection, chain, key, settings)
        client.close()


main(*sys.argv[1:])
