"""A receiver with a certificate of its own authority, and a wire that takes public addresses to it."""

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from houfu.kernel.clock import SystemClock
from houfu.webhooks.wire import Wire

HOST, ADDRESS = "hooks.example.com", "93.184.216.34"
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@lru_cache(maxsize=1)
def authority():
    """Return the certificate and key of an authority that only the tests trust."""
    return _certificate("Tests", None, None)


def _certificate(name, dns, issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, issued_by = (issuer[1], issuer[0].subject) if issuer else (key, subject)
    now = SystemClock().now()
    builder = (
        x509.CertificateBuilder(issued_by, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return builder.sign(signer, hashes.SHA256()), key


def trust():
    """Return what the tests' wire trusts: certificates of the tests' own authority alone."""
    return ssl.create_default_context(cadata=authority()[0].public_bytes(Encoding.PEM).decode())


def _server_context(dns):
    certificate, key = _certificate(dns, dns, authority())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = f"{folder}/server.pem"
        with open(path, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
            file.write(certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(path)
    return context


class Listener:
    """Takes connections, reads a request after another, and does as told with each."""

    def __init__(self, respond=OK, tls=True, dns=HOST):
        self.respond = respond if callable(respond) else lambda line: line.sendall(respond)
        self.context = _server_context(dns) if tls else None
        self.requests = []  # (head lines, body)
        self.heard = threading.Condition()
        self.connections = 0
        self.names = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        if self.context:
            self.context.sni_callback = lambda line, name, context: self.names.append(name)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                line, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        with suppress(OSError), line:
            if self.context:
                line = self.context.wrap_socket(line, server_side=True)
            with line:
                while request := self._read(line):
                    with self.heard:
                        self.requests.append(request)
                        self.heard.notify_all()
                    if self.respond(line) == "close":
                        return

    def hear(self, count):
        """Wait until so many requests have come."""
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.requests) >= count, 60)

    @staticmethod
    def _read(line):
        got = b""
        while b"\r\n\r\n" not in got:
            data = line.recv(65536)
            if not data:
                return None
            got += data
        head, _, body = got.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        length = next(int(each.split(":")[1]) for each in lines if each.lower().startswith("content-length"))
        while len(body) < length:
            body += line.recv(65536)
        return lines, body


@contextmanager
def listening(respond=OK, **options):
    """Have a listener while the block runs."""
    listener = Listener(respond, **options)
    try:
        yield listener
    finally:
        listener.socket.shutdown(socket.SHUT_RDWR)
        listener.socket.close()


class Net:
    """The world as the tests' wire sees it: names with their addresses, and what answers at an address."""

    def __init__(self, names=None, ports=None):
        self.names = {HOST: [ADDRESS], **(names or {})}
        self.ports = ports or {}
        self.asked = []
        self.dialled = []

    def resolve(self, host, port):
        self.asked.append(host)
        found = self.names.get(host)
        if found is None:
            raise socket.gaierror(-2, "Name or service not known")
        return found(len(self.asked)) if callable(found) else found

    def dial(self, address, port, seconds):
        self.dialled.append((address, port))
        return socket.create_connection(("127.0.0.1", self.ports[address]), seconds)

    def wire(self, seconds=5.0):
        return Wire(self.resolve, self.dial, trust(), seconds)
