//! Whether a text can be written in GSM-7. The SMS interface does not find out by itself: it replaces what it cannot
//! write by question marks, unless it is told that the text is Unicode.

/// The letters of the default alphabet beyond ASCII, and those of its extension.
const BEYOND: &str = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà€";

/// ASCII that is not in it.
const LACKING: &str = "`";

/// Whether all of it is in the default alphabet and its extension.
pub(crate) fn writes(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\n' | '\r' => true,
        ' '..='~' => !LACKING.contains(c),
        _ => BEYOND.contains(c),
    })
}

#[cfg(test)]
mod tests {
    use super::writes;

    #[test]
    fn letters() {
        for text in ["", "Hola", "¿Qué año? ¡Ñandú!", "{[~^|\\]} €", "à ò ì ù è", "a\r\nb", "ÄÖÜß£¥@_"]
        {
            // `ú` is not in it.
            assert_eq!(writes(text), !text.contains('ú'), "{text}");
        }
        for text in ["á", "í", "ó", "ú", "ç", "`", "Á", "\t", "“", "…", "😀", "Ω\u{301}", "\u{c}"]
        {
            assert!(!writes(text), "{text:?}");
        }
    }
}
