//! How long a request's body is: one function decides, from the fields alone (RFC 9112 §6).
//!
//! What two recipients might read differently is refused, never repaired: that is what keeps requests from being smuggled.

use super::{head::Version, list};

/// How the body of a message is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body was announced (RFC 9112 §6.3, rule 7).
    Empty,
    /// That many bytes follow; a number above what `usize` holds is [`usize::MAX`], which no limit admits.
    Length(usize),
    /// Chunks follow (RFC 9112 §7.1).
    Chunked,
}

/// Why the length of a message cannot be known. The connection does not survive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramingError {
    /// Both Content-Length and Transfer-Encoding.
    LengthAndCoding,
    /// More than one Content-Length, or a list in one, whether or not the values agree.
    RepeatedLength,
    /// A Content-Length that is not `1*DIGIT`.
    BadLength,
    /// Transfer-Encoding in an HTTP/1.0 message.
    CodingInHttp10,
    /// `chunked` twice, not last, with a parameter, or an empty element in the list.
    BadCoding,
    /// A transfer coding other than `chunked`.
    UnknownCoding,
}

impl FramingError {
    /// The sentence shown to the client.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding (RFC 9112 section 6.3)",
            Self::RepeatedLength => "Content-Length more than once (RFC 9112 section 6.3)",
            Self::BadLength => "Content-Length is not a plain number (RFC 9112 section 6.3)",
            Self::CodingInHttp10 => "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 section 6.1)",
            Self::BadCoding => "Transfer-Encoding must be exactly chunked (RFC 9112 section 6.3)",
            Self::UnknownCoding => "transfer coding not supported, only chunked is (RFC 9112 section 6.1)",
        }
    }

    /// The status of the refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownCoding => 501,
            _ => 400,
        }
    }
}

/// Decides the framing of a request from its fields.
///
/// # Errors
/// A [`FramingError`] for everything that is not exactly one plain Content-Length, or exactly `chunked`, or neither.
pub fn decide<'f>(version: Version, fields: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> Result<Framing, FramingError> {
    let mut length = None;
    let mut coded = false;
    let mut chunked = false;
    let mut other = false;
    for (name, value) in fields {
        if name.len() == 14 && name.eq_ignore_ascii_case(b"content-length") {
            let value = parse_length(value)?;
            if length.replace(value).is_some() {
                return Err(FramingError::RepeatedLength);
            }
        } else if name.len() == 17 && name.eq_ignore_ascii_case(b"transfer-encoding") {
            coded = true;
            for coding in list(value) {
                if coding.eq_ignore_ascii_case(b"chunked") {
                    if chunked {
                        return Err(FramingError::BadCoding);
                    }
                    chunked = true;
                } else if chunked || !is_coding(coding) {
                    return Err(FramingError::BadCoding);
                } else {
                    other = true;
                }
            }
        }
    }
    match (length, coded) {
        (Some(_), true) => Err(FramingError::LengthAndCoding),
        (Some(length), false) => Ok(Framing::Length(length)),
        (None, true) if version == Version::Http10 => Err(FramingError::CodingInHttp10),
        (None, true) if other => Err(FramingError::UnknownCoding),
        (None, true) => Ok(Framing::Chunked),
        (None, false) => Ok(Framing::Empty),
    }
}

/// `1*DIGIT` (RFC 9110 §8.6); saturates, so that no number wraps into a smaller one.
fn parse_length(value: &[u8]) -> Result<usize, FramingError> {
    if value.contains(&b',') {
        return Err(FramingError::RepeatedLength);
    }
    if value.is_empty() {
        return Err(FramingError::BadLength);
    }
    let mut length = 0usize;
    for b in value {
        if !b.is_ascii_digit() {
            return Err(FramingError::BadLength);
        }
        // Once at the top it stays there: the next product overflows again.
        length = length.checked_mul(10).and_then(|n| n.checked_add(usize::from(b - b'0'))).unwrap_or(usize::MAX);
    }
    Ok(length)
}

