"""Keys and certificates, made by the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


def openssl(*words, stdin=None):
    done = subprocess.run(["openssl", *map(str, words)], input=stdin,
                          capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclass(frozen=True)
class Certificate:
    crt: Path
    key: Path

    def der(self):
        return openssl("x509", "-in", self.crt, "-outform", "DER")

    def sign(self, message: bytes):
        """RSA over SHA-256 (JWT's RS256)."""
        return openssl("dgst", "-sha256", "-sign", self.key, stdin=message)


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name="Test CA"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = Certificate(self.folder / "ca.crt", self.folder / "ca.key")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30,
                "-subj", f"/CN={name}", "-keyout", self.ca.key, "-out", self.ca.crt)

    def issue(self, name, hosts=("127.0.0.1", "::1", "localhost"), is_client=False,
              subject=None):
        """SUBJECT: who it is of, where that is not /CN=NAME."""
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.ext"
        names = [f"{'IP' if host[0] in '0123456789:' else 'DNS'}:{host}" for host in hosts]
        usage = "clientAuth" if is_client else "serverAuth"
        extensions.write_text(
            f"subjectAltName={','.join(names)}\nextendedKeyUsage={usage}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject or f"/CN={name}",
                "-keyout", made.key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca.crt, "-CAkey", self.ca.key,
                "-CAcreateserial", "-days", 30, "-extfile", extensions, "-out", made.crt)
        return made
