//! Text messages as they go over the air: alphabets, and the parts of a long text. For plugins that hand over octets
//! themselves; most providers do this for us.

/// An alphabet that a text message is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// GSM 03.38 with its extension table; one septet in each byte here, the escape a byte of its own.
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// UTF-16, the high byte first.
    Ucs2,
}

/// The escape to the extension table.
const ESCAPE: u8 = 0x1b;

/// The 128 places of GSM 03.38. The escape stands for itself and is never written.
const GSM7: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The places of the extension table.
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// A character's place in GSM 03.38, and whether the escape stands before it.
fn place(character: char) -> Option<(bool, u8)> {
    // What nearly every character of a text is.
    if matches!(character, ' '..='#' | '%'..='?' | 'A'..='Z' | 'a'..='z') {
        return Some((false, character as u8));
    }
    let main = GSM7.iter().position(|known| *known == character && character != '\u{1b}');
    let extended =
        || EXTENSION.iter().find(|(_, known)| *known == character).map(|(place, _)| (true, *place));
    main.and_then(|place| u8::try_from(place).ok()).map(|place| (false, place)).or_else(extended)
}

impl Alphabet {
    /// What a text needs: GSM 03.38 where that has all of its characters, else UTF-16.
    pub fn of(text: &str) -> Self {
        if Self::Gsm7.holds(text) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// Whether all of a text can be written in it.
    pub fn holds(self, text: &str) -> bool {
        match self {
            Self::Gsm7 => text.chars().all(|character| place(character).is_some()),
            Self::Latin1 => text.chars().all(|character| u32::from(character) < 0x100),
            Self::Ucs2 => true,
        }
    }

    /// A text in this alphabet; what it does not have becomes a question mark.
    pub fn encode(self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() * 2);
        match self {
            Self::Gsm7 => {
                for character in text.chars() {
                    let (escaped, place) = place(character).unwrap_or((false, b'?'));
                    out.extend(escaped.then_some(ESCAPE));
                    out.push(place);
                }
            }
            Self::Latin1 => out.extend(text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))),
            Self::Ucs2 => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        }
        out
    }

    /// A text out of this alphabet; what cannot be read becomes the replacement character.
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Gsm7 => {
                let mut text = String::with_capacity(bytes.len());
                let mut bytes = bytes.iter();
                while let Some(byte) = bytes.next() {
                    text.push(match *byte {
                        ESCAPE => extended(bytes.next()),
                        byte => GSM7.get(usize::from(byte)).copied().unwrap_or('\u{fffd}'),
                    });
                }
                text
            }
            Self::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Self::Ucs2 => {
                let (pairs, rest) = bytes.as_chunks::<2>();
                let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
                let mut text = String::from_utf16_lossy(&units);
                text.extend((!rest.is_empty()).then_some('\u{fffd}'));
                text
            }
        }
    }

    /// How many units a text of one part may have, and how many each part of a longer one, whose header says how the parts
    /// go together.
    fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Latin1 => (140, 134),
            Self::Ucs2 => (70, 67),
        }
    }

    /// What a character takes of a part.
    fn units(self, character: char) -> usize {
        match self {
            Self::Gsm7 => place(character).map_or(1, |(escaped, _)| 1 + usize::from(escaped)),
            Self::Latin1 => 1,
            Self::Ucs2 => character.len_utf16(),
        }
    }

    /// The parts of a text, as the network wants them. None ends within a character: not between an escape and what it
    /// escapes, not between the halves of a surrogate pair; nor before an accent or within an emoji, as long as one fits
    /// into a part. An empty text is one empty part.
    pub fn parts(self, text: &str) -> Vec<&str> {
        let (single, room) = self.room();
        if self.length(text) <= single {
            return vec![text];
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, left) = rest.split_at(self.first_part(rest, room));
            parts.push(part);
            rest = left;
        }
        parts
    }

    fn length(self, text: &str) -> usize {
        text.chars().map(|character| self.units(character)).sum()
    }

    /// How many bytes of a text go into its first part.
    fn first_part(self, text: &str, room: usize) -> usize {
        let (mut end, mut used) = (0, 0);
        while end < text.len() {
            let cluster = cluster(&text[end..]);
            let size = self.length(cluster);
            if used + size > room {
                break;
            }
            (end, used) = (end + cluster.len(), used + size);
        }
        if end > 0 {
            return end;
        }
        // What no part can hold has to be cut somewhere.
        for character in text.chars() {
            used += self.units(character);
            if used > room {
                break;
            }
            end += character.len_utf8();
        }
        end
    }
}