/// A transfer coding's name as a bare token. A parameter or an empty element makes the whole field unreadable to us.
fn is_coding(coding: &[u8]) -> bool {
    !coding.is_empty() && coding.iter().all(|&b| super::is_tchar(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(version: Version, fields: &[(&'static str, &'static str)]) -> Result<Framing, FramingError> {
        decide(version, fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))
    }

    macro_rules! framing {
        ($($name:ident: [$($field:literal = $value:expr),*] => $want:expr;)*) => {$(
            #[test]
            fn $name() {
                assert_eq!(judged(Version::Http11, &[$(($field, $value)),*]), $want);
            }
        )*};
    }

    framing! {
        rfc9112_6_3_7_neither: ["host" = "a"] => Ok(Framing::Empty);
        rfc9112_6_3_6_length: ["Content-Length" = "17"] => Ok(Framing::Length(17));
        rfc9112_6_3_6_length_zero: ["content-LENGTH" = "0"] => Ok(Framing::Length(0));
        rfc9112_6_3_6_leading_zeros: ["content-length" = "0017"] => Ok(Framing::Length(17));
        rfc9112_6_3_5_repeated_different: ["content-length" = "5", "content-length" = "6"] => Err(FramingError::RepeatedLength);
        rfc9112_6_3_5_repeated_same: ["content-length" = "5", "Content-Length" = "5"] => Err(FramingError::RepeatedLength);
        rfc9112_6_3_5_list_same: ["content-length" = "5, 5"] => Err(FramingError::RepeatedLength);
        rfc9112_6_3_5_list_different: ["content-length" = "5,6"] => Err(FramingError::RepeatedLength);
        rfc9110_8_6_empty: ["content-length" = ""] => Err(FramingError::BadLength);
        rfc9110_8_6_plus: ["content-length" = "+5"] => Err(FramingError::BadLength);
        rfc9110_8_6_minus: ["content-length" = "-5"] => Err(FramingError::BadLength);
        rfc9110_8_6_minus_zero: ["content-length" = "-0"] => Err(FramingError::BadLength);
        rfc9110_8_6_hex: ["content-length" = "0x5"] => Err(FramingError::BadLength);
        rfc9110_8_6_fraction: ["content-length" = "5.0"] => Err(FramingError::BadLength);
        rfc9110_8_6_inner_space: ["content-length" = "1 2"] => Err(FramingError::BadLength);
        rfc9110_8_6_inner_tab: ["content-length" = "1\t2"] => Err(FramingError::BadLength);
        rfc9110_8_6_other_digits: ["content-length" = "\u{0665}"] => Err(FramingError::BadLength);
        rfc9110_8_6_semicolon: ["content-length" = "5;"] => Err(FramingError::BadLength);
        rfc9110_8_6_wraps_2_64: ["content-length" = "18446744073709551616"] => Ok(Framing::Length(usize::MAX));
        rfc9110_8_6_wraps_2_64_plus_5: ["content-length" = "18446744073709551621"] => Ok(Framing::Length(usize::MAX));
        rfc9110_8_6_wraps_10_40: ["content-length" = "10000000000000000000000000000000000000005"] => Ok(Framing::Length(usize::MAX));
        rfc9112_7_1_chunked: ["Transfer-Encoding" = "chunked"] => Ok(Framing::Chunked);
        rfc9112_7_chunked_any_case: ["transfer-encoding" = "ChUnKeD"] => Ok(Framing::Chunked);
        rfc9112_6_3_3_te_and_cl: ["transfer-encoding" = "chunked", "content-length" = "5"] => Err(FramingError::LengthAndCoding);
        rfc9112_6_3_3_cl_and_te: ["content-length" = "5", "transfer-encoding" = "chunked"] => Err(FramingError::LengthAndCoding);
        rfc9112_6_3_3_cl_and_unknown_te: ["content-length" = "5", "transfer-encoding" = "xchunked"] => Err(FramingError::LengthAndCoding);
        rfc9112_6_1_unknown: ["transfer-encoding" = "xchunked"] => Err(FramingError::UnknownCoding);
        rfc9112_6_1_identity: ["transfer-encoding" = "identity"] => Err(FramingError::UnknownCoding);
        rfc9112_6_1_gzip_then_chunked: ["transfer-encoding" = "gzip, chunked"] => Err(FramingError::UnknownCoding);
        rfc9112_6_1_gzip_and_chunked_fields: ["transfer-encoding" = "gzip", "transfer-encoding" = "chunked"] => Err(FramingError::UnknownCoding);
        rfc9112_6_3_4_chunked_not_last: ["transfer-encoding" = "chunked, gzip"] => Err(FramingError::BadCoding);
        rfc9112_6_1_chunked_twice: ["transfer-encoding" = "chunked, chunked"] => Err(FramingError::BadCoding);
        rfc9112_6_1_chunked_twice_fields: ["transfer-encoding" = "chunked", "Transfer-Encoding" = "chunked"] => Err(FramingError::BadCoding);
        rfc9112_6_1_chunked_then_identity_field: ["transfer-encoding" = "chunked", "transfer-encoding" = "identity"] => Err(FramingError::BadCoding);
        rfc9112_7_chunked_parameter: ["transfer-encoding" = "chunked;q=1"] => Err(FramingError::BadCoding);
        rfc9112_7_quoted: ["transfer-encoding" = "\"chunked\""] => Err(FramingError::BadCoding);
        rfc9112_7_inner_space: ["transfer-encoding" = "chun ked"] => Err(FramingError::BadCoding);
        rfc9112_6_1_empty: ["transfer-encoding" = ""] => Err(FramingError::BadCoding);
        rfc9112_6_1_empty_element: ["transfer-encoding" = ",chunked"] => Err(FramingError::BadCoding);
        rfc9112_6_1_trailing_comma: ["transfer-encoding" = "chunked,"] => Err(FramingError::BadCoding);
        names_that_only_look_alike: ["content_length" = "5", "transfer_encoding" = "x", "xcontent-length" = "7"] => Ok(Framing::Empty);
    }

    #[test]
    fn rfc9112_6_1_te_in_1_0() {
        assert_eq!(judged(Version::Http10, &[("transfer-encoding", "chunked")]), Err(FramingError::CodingInHttp10));
        assert_eq!(judged(Version::Http10, &[("transfer-encoding", "xyz")]), Err(FramingError::CodingInHttp10));
        assert_eq!(judged(Version::Http10, &[("content-length", "3")]), Ok(Framing::Length(3)));
    }

    #[test]
    fn rfc9110_8_6_wraps_2_32() {
        let want = usize::try_from(4_294_967_301u64).unwrap_or(usize::MAX);
        assert_eq!(judged(Version::Http11, &[("content-length", "4294967301")]), Ok(Framing::Length(want)));
    }

    #[test]
    fn statuses() {
        assert_eq!(FramingError::UnknownCoding.status(), 501);
        for error in [
            FramingError::LengthAndCoding,
            FramingError::RepeatedLength,
            FramingError::BadLength,
            FramingError::CodingInHttp10,
            FramingError::BadCoding,
        ] {
            assert_eq!(error.status(), 400, "{error:?}");
        }
    }
}
