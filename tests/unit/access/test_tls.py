"""TLS: each key of the section does what Go's does, or is refused."""

import ssl

import certificates
import pytest
import trustme
from certificates import CA, OTHER_CA, pems, shake, trusting

from exporter.access.tls import Pems, following, make_context
from exporter.access.web_format import TlsServer, WebConfigError

pytestmark = pytest.mark.dashboard
SERVER = CA.issue_cert("localhost")
OURS = pems(SERVER)
ASKING = pems(SERVER, CA.cert_pem.bytes())
REQUIRED = "RequireAndVerifyClientCert"


def test_only_new_versions_by_default() -> None:
    context = make_context(TlsServer(), OURS)
    assert shake(context, trusting()).version() == "TLSv1.3"
    older = trusting()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(context, older).version() == "TLSv1.2"
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_versions_can_be_chosen() -> None:
    older, newer = trusting(), trusting()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    newer.minimum_version = ssl.TLSVersion.TLSv1_3
    for tls, refused, version in (
        (TlsServer(min_version="TLS13"), older, "TLSv1.3"),
        (TlsServer(max_version="TLS12"), newer, "TLSv1.2"),
    ):
        context = make_context(tls, OURS)
        assert shake(context, trusting()).version() == version
        with pytest.raises(ssl.SSLError):
            shake(context, refused)


def test_suites_are_those_of_the_file_in_its_order() -> None:
    older = trusting()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    names = ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
             "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")  # fmt: skip
    found = shake(make_context(TlsServer(cipher_suites=names), OURS), older).cipher()
    assert found
    assert found[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    older.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    with pytest.raises(ssl.SSLError):
        shake(make_context(TlsServer(cipher_suites=names), OURS), older)
    older.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    for prefer, name in ((True, "AES256"), (False, "AES128")):
        tls = TlsServer(cipher_suites=names, prefer_server_cipher_suites=prefer)
        found = shake(make_context(tls, OURS), older).cipher()
        assert found
        assert name in found[0]


def test_a_curve_can_be_chosen() -> None:
    client = trusting()
    client.set_ecdh_curve("prime256v1")
    shake(make_context(TlsServer(curve_preferences=("CurveP256",)), OURS), client)
    with pytest.raises(ssl.SSLError):
        shake(make_context(TlsServer(curve_preferences=("CurveP384",)), OURS), client)


@pytest.mark.parametrize(
    ("kind", "nobody", "stranger", "client"),
    [
        ("NoClientCert", True, True, True),
        ("RequestClientCert", True, True, True),
        ("VerifyClientCertIfGiven", True, False, True),
        (REQUIRED, False, False, True),
    ],
)
def test_clients_with_and_without_certificates(kind: str, nobody: bool, stranger: bool, client: bool) -> None:
    context = make_context(TlsServer(client_auth_type=kind), OURS if kind == "NoClientCert" else ASKING)
    for certificate, accepted in (
        (None, nobody), (OTHER_CA.issue_cert("worker"), stranger), (CA.issue_cert("worker"), client),
    ):  # fmt: skip
        if accepted:
            shake(context, trusting(client=certificate))
        else:
            with pytest.raises(ssl.SSLError):
                shake(context, trusting(client=certificate))


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("good.example", True), ("::1", True), ("10.0.0.7", True), ("me@good.example", True), ("worker.good.example", False),
     ("*.good.example", False), ("10.0.0.8", False), ("bad.example", False)],
)  # fmt: skip
def test_names_of_clients(name: str, accepted: bool) -> None:
    allowed = ("good.example", "0:0:0:0:0:0:0:1", "10.0.0.7", "me@good.example")
    context = make_context(TlsServer(client_auth_type=REQUIRED, client_allowed_sans=allowed), ASKING)
    client = trusting(client=CA.issue_cert(name))
    if accepted:
        shake(context, client)
    else:
        with pytest.raises(ssl.SSLCertVerificationError, match="client_allowed_sans"):
            shake(context, client)


