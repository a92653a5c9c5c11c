//! Numbers with the marks of a locale, as Go's `x/text/number` writes them (CLDR 32): group and decimal mark, minus, digits,
//! groups of three or of two. A name is a language and a country, `en_US` or `de-CH`, in any letter case.

use crate::json::write::{Full, Out};

/// How a locale writes numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// The digit 0; the others follow it.
    zero: char,
    /// Between groups of digits.
    group: &'static str,
    /// Between whole and fraction.
    point: &'static str,
    /// In front of a negative number.
    minus: &'static str,
    /// True if groups above the thousand have two digits.
    pairs: bool,
}

/// The style of a locale; `None` if the name is no known language and country.
pub(super) fn find(name: &str) -> Option<&'static Style> {
    let mut parts = name.split(['_', '-']);
    let language = parts.next()?;
    let mut country = parts.next()?;
    if country.len() == 4 {
        country = parts.next()?; // behind a script
    }
    let among = |list: &str, word: &str| list.split_ascii_whitespace().any(|w| w.eq_ignore_ascii_case(word));
    if parts.next().is_some() || !among(COUNTRIES, country) {
        return None;
    }
    let (style, _) = LANGUAGES.iter().find(|(_, list)| among(list, language))?;
    let exception = EXCEPTIONS.iter().find(|(_, l, countries)| l.eq_ignore_ascii_case(language) && among(countries, country));
    STYLES.get(exception.map_or(*style, |(style, ..)| *style))
}

/// Writes `x` with exactly `digits` decimals (255 at most), halves to even; without a style: no groups, a point, a hyphen.
///
/// # Errors
/// [`Full`].
pub(super) fn number(out: &mut Out<'_>, x: f64, digits: usize, style: Option<&Style>) -> Result<(), Full> {
    use core::fmt::Write as _;
    const PLAIN: Style = Style { zero: '0', group: "", point: ".", minus: "-", pairs: false };
    let style = style.unwrap_or(&PLAIN);
    if x.is_nan() {
        return out.text("NaN");
    }
    if x.is_sign_negative() {
        out.text(style.minus)?;
    }
    if x.is_infinite() {
        return out.text("∞");
    }
    // 309 digits before the point, 255 behind it.
    let mut buf = [0; 600];
    let mut plain = Out::new(&mut buf);
    write!(plain, "{:.*}", digits.min(255), x.abs()).map_err(|_| Full)?;
    let plain = core::str::from_utf8(plain.written()).unwrap_or("");
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    for (i, d) in whole.bytes().enumerate() {
        let left = whole.len() - i;
        if i > 0 && (left == 3 || left > 3 && (if style.pairs { (left - 3) % 2 == 0 } else { left % 3 == 0 })) {
            out.text(style.group)?;
        }
        digit(out, d, style)?;
    }
    if !fraction.is_empty() {
        out.text(style.point)?;
    }
    fraction.bytes().try_for_each(|d| digit(out, d, style))
}

fn digit(out: &mut Out<'_>, ascii: u8, style: &Style) -> Result<(), Full> {
    let digit = char::from_u32(u32::from(style.zero) + u32::from(ascii.wrapping_sub(b'0'))).unwrap_or('0');
    out.text(digit.encode_utf8(&mut [0; 4]))
}

