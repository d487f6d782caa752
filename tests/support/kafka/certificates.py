"""Certificates for servers of tests."""

import ssl
import subprocess
from pathlib import Path


def certificate(directory: Path, name: str, days: int) -> tuple[str, ssl.SSLContext]:
    """One that signs itself, for a host, and that ends (or has ended) in so many days; and what a server shows it with."""
    cert, key, asked, names = (str(directory / name) for name in ("cert.pem", "key.pem", "csr.pem", "names"))
    Path(names).write_text(f"subjectAltName={name}\n")
    ask = ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout", key, "-out", asked]
    sign = ["openssl", "x509", "-req", "-in", asked, "-signkey", key, "-extfile", names, "-days", str(days), "-out", cert]
    for command in (ask, sign):
        subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context
