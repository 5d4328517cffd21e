//! The words by which people say that they want no messages.

use dispatch_config::OptOut;
use dispatch_text::OptOutWords;

pub(super) fn words(config: &OptOut) -> OptOutWords {
    fn texts(list: &[String]) -> impl Iterator<Item = &str> {
        list.iter().map(String::as_str)
    }
    match config.enabled {
        true => {
            OptOutWords::usual(texts(&config.stop_words), texts(&config.start_words), texts(&config.except))
        }
        false => OptOutWords::none(),
    }
}