def encrypted() -> bytes:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(OURS.key, None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


WRONG: list[tuple[TlsServer, Pems, str]] = [
    (TlsServer(), Pems(OURS.cert, pems(CA.issue_cert("x")).key, b""), "the key does not belong to the certificate"),
    (TlsServer(), Pems(b"x", OURS.key, b""), "the certificate is not one in PEM"),
    (TlsServer(), Pems(OURS.cert, OURS.cert, b""), "the key is not a private key in PEM"),
    (TlsServer(), Pems(OURS.cert[:200], OURS.key, b""), "the certificate or its key cannot be read"),
    (TlsServer(), Pems(OURS.cert, OURS.key[:100], b""), "the certificate or its key cannot be read"),
    (TlsServer(), Pems(OURS.cert, encrypted(), b""), "the key is encrypted; it must be without a passphrase"),
    (TlsServer(min_version="TLS11"), OURS, "min_version: TLS11 is not secure; expected TLS12 or TLS13"),
    (TlsServer(min_version="SSL3"), OURS, "min_version: SSL3 is not known; expected TLS12 or TLS13"),
    (TlsServer(min_version="TLS13", max_version="TLS12"), OURS, "min_version is above max_version"),
    (TlsServer(cipher_suites=("TLS_RSA_WITH_RC4_128_SHA",)), OURS, "cipher_suites: TLS_RSA_WITH_RC4_128_SHA is not known"),
    (TlsServer(cipher_suites=("TLS_AES_128_GCM_SHA256",)), OURS, "cipher_suites has none for TLS 1.2"),
    (TlsServer(curve_preferences=("CurveP256", "X25519")), OURS, "only one curve can be chosen"),
    (TlsServer(curve_preferences=("P-1",)), OURS, "curve_preferences: P-1 is not known"),
    (TlsServer(client_auth_type="Always"), OURS, "client_auth_type: Always is not known; expected NoClientCert or Req"),
    (TlsServer(client_auth_type="RequireAnyClientCert"), ASKING, "RequireAnyClientCert verifies nothing"),
    (TlsServer(client_auth_type="RequireClientCert"), ASKING, "RequireClientCert verifies nothing"),
    (TlsServer(client_auth_type=REQUIRED), OURS, f"client_auth_type: {REQUIRED} needs client_ca_file"),
    (TlsServer(client_auth_type=REQUIRED), Pems(OURS.cert, OURS.key, b"x"), "client_ca_file has no certificates in PEM"),
    (TlsServer(), ASKING, f"client_ca without client_auth_type; expected {REQUIRED}"),
    (TlsServer(client_allowed_sans=("x",)), OURS, "client_allowed_sans needs client_auth_type"),
]  # fmt: skip


@pytest.mark.parametrize(("tls", "given", "words"), WRONG, ids=[words[:40] for _, _, words in WRONG])
def test_what_is_wrong_is_one_sentence(tls: TlsServer, given: Pems, words: str) -> None:
    with pytest.raises(WebConfigError) as error:
        make_context(tls, given)
    assert str(error.value).startswith("tls_server_config: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_comments_of_a_bundle_may_be_of_any_language() -> None:
    bundle = "# CA für Müller\n".encode() + CA.cert_pem.bytes() + OTHER_CA.cert_pem.bytes()
    context = make_context(TlsServer(client_auth_type=REQUIRED), pems(SERVER, bundle))
    shake(context, trusting(client=CA.issue_cert("a")))
    shake(context, trusting(client=OTHER_CA.issue_cert("a")))


def test_each_connection_uses_the_newest_context_as_a_whole() -> None:
    context = following(make_context(TlsServer(), OURS))
    before = shake(context, trusting()).getpeercert()
    new: trustme.LeafCert = OTHER_CA.issue_cert("localhost")
    context.current = make_context(TlsServer(client_auth_type=REQUIRED), certificates.pems(new, CA.cert_pem.bytes()))
    with pytest.raises(ssl.SSLError):
        shake(context, trusting(OTHER_CA))
    after = shake(context, trusting(OTHER_CA, CA.issue_cert("worker"))).getpeercert()
    assert before
    assert after
    assert before["serialNumber"] != after["serialNumber"]