/// The ways to write a number that [`find`] picks from.
static STYLES: &[Style] = &[
    Style { zero: '0', group: "\u{a0}", point: ",", minus: "-", pairs: false },
    Style { zero: '\u{660}', group: "\u{66c}", point: "\u{66b}", minus: "\u{61c}-", pairs: false },
    Style { zero: '\u{9e6}', group: ",", point: ".", minus: "-", pairs: true },
    Style { zero: '0', group: ".", point: ",", minus: "-", pairs: false },
    Style { zero: '0', group: ",", point: ".", minus: "-", pairs: true },
    Style { zero: '\u{11136}', group: ",", point: ".", minus: "-", pairs: true },
    Style { zero: '\u{660}', group: "\u{66c}", point: "\u{66b}", minus: "\u{200f}-", pairs: false },
    Style { zero: '0', group: "\u{a0}", point: ".", minus: "-", pairs: false },
    Style { zero: '\u{f20}', group: ",", point: ".", minus: "-", pairs: true },
    Style { zero: '0', group: ",", point: ".", minus: "-", pairs: false },
    Style { zero: '0', group: "\u{a0}", point: ",", minus: "\u{2212}", pairs: false },
    Style { zero: '0', group: ".", point: ",", minus: "\u{2212}", pairs: false },
    Style { zero: '\u{6f0}', group: "\u{66c}", point: "\u{66b}", minus: "\u{200e}\u{2212}", pairs: false },
    Style { zero: '0', group: "\u{2019}", point: ".", minus: "\u{2212}", pairs: false },
    Style { zero: '0', group: ",", point: ".", minus: "\u{200e}-", pairs: false },
    Style { zero: '\u{6f0}', group: "\u{66c}", point: "\u{66b}", minus: "\u{200e}-\u{200e}", pairs: true },
    Style { zero: '\u{6f0}', group: "\u{66c}", point: "\u{66b}", minus: "\u{200e}-\u{200e}", pairs: false },
    Style { zero: '\u{966}', group: ",", point: ".", minus: "-", pairs: true },
    Style { zero: '\u{1040}', group: ",", point: ".", minus: "-", pairs: false },
    Style { zero: '\u{966}', group: ",", point: ".", minus: "-", pairs: false },
    Style { zero: '0', group: "\u{2019}", point: ",", minus: "-", pairs: false },
    Style { zero: '0', group: ".", point: ",", minus: "\u{200e}-", pairs: false },
    Style { zero: '0', group: "\u{2019}", point: ".", minus: "-", pairs: false },
    Style { zero: '0', group: ",", point: ".", minus: "\u{200e}\u{2212}", pairs: false },
    Style { zero: '0', group: ",", point: ".", minus: "\u{200e}-", pairs: true },
    Style { zero: '0', group: ".", point: ",", minus: "\u{200e}\u{2212}", pairs: false },
];

/// Languages of each style (an index of [`STYLES`]).
static LANGUAGES: &[(usize, &str)] = &[
    (
        0,
        "af agq bas be bg br cs cu dua dyo ewo ff fr hu hy ka kab kea kk ksf ky lv nmg os pl prg ru sah shi sk smn sq tg tk tt tzm uk uz \
     yav zgh",
    ),
    (1, "ar sd"),
    (2, "as bn"),
    (
        3,
        "ast az bs ca da de dsb el es fur fy gl hr hsb id in is it jgo kkj km lb ln lo lu mgh mk mo mua nl nnh pt rn ro rw seh sg sh sr tr \
     vi wo",
    ),
    (4, "brx gu hi kok ml or pa ta"),
    (5, "ccp"),
    (6, "ckb"),
    (7, "dje khq mfe ses twq"),
    (8, "dz"),
    (
        9,
        "aa ab ae ak am an asa av ay ba bem bez bh bi bm bo ce cgg ch chr co cr cv cy dav dv ebu ee en fil fj ga gd gn guz gv ha haw ho ht \
     hz ia ie ig ii ik io iu ja ji jmc jv jw kam kde kg ki kj kln kn ko kr ksb ku kv kw la lag lg li lkt luo luy mas mer mg mgo mh mi \
     mn ms mt na naq nd ng no nr nus nv ny nyn oc oj om pi qu rof rwk sa saq sbp sc si sm sn so ss st su sw te teo th ti tl tn to ts tw \
     ty ug vai ve vo vun wa xh xog yi yo yue za zh zu",
    ),
    (10, "eo et fi ksh lt nb nn se sv"),
    (11, "eu fo kl sl"),
    (12, "fa"),
    (13, "gsw rm"),
    (14, "he iw ur"),
    (15, "ks"),
    (16, "lrc mzn ps"),
    (17, "mr"),
    (18, "my"),
    (19, "ne"),
    (20, "wae"),
];