fn extended(byte: Option<&u8>) -> char {
    let known = byte.and_then(|byte| EXTENSION.iter().find(|(place, _)| place == byte));
    known.map_or('\u{fffd}', |(_, character)| *character)
}

/// The first of the characters that are seen as one: a letter and its accents, an emoji with what changes it, a flag.
fn cluster(text: &str) -> &str {
    const JOINER: char = '\u{200d}';
    let flag = |character| ('\u{1f1e6}'..='\u{1f1ff}').contains(&character);
    let mut characters = text.char_indices();
    let Some((_, first)) = characters.next() else { return text };
    let (mut before, mut flags) = (first, u32::from(flag(first)));
    for (at, character) in characters {
        let goes_on = before == JOINER || sticks(character) || (flag(character) && flags == 1);
        if !goes_on {
            return &text[..at];
        }
        flags += u32::from(flag(character));
        before = character;
    }
    text
}

/// Whether a character changes the one before it and is nothing by itself.
fn sticks(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

/// Septets packed into bytes, eight into seven, behind so many bits that are left empty: those that bring a header of
/// whole bytes to the border of a septet.
pub fn pack(septets: &[u8], empty_bits: usize) -> Vec<u8> {
    let bits = empty_bits + septets.len() * 7;
    let mut out = vec![0_u8; bits.div_ceil(8)];
    let mut put = |at: usize, septet: u8| {
        let wide = u16::from(septet & 0x7f) << (at % 8);
        let [low, high] = wide.to_le_bytes();
        out[at / 8] |= low;
        if high != 0 {
            out[at / 8 + 1] |= high;
        }
    };
    for (index, septet) in septets.iter().enumerate() {
        put(empty_bits + index * 7, *septet);
    }
    // Seven bits left over would read as one more `@`: the standard has a carriage return there.
    if bits % 8 == 1 {
        put(bits, b'\r');
    }
    out
}

/// The septets in packed bytes, behind so many empty bits. One `@` or carriage return that just fills the last byte is the
/// packer's.
pub fn unpack(bytes: &[u8], empty_bits: usize) -> Vec<u8> {
    let count = (bytes.len() * 8).saturating_sub(empty_bits) / 7;
    let septet = |index: usize| {
        let at = empty_bits + index * 7;
        let low = u16::from(bytes[at / 8]);
        let high = u16::from(bytes.get(at / 8 + 1).copied().unwrap_or(0));
        ((low | high << 8) >> (at % 8)) as u8 & 0x7f
    };
    let mut septets: Vec<u8> = (0..count).map(septet).collect();
    let fills = (empty_bits + count * 7).is_multiple_of(8);
    if fills && matches!(septets.last(), Some(0 | b'\r')) {
        septets.pop();
    }
    septets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, alphabet: Alphabet, lengths: &[usize]) {
        assert_eq!(Alphabet::of(text), alphabet, "{text}");
        let parts = alphabet.parts(text);
        assert_eq!(parts.concat(), text);
        let found: Vec<usize> = parts.iter().map(|part| alphabet.length(part)).collect();
        assert_eq!(found, lengths, "{text}");
    }

    /// The same as the host's own, see `dispatch-text`.
    #[test]
    fn lengths() {
        use Alphabet::{Gsm7, Ucs2};
        check("", Gsm7, &[0]);
        check(&"a".repeat(160), Gsm7, &[160]);
        check(&"a".repeat(161), Gsm7, &[153, 8]);
        check(&"a".repeat(306), Gsm7, &[153, 153]);
        check(&"a".repeat(307), Gsm7, &[153, 153, 1]);
        check(&"€".repeat(80), Gsm7, &[160]);
        check(&format!("{}€b", "a".repeat(158)), Gsm7, &[153, 8]);
        check(&format!("{}€{}", "a".repeat(152), "b".repeat(10)), Gsm7, &[152, 12]);
        check(&"á".repeat(70), Ucs2, &[70]);
        check(&"á".repeat(71), Ucs2, &[67, 4]);
        check(&"\u{1f600}".repeat(35), Ucs2, &[70]);
        check(&"\u{1f600}".repeat(36), Ucs2, &[66, 6]);
        check(&format!("{}e\u{301}{}", "x".repeat(66), "y".repeat(10)), Ucs2, &[66, 12]);
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        check(&format!("{}{family}", "x".repeat(63)), Ucs2, &[63, 8]);
        check(&format!("e{}", "\u{301}".repeat(99)), Ucs2, &[67, 33]);
        check(&format!("ab{}", "e".to_owned() + &"\u{301}".repeat(99)), Ucs2, &[2, 67, 33]);
        check(&format!("á{}\r\n{}", "x".repeat(65), "y".repeat(10)), Ucs2, &[67, 11]);
        let flags = "\u{1f1f2}\u{1f1fd}\u{1f1ea}\u{1f1f8}";
        check(&format!("{}{flags}", "x".repeat(63)), Ucs2, &[67, 4]);
        let latin = "ú".repeat(141);
        assert_eq!(
            Alphabet::Latin1.parts(&latin).iter().map(|part| part.chars().count()).collect::<Vec<_>>(),
            [134, 7]
        );
    }

    #[test]
    fn the_alphabet_is_whole() {
        let all: Vec<char> = ('\0'..'\u{3000}').collect();
        let one = all.iter().filter(|c| matches!(place(**c), Some((false, _)))).count();
        let two = all.iter().filter(|c| matches!(place(**c), Some((true, _)))).count();
        assert_eq!((one, two), (127, 10));
        for text in
            ["@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ", "¡¿ÄÖÑÜ§äöñüà{[~]}|€^\\\u{c}", "Hola, ¿qué tal? 100%"]
        {
            let bytes = Alphabet::Gsm7.encode(text);
            assert!(bytes.iter().all(|byte| *byte < 0x80));
            assert_eq!(Alphabet::Gsm7.decode(&bytes), text);
        }
        assert_eq!(Alphabet::Gsm7.encode("[á"), [ESCAPE, 0x3c, b'?']);
        assert_eq!(Alphabet::Gsm7.decode(&[ESCAPE, 0x7f, 0x80, ESCAPE]), "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn others() {
        assert_eq!(Alphabet::Latin1.encode("ñá€"), [0xf1, 0xe1, b'?']);
        assert_eq!(Alphabet::Latin1.decode(&[0xf1, 0xe1]), "ñá");
        assert_eq!(Alphabet::Ucs2.encode("á\u{1f600}"), [0, 0xe1, 0xd8, 0x3d, 0xde, 0]);
        assert_eq!(Alphabet::Ucs2.decode(&[0, 0xe1, 0xd8, 0x3d, 0xde, 0]), "á\u{1f600}");
        assert_eq!(Alphabet::Ucs2.decode(&[0xd8, 0x3d, 0]), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn packing() {
        // The example of the standard's readers: "hello" in septets.
        assert_eq!(pack(b"hello", 0), [0xe8, 0x32, 0x9b, 0xfd, 0x06]);
        assert_eq!(unpack(&[0xe8, 0x32, 0x9b, 0xfd, 0x06], 0), b"hello");
        for length in 0..40 {
            let septets: Vec<u8> =
                (0..length).map(|at| (at * 37 % 127 + 1) as u8).filter(|s| *s != b'\r').collect();
            for empty in [0, 1] {
                let packed = pack(&septets, empty);
                assert_eq!(unpack(&packed, empty), septets, "{length} behind {empty}");
            }
        }
        assert_eq!(pack(&[1; 7], 0).last(), Some(&0x1a), "a carriage return fills up");
    }
}
