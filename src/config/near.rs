//! The key that was probably meant: edit distance over the known keys.

/// The candidate nearest to `word` in any letter case, if it is near enough to be a slip (a third of its length, at least 2 edits).
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let edits = distance(&word, &candidate.to_ascii_lowercase());
        let allowed = (candidate.len() / 3).clamp(1, 4);
        if edits <= allowed && best.is_none_or(|(e, _)| edits < e) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, c)| c)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips() {
        let keys = ["restPort", "restIp", "logLevel", "debug", "method", "httpServerPort"];
        for (word, key) in [
            ("restport", Some("restPort")),
            ("resPort", Some("restPort")),
            ("metod", Some("method")),
            ("mehtod", Some("method")),
            ("loglvel", Some("logLevel")),
            ("httpServrPort", Some("httpServerPort")),
            ("server", None),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), key, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1000), keys), None);
    }
}
