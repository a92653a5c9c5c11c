//! TLS as rustls with ring does it.

use std::{
    io::{Read as _, Write as _},
    path::PathBuf,
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct, RootCertStore, ServerConfig, ServerConnection,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime, pem, pem::PemObject as _},
    server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier},
    version::{TLS12, TLS13},
};

use super::{Certificate, ClientOptions, Path, Pem, Stamp, TcpStream, Timestamp, TlsError, TlsFiles, io};
use crate::config::ClientAuth;

/// Bytes of answers that a session holds before they are sent.
const BUFFER_BYTES: usize = 64 * 1024;

/// The server's side: certificate, key, and what is spoken.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    from: Arc<From>,
}

/// Where a [`ServerTls`] comes from.
#[derive(Debug)]
struct From {
    files: TlsFiles,
    stamp: Stamp,
    not_after: Timestamp,
}

impl ServerTls {
    /// Reads a certificate chain and its key, and whom clients must be certified by.
    ///
    /// # Errors
    /// A sentence that names the file: missing, no PEM, no certificate in it, key and certificate not a pair.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        // Before they are read: what changes meanwhile is seen as a change.
        let stamp = Stamp::of(files);
        let (cert, key) = (PathBuf::from(&files.certfile), PathBuf::from(&files.keyfile));
        let (chain, key_der) = load_pair(Pem::File(&cert), Pem::File(&key))?;
        let not_after = chain.first().and_then(|der| Certificate::read(der)).map_or(Timestamp(i64::MAX), |c| c.not_after);
        let provider = Arc::new(ring::default_provider());
        let versions: &[_] = match (files.min_version, files.max_version) {
            (12, 12) => &[&TLS12],
            (13, _) => &[&TLS13],
            _ => &[&TLS13, &TLS12],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| TlsError(error.to_string()))?;
        let builder = match files.client_auth() {
            ClientAuth::None => builder.with_no_client_auth(),
            auth => {
                let ca = PathBuf::from(&files.client_ca);
                let mut roots = RootCertStore::empty();
                for cert in load_certs(Pem::File(&ca))? {
                    roots.add(cert).map_err(|error| TlsError(format!("certificate {}: {error}", ca.display())))?;
                }
                let mut verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).only_check_end_entity_revocation();
                if !files.client_crl.is_empty() {
                    verifier = verifier.with_crls(load_crls(Path::new(&files.client_crl))?);
                }
                if auth == ClientAuth::Optional {
                    verifier = verifier.allow_unauthenticated();
                }
                let verifier = verifier.build().map_err(|error| TlsError(format!("clientCa {}: {error}", ca.display())))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key_der).map_err(|error| pair_error(Pem::File(&cert), Pem::File(&key), &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Sessions are resumed by tickets that the client keeps; their key goes with this configuration, so a client that a new
        // revocation list names cannot come back with an old one.
        config.send_tls13_tickets = 1;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ring::Ticketer::new().map_err(|error| TlsError(error.to_string()))?;
        let from = Arc::new(From { files: files.clone(), stamp, not_after });
        Ok(Self { config: Arc::new(config), from })
    }

    /// What it was made from.
    #[must_use]
    pub fn files(&self) -> &TlsFiles {
        &self.from.files
    }

    /// How the files looked when they were read.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.from.stamp
    }

    /// Until when the certificate holds.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.from.not_after
    }

    /// A session for a connection that was accepted.
    ///
    /// # Errors
    /// rustls cannot make one.
    pub fn session(&self) -> io::Result<Session> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        Ok(Session::new(connection.into(), false))
    }
}

/// The client's side: roots, and a certificate of its own.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Sets up a client.
    ///
    /// # Errors
    /// A sentence that names the file, or says that the system has no roots.
    pub fn new(options: &ClientOptions<'_>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let versions: &[_] = if options.only_1_3 { &[&TLS13] } else { &[&TLS13, &TLS12] };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| TlsError(error.to_string()))?;
        let builder = if options.insecure_skip_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(options.ca)?), Arc::clone(&provider));
            let inner = inner.build().map_err(|error| TlsError(error.to_string()))?;
            let own = options.ca.map(load_certs).transpose()?.unwrap_or_default();
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Named { inner, own }))
        };
        let mut config = match options.cert {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let (chain, key_der) = load_pair(cert, key)?;
                builder.with_client_auth_cert(chain, key_der).map_err(|error| pair_error(cert, key, &error))?
            }
        };
        if !options.no_http {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        config.resumption = rustls::client::Resumption::in_memory_sessions(8);
        Ok(Self { config: Arc::new(config) })
    }

    /// A session with `host`, whose name the certificate must carry.
    ///
    /// # Errors
    /// `host` is no name that a certificate can carry.
    pub fn session(&self, host: &str) -> io::Result<Session> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        Ok(Session::new(connection.into(), true))
    }
}

/// One connection's TLS state.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    /// The first byte was seen, and it may be TLS.
    begun: bool,
}

