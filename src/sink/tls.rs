//! TLS properties of sinks that speak to a server (facts §8.2): files, or the same as PEM or base64 of PEM inside the rule.

use super::props::Props;
use super::{SinkEnv, TlsClient, TlsProps};

/// The TLS properties; a client is loaded where `wanted` or a property asks for one. `is_http`: HTTP is spoken inside.
///
/// # Errors
/// A sentence that names the property or the file.
pub(super) fn read(props: &mut Props<'_>, wanted: bool, is_http: bool, env: &SinkEnv<'_>) -> Result<Option<TlsClient>, String> {
    let mut path = |name| props.text(name).map(|t| t.filter(|t| !t.is_empty()).map(str::to_owned));
    let (cert_path, key_path, ca_path) = (path("certificationPath")?, path("privateKeyPath")?, path("rootCaPath")?);
    let mut raw = |name| match props.text(name) {
        Ok(Some(text)) if !text.is_empty() => pem(text).map(Some).ok_or_else(|| format!("{name} is neither PEM nor base64 of PEM")),
        Ok(_) => Ok(None),
        Err(e) => Err(e),
    };
    let (cert_raw, key_raw, ca_raw) = (raw("certificationRaw")?, raw("privateKeyRaw")?, raw("rootCARaw")?);
    let min_1_3 = match props.text("tlsMinVersion")?.unwrap_or("") {
        "" | "tls1.0" | "tls1.1" | "tls1.2" => false,
        "tls1.3" => true,
        other => return Err(format!("tlsMinVersion {other}: expected tls1.2 or tls1.3")),
    };
    match props.text("renegotiationSupport")?.unwrap_or("") {
        // Nothing is ever negotiated anew, which suits those who would allow it.
        "" | "never" | "once" | "freely" => {}
        other => return Err(format!("renegotiationSupport {other}: expected never, once or freely")),
    }
    let skip_verify = props.flag("insecureSkipVerify")?.unwrap_or(false);
    if props.object("decrypt")?.is_some() || props.text("tls")?.is_some_and(|t| !t.is_empty()) {
        return Err("encrypted certificates and named TLS settings are not supported".into());
    }
    let own = TlsProps { cert_path, key_path, ca_path, cert_raw, key_raw, ca_raw, min_1_3, skip_verify, no_http: false };
    if (own.cert_path.is_some() || own.cert_raw.is_some()) != (own.key_path.is_some() || own.key_raw.is_some()) {
        return Err("a client certificate needs its private key, and the key its certificate".into());
    }
    if wanted || own != TlsProps::default() { env.tls.client(&TlsProps { no_http: !is_http, ..own }).map(Some) } else { Ok(None) }
}

/// PEM text, as it is or as base64.
fn pem(text: &str) -> Option<Vec<u8>> {
    const BEGIN: &str = "-----BEGIN ";
    if text.contains(BEGIN) {
        return Some(text.as_bytes().to_vec());
    }
    let text: String = text.split_ascii_whitespace().collect();
    let mut bytes = vec![0; data_encoding::BASE64.decode_len(text.len()).ok()?];
    let len = data_encoding::BASE64.decode_mut(text.as_bytes(), &mut bytes).ok()?;
    bytes.truncate(len);
    core::str::from_utf8(&bytes).is_ok_and(|text| text.contains(BEGIN)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_text_and_its_base64() {
        let text = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        let mut coded = vec![0; data_encoding::BASE64.encode_len(text.len())];
        data_encoding::BASE64.encode_mut(text.as_bytes(), &mut coded);
        let coded = String::from_utf8(coded).expect("ASCII");
        let (left, right) = coded.split_at(40);
        for given in [text, &coded, &format!("{left}\n{right}\n")] {
            assert_eq!(pem(given).as_deref(), Some(text.as_bytes()), "{given}");
        }
        for given in ["AAAA", "not base64", "-----begin"] {
            assert_eq!(pem(given), None, "{given}");
        }
    }
}
