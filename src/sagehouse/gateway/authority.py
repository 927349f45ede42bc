"""The house's own certificate authority: TLS for AWS's host names and for this machine, and for nothing else.

The authority's certificate constrains the names it may vouch for, so its key is worth nothing elsewhere.
"""

import contextlib
import ipaddress
import os
import re
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sagehouse.ports.clock import Clock
from sagehouse.wire.addressing import is_aws_host

_AUTHORITY_DAYS = 3650
_LEAF_DAYS = 390  # clients refuse certificates that live longer than 398 days
_RENEWAL_DAYS = 30  # before the end a certificate is made anew
_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "aws", "localhost", "sagehouse.internal")
_NETWORKS = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
_HERE = ("localhost", "127.0.0.1", "::1")
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, SUSE and Alpine keep what the machine's owner trusts; OpenSSL's own default is often absent."""
_MEMORY_LIMIT = 512  # TLS contexts, one per host name, about 50 kB each
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Authority:
    """Issues certificates below one directory: authority.pem, authority-key.pem (0600), hosts/NAME.pem (0600)."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._contexts: dict[str, ssl.SSLContext] = {}
        (directory / "hosts").mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        self._certificate, self._key = self._load() or self._create()

    @property
    def certificate(self) -> Path:
        """The authority's certificate in PEM, for clients to trust."""
        return self._directory / "authority.pem"

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS context of a listener: the certificate follows the host name that the client asks for."""
        context = self.context("localhost")

        def choose(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            if name and is_aws_host(name):
                connection.context = self.context(name.lower().rstrip("."))

        context.sni_callback = choose
        return context

    def context(self, host: str) -> ssl.SSLContext:
        """Return the TLS context that speaks for a host; the one of "localhost" also speaks for its addresses."""
        if host not in self._contexts:
            while len(self._contexts) >= _MEMORY_LIMIT:
                del self._contexts[next(iter(self._contexts))]
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._leaf(host))
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[host] = context
        return self._contexts[host]

    def bundle(self, path: Path, *, extra: Iterable[Path] = ()) -> None:
        """Write this authority, then every certificate the machine and `extra` files trust, each once.

        A program that trusts the bundle trusts sagehouse and whatever it trusted before. The bundle may itself be among
        `extra`: a house started again from a shell that is pointed at it has no other word of what that shell trusted.
        """
        blocks = dict.fromkeys(_CERTIFICATE.findall(self.certificate.read_bytes()))
        for source in (*extra, *_trusted_files()):
            if source.is_file():
                blocks |= dict.fromkeys(_CERTIFICATE.findall(source.read_bytes()))
        _write(path, b"\n".join(blocks) + b"\n", mode=0o644)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def _is_fresh(self, certificate: x509.Certificate) -> bool:
        now = self._now()
        ends = certificate.not_valid_after_utc - timedelta(days=_RENEWAL_DAYS)
        return certificate.not_valid_before_utc <= now < ends

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        """Return the authority of an earlier start; None if there is none, or it is damaged or about to end."""
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), password=None)
        except (OSError, ValueError):
            return None
        is_ours = isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == certificate.public_key()
        if not is_ours or not self._is_fresh(certificate):
            return None
        return certificate, key  # type: ignore[return-value]  # is_ours has checked the type

    @property
    def _key_path(self) -> Path:
        return self._directory / "authority-key.pem"

    def _create(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("sagehouse local authority")
        permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in _DOMAINS]
        permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in _NETWORKS]
        certificate = (
            self._builder(name, key.public_key(), issuer=name, days=_AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        for stale in (self._directory / "hosts").iterdir():
            stale.unlink()
        _write(self._key_path, _pem_key(key), mode=0o600)
        _write(self.certificate, _pem(certificate), mode=0o644)
        return certificate, key

    def _leaf(self, host: str) -> Path:
        """Return the file with a host's certificate and key, made anew if there is none that is good."""
        path = self._directory / "hosts" / f"{re.sub(r'[^a-z0-9.-]', '_', host)[:200]}.pem"
        with contextlib.suppress(OSError, ValueError):
            if self._is_fresh(x509.load_pem_x509_certificate(path.read_bytes())):
                return path
        key = ec.generate_private_key(ec.SECP256R1())
        names = _HERE if host == "localhost" else (host,)
        issuer = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            self._builder(_name(host[:64]), key.public_key(), issuer=self._certificate.subject, days=_LEAF_DAYS)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write(path, _pem(certificate) + _pem(self._certificate) + _pem_key(key), mode=0o600)
        return path

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, issuer: x509.Name, days: int
    ) -> x509.CertificateBuilder:
        now = self._now()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))  # clocks differ
            .not_valid_after(now + timedelta(days=days))
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Replace a file in one step; it never exists with a wider mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:  # NamedTemporaryFile creates with 0600
        file.write(data)
        os.fchmod(file.fileno(), mode)
    Path(file.name).replace(path)


def _trusted_files() -> list[Path]:
    """Return the bundles this machine's programs trust by default, the system's first."""
    paths = ssl.get_default_verify_paths()
    found = [Path(name) for name in (paths.cafile, paths.openssl_cafile, *_SYSTEM_BUNDLES) if name]
    for package, name in (("certifi", "cacert.pem"), ("botocore", "cacert.pem")):
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            found.append(Path(spec.submodule_search_locations[0]) / name)
    return found