impl Session {
    fn new(mut connection: Connection, begun: bool) -> Self {
        connection.set_buffer_limit(Some(BUFFER_BYTES));
        Self { connection, begun }
    }

    pub(in crate::shell) fn read(&mut self, io: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            self.step(io)?;
        }
    }

    /// Looks at the first byte: `WouldBlock` before it came, `InvalidInput` when the peer speaks plain HTTP.
    pub(in crate::shell) fn begun(&mut self, io: &TcpStream) -> io::Result<()> {
        if !self.begun {
            let mut first = [0];
            // Letters begin an HTTP request and no TLS record.
            if io.peek(&mut first)? == 1 && first[0].is_ascii_alphabetic() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            self.begun = true;
        }
        Ok(())
    }

    /// Takes the handshake as far as it comes; `Ok` once it is done.
    pub(in crate::shell) fn handshake(&mut self, io: &TcpStream) -> io::Result<()> {
        while self.connection.is_handshaking() {
            if self.step(io)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    pub(in crate::shell) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What the peer showed, once the handshake is done.
    pub(in crate::shell) fn certificate(&self) -> Option<Arc<Certificate>> {
        Certificate::read(self.connection.peer_certificates()?.first()?).map(Arc::new)
    }

    /// Reads what is there and answers what the protocol itself asks for; the bytes read.
    fn step(&mut self, io: &TcpStream) -> io::Result<usize> {
        let n = self.connection.read_tls(&mut &*io)?;
        if let Err(error) = self.connection.process_new_packets() {
            // The alert that tells the peer why; if it cannot be sent, the close must do.
            let _ = self.flush(io);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        match self.flush(io) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(n),
        }
    }

    pub(in crate::shell) fn write(&mut self, io: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let n = self.connection.writer().write(bytes)?;
        match self.flush(io) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(n),
        }
    }

    pub(in crate::shell) fn flush(&mut self, io: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut &*io)?;
        }
        Ok(())
    }

    pub(in crate::shell) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    pub(in crate::shell) fn close_notify(&mut self) {
        self.connection.send_close_notify();
    }
}

fn load_pair(cert: Pem<'_>, key: Pem<'_>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = load_certs(cert)?;
    let key_der = match key {
        Pem::File(path) => PrivateKeyDer::from_pem_file(path),
        Pem::Text { text, .. } => PrivateKeyDer::from_pem_slice(text),
    };
    Ok((chain, key_der.map_err(|error| pem_error("key", key, &error, "no private key in it"))?))
}

fn load_certs(from: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certs = match from {
        Pem::File(path) => CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>),
        Pem::Text { text, .. } => CertificateDer::pem_slice_iter(text).collect(),
    };
    let certs = certs.map_err(|error| pem_error("certificate", from, &error, "no certificate in it"))?;
    if certs.is_empty() { Err(pem_error("certificate", from, &pem::Error::NoItemsFound, "no certificate in it")) } else { Ok(certs) }
}

fn load_crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let none = "no revocation list in it";
    let from = Pem::File(path);
    let lists = CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let lists = lists.map_err(|error| pem_error("revocation list", from, &error, none))?;
    if lists.is_empty() { Err(pem_error("revocation list", from, &pem::Error::NoItemsFound, none)) } else { Ok(lists) }
}

fn pem_error(what: &str, from: Pem<'_>, error: &pem::Error, none: &str) -> TlsError {
    TlsError(match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => format!("{what} {from}: no such file"),
        pem::Error::Io(error) => format!("{what} {from}: {}", crate::shell::net::reason(error)),
        pem::Error::NoItemsFound => format!("{what} {from}: {none} (expected PEM)"),
        error => format!("{what} {from}: not PEM: {error:?}"),
    })
}

fn pair_error(cert: Pem<'_>, key: Pem<'_>, error: &rustls::Error) -> TlsError {
    TlsError(match error {
        rustls::Error::InconsistentKeys(_) => format!("certificate {cert}: does not match the key {key}"),
        rustls::Error::InvalidCertificate(error) => format!("certificate {cert}: {error:?}"),
        error => format!("key {key}: {error}"),
    })
}

fn roots(ca: Option<Pem<'_>>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(from) = ca {
        for cert in load_certs(from)? {
            roots.add(cert).map_err(|error| TlsError(format!("certificate {from}: {error}")))?;
        }
        return Ok(roots);
    }
    // What of the system's roots cannot be read is left out; none at all is an error.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError("no root certificates on this system: name a file with rootCaPath".to_owned()));
    }
    Ok(roots)
}

/// The usual verification. A certificate of an authority may also be the server's own, as `openssl req -x509` makes them, when
/// it is one of those that the operator named.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.inner.verify_server_cert(cert, chain, name, ocsp, now) {
            // This is found after signature and times were looked at; the name is looked at last.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(error)))
                if format!("{error:?}").contains("CaUsedAsEndEntity") && self.own.contains(cert) =>
            {
                verify_server_name(&ParsedCertificate::try_from(cert)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// `insecureSkipVerify`: who the server is does not matter, only that it holds the key it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
