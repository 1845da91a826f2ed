"""What TLS servers show: ECDSA P-256, signed by itself."""

from lib.certs import Certificate, openssl


def self_signed(folder):
    made = Certificate(folder / "server.crt", folder / "server.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", 30, "-subj", "/CN=bench", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.crt)
    return made