/// Countries in which a language has another style: style, language, countries.
static EXCEPTIONS: &[(usize, &str, &str)] = &[
    (21, "ar", "DZ LB LY MA MR TN"),
    (14, "ar", "AE BH DJ EG EH ER IL IQ JO KM KW OM PS QA SA SD SO SS SY TD YD YE"),
    (14, "pa", "PK"),
    (4, "as", "IN"),
    (4, "bn", "BD IN"),
    (4, "ccp", "BD IN"),
    (4, "dz", "BT"),
    (4, "en", "IN"),
    (4, "mr", "IN"),
    (9, "az", "IQ IR"),
    (9, "ckb", "IQ IR"),
    (9, "es", "BR BZ CU DO GT HN MX NI PA PE PR PZ SV US"),
    (9, "kk", "AF CN IR MN"),
    (9, "ky", "CN TR"),
    (9, "lrc", "IQ IR"),
    (9, "my", "BU MM"),
    (9, "mzn", "IR"),
    (9, "ne", "IN NP"),
    (9, "sd", "PK"),
    (9, "ta", "MY SG"),
    (9, "tg", "PK"),
    (0, "de", "AT"),
    (0, "en", "FI SE ZA"),
    (0, "es", "CR"),
    (0, "pt", "AO CH CV GQ GW LU MO MZ PT ST TL TP"),
    (22, "de", "CH LI"),
    (22, "it", "CH"),
    (3, "en", "AT BE CH DD DE DK NL SI"),
    (3, "fr", "LU MA"),
    (3, "ms", "BN"),
    (3, "qu", "BO"),
    (3, "sw", "CD ZR"),
    (23, "fa", "AF IR"),
    (24, "ks", "IN"),
    (25, "ps", "AF"),
    (25, "uz", "AF"),
    (16, "ur", "IN"),
];

/// Countries, as ISO 3166 (and x/text) know them.
static COUNTRIES: &str = "AC AD AE AF AG AI AL AM AN AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BU BV BW BY BZ CA CC CD \
    CF CG CH CI CK CL CM CN CO CP CQ CR CS CT CU CV CW CX CY CZ DD DE DG DJ DK DM DO DY DZ EA EC EE EG EH ER ES ET EZ FI FJ FK FM FO \
    FQ FR FX GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU HV IC ID IE IL IM IN IO IQ IR IS IT JE JM JO \
    JP JT KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MI MK ML MM MN MO MP MQ MR MS MT MU \
    MV MW MX MY MZ NA NC NE NF NG NH NI NL NO NP NQ NR NT NU NZ OM PA PC PE PF PG PH PK PL PM PN PR PS PT PU PW PY PZ QA RE RH RO RS \
    RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SU SV SX SY SZ TA TC TD TF TG TH TJ TK TL TM TN TO TP TR TT TV TW TZ UA \
    UG UK UM UN US UY UZ VA VC VD VE VG VI VN VU WF WK WS XK YD YE YT YU ZA ZM ZR ZW";

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(x: f64, digits: usize, name: &str) -> String {
        let mut buf = [0; 4096];
        let mut out = Out::new(&mut buf);
        number(&mut out, x, digits, find(name)).expect("room");
        String::from_utf8(out.written().to_vec()).expect("utf-8")
    }

    #[test]
    fn groups() {
        for (x, digits, name, want) in [
            (1e21, 2, "en_US", "1,000,000,000,000,000,000,000.00"),
            (1e21, 0, "en_IN", "1,00,00,00,00,00,00,00,00,00,000"),
            (999.0, 0, "en_US", "999"),
            (1000.0, 0, "EN-us", "1,000"),
            (-0.001, 2, "en_US", "-0.00"),
            (2.5, 0, "en_US", "2"),
            (1234.5, 1, "fa_XK", "۱٬۲۳۴٫۵"),
            (1234.5, 1, "zh_Hant_TW", "1,234.5"),
            (f64::NEG_INFINITY, 1, "en_US", "-∞"),
        ] {
            assert_eq!(spell(x, digits, name), want, "{name} {x}");
        }
        assert_eq!(spell(f64::MAX, 1_000, "fa_XK").chars().count(), 309 + 102 + 1 + 255);
    }

    #[test]
    fn names() {
        for bad in ["", "en", "en_", "xx_US", "en_XX", "en_US_x", "_US", "12_34"] {
            assert!(find(bad).is_none(), "{bad}");
        }
        assert!(STYLES.len() > LANGUAGES.iter().map(|l| l.0).chain(EXCEPTIONS.iter().map(|e| e.0)).max().unwrap_or(99));
    }
}
