//! "Did you mean": the nearest of the words that may stand somewhere.

/// How alike two words must be, from 0 to 1. Below this a suggestion is more often silly than right.
const ALIKE_MIN: f64 = 0.8;

/// The known word nearest to what was written.
pub(crate) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(written);
    known
        .map(|word| (strsim::jaro_winkler(&folded, &fold(word)), word))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// `"a"`, `"b"` or `"c"`.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    listed(&quoted, "or")
}

/// Words joined by commas, the last by `word`; a long list is cut, for it is read by people.
pub(crate) fn listed(words: &[String], word: &str) -> String {
    const SHOWN_MAX: usize = 8;
    match words {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [shown @ .., last] if words.len() <= SHOWN_MAX => format!("{} {word} {last}", shown.join(", ")),
        _ => format!("{} {word} {} more", words[..SHOWN_MAX].join(", "), words.len() - SHOWN_MAX),
    }
}
