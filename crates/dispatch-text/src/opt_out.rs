//! Words by which a person says that they want no more messages, and those that take it back.
//!
//! The *whole* text has to be one of them: "stop" is a wish, "can you stop by at five?" is not. Case, accents, punctuation
//! and emoji do not count, so `¡ALTO!`, `Parar.` and `STOP 🛑` are understood. The lists are those that carriers and
//! providers in the Americas and in Europe act on themselves; an operator adds his own, and takes out what means something
//! else to his clients.

use std::collections::HashSet;

/// A longer text is a sentence: it is not even looked at.
const CHARS_MAX: usize = 64;

/// English, Spanish, Portuguese, French, German, Italian; in the form that [`form`] gives.
const STOP: &[&str] = &[
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "opt out",
    "remove me",
    "alto",
    "baja",
    "darme de baja",
    "dar de baja",
    "detener",
    "cancelar",
    "parar",
    "no mas",
    "salir",
    "sair",
    "pare",
    "remover",
    "descadastrar",
    "arret",
    "arreter",
    "desabonner",
    "desinscrire",
    "stopp",
    "abmelden",
    "abbestellen",
    "ferma",
    "annulla",
    "disiscrivi",
];

const START: &[&str] = &[
    "start",
    "unstop",
    "subscribe",
    "optin",
    "opt in",
    "iniciar",
    "inicio",
    "alta",
    "darme de alta",
    "reanudar",
    "suscribir",
    "comecar",
    "voltar",
    "demarrer",
    "reprendre",
    "starten",
    "anmelden",
    "avvia",
    "iscrivi",
];

/// What a text says of its writer's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// No more messages.
    Stop,
    /// Messages are welcome again.
    Start,
}

/// The words that are understood.
#[derive(Debug, Clone, Default)]
pub struct OptOutWords {
    stop: HashSet<String>,
    start: HashSet<String>,
}

impl OptOutWords {
    /// The usual words, with more of them, and without some. One that is added as both stops: to write to somebody who
    /// does not want it is the worse mistake.
    pub fn usual<'a>(
        more_stop: impl IntoIterator<Item = &'a str>,
        more_start: impl IntoIterator<Item = &'a str>,
        except: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let except: HashSet<String> = except.into_iter().map(form).collect();
        let all = |usual: &[&str], more: Vec<String>| -> HashSet<String> {
            let usual = usual.iter().map(|word| (*word).to_owned()).filter(|word| !except.contains(word));
            usual.chain(more).filter(|word| !word.is_empty()).collect()
        };
        let more = |words: &mut dyn Iterator<Item = &'a str>| words.map(form).collect();
        Self {
            stop: all(STOP, more(&mut more_stop.into_iter())),
            start: all(START, more(&mut more_start.into_iter())),
        }
    }

    /// No words: nothing is understood as a wish.
    pub fn none() -> Self {
        Self::default()
    }

    /// What a text says; nothing where it is not one of the words as a whole.
    pub fn read(&self, text: &str) -> Option<Wish> {
        if text.trim().chars().nth(CHARS_MAX).is_some() {
            return None;
        }
        let word = form(text);
        if self.stop.contains(&word) {
            Some(Wish::Stop)
        } else if self.start.contains(&word) {
            Some(Wish::Start)
        } else {
            None
        }
    }
}

/// The form in which words are compared: letters and digits in lower case and without accents, one space between words.
fn form(text: &str) -> String {
    let mut form = String::with_capacity(text.len());
    for character in text.chars().flat_map(char::to_lowercase).filter(|c| !is_accent(*c)) {
        let plain = plain(character);
        if plain.is_alphanumeric() {
            form.push(plain);
        } else if !form.is_empty() && !form.ends_with(' ') {
            form.push(' ');
        }
    }
    form.truncate(form.trim_end().len());
    form
}

/// An accent that stands behind its letter.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// A letter of the languages above without its accent.
fn plain(letter: char) -> char {
    match letter {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        'ý' | 'ÿ' => 'y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_understood_however_it_is_written() {
        let words = OptOutWords::usual([], [], []);
        for (text, wish) in [
            ("STOP", Some(Wish::Stop)),
            (" stop. ", Some(Wish::Stop)),
            ("¡ALTO!", Some(Wish::Stop)),
            ("«Baja»", Some(Wish::Stop)),
            ("STOP 🛑", Some(Wish::Stop)),
            ("Opt-Out", Some(Wish::Stop)),
            ("No más", Some(Wish::Stop)),
            ("no ma\u{301}s", Some(Wish::Stop)),
            ("ARRÊT", Some(Wish::Stop)),
            ("stopp", Some(Wish::Stop)),
            ("darme\n de  baja", Some(Wish::Stop)),
            ("Alta", Some(Wish::Start)),
            ("UNSTOP", Some(Wish::Start)),
            ("COMEÇAR", Some(Wish::Start)),
            ("", None),
            ("🛑", None),
            ("stop by at five", None),
            ("no me des de baja", None),
            ("alto ahí", None),
            ("stops", None),
            ("s t o p", None),
        ] {
            assert_eq!(words.read(text), wish, "{text:?}");
        }
        assert_eq!(words.read(&format!("stop{}", ".".repeat(100))), None, "a sentence is not looked at");
    }

    #[test]
    fn an_operator_adds_words_and_takes_them_out() {
        let words = OptOutWords::usual(["Ya no, gracias", "vuelve"], ["¡Vuelve!", "Sí"], ["Cancelar", "END"]);
        assert_eq!(words.read("ya no gracias"), Some(Wish::Stop));
        assert_eq!(words.read("SI"), Some(Wish::Start));
        assert_eq!(words.read("vuelve"), Some(Wish::Stop), "both: it stops");
        assert_eq!(words.read("cancelar"), None);
        assert_eq!(words.read("end"), None);
        assert_eq!(words.read("stop"), Some(Wish::Stop));
        assert_eq!(OptOutWords::none().read("stop"), None);
    }

    #[test]
    fn the_lists_are_in_the_form_in_which_words_are_compared() {
        for word in STOP.iter().chain(START) {
            assert_eq!(form(word), *word);
        }
        assert!(STOP.iter().all(|word| !START.contains(word)));
    }
}
