"""A certificate for localhost, made by the openssl command: an authority of its own, and what it has signed.

Two certificates, since strict clients take none that is both.
"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.kernel.support import need_tool

__all__ = ("Certificate", "certificate")

_LEAF = """
subjectAltName = DNS:localhost, IP:127.0.0.1
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
_AUTHORITY = """
[req]
distinguished_name = dn
x509_extensions = authority
[dn]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
"""


class Certificate(NamedTuple):
    """Paths of PEM files."""

    authority: Path  # what clients are told to trust
    chain: Path
    key: Path

    def context(self, *protocols: str) -> ssl.SSLContext:
        """For a server that offers these protocols."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def certificate(folder: Path) -> Certificate:
    """Makes one, good for two days."""
    need_tool("openssl")
    (folder / "authority.cnf").write_text(_AUTHORITY)
    (folder / "leaf.cnf").write_text(_LEAF)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")
    for words in (
        ("req", "-x509", *key, "authority.key", "-out", "authority.pem", "-days", "2", "-subj", "/CN=ebtrace tests", "-config", "authority.cnf"),
        ("req", "-new", *key, "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost", "-config", "authority.cnf"),
        ("x509", "-req", "-in", "leaf.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-set_serial", "2", "-days", "2", "-extfile",
         "leaf.cnf", "-out", "leaf.pem"),
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)
    for file in folder.iterdir():
        file.chmod(0o644)  # a server that is a target may run as another user
    return Certificate(folder / "authority.pem", folder / "leaf.pem", folder / "leaf.key")
