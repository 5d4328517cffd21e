//! A new plugin's folder.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::AuthorError;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The language that a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust: the smallest and fastest.
    Rust,
    /// JavaScript.
    JavaScript,
    /// Python.
    Python,
}

impl Language {
    /// The folder of its templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "javascript",
            Self::Python => "python",
        }
    }
}

/// What a plugin carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Text messages.
    Sms,
    /// Mails.
    Email,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// What a new plugin begins with.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    language: Language,
    channel: Channel,
}

impl Template {
    /// For a plugin of this name: a lower-case letter, then letters, digits and single hyphens, at most 40 in all.
    ///
    /// # Errors
    /// Any other name.
    pub fn new(name: &str, language: Language, channel: Channel) -> Result<Self, AuthorError> {
        let good = name.len() <= 40
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !name.ends_with('-')
            && !name.contains("--");
        if !good {
            return Err(AuthorError::Refused(format!(
                "{name:?} is no name for a plugin: write a-z, 0-9 and single hyphens, a letter first, at most 40"
            )));
        }
        Ok(Self { name: name.to_owned(), language, channel })
    }

    /// The files, by their paths in the folder.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let (language, channel) = (self.language.name(), self.channel.name());
        let mut files: Vec<(PathBuf, String)> = Vec::new();
        for part in
            [format!("common/{channel}/"), format!("{language}/all/"), format!("{language}/{channel}/")]
        {
            for (path, content) in TEMPLATES {
                if let Some(within) = path.strip_prefix(part.as_str()) {
                    let within = within.strip_suffix(".in").unwrap_or(within);
                    let path = if within == "gitignore" { ".gitignore" } else { within };
                    files.push((path.into(), self.filled(content)));
                }
            }
        }
        match self.language {
            Language::Rust => {
                files.extend(
                    SDK.iter().map(|(path, content)| (Path::new("sdk").join(path), (*content).to_owned())),
                );
                if let Some((_, manifest)) =
                    files.iter_mut().find(|(path, _)| path == Path::new("Cargo.toml"))
                {
                    manifest.push_str(&inherited());
                }
            }
            Language::JavaScript | Language::Python => {
                files.extend(
                    WIT.iter().map(|(path, content)| (Path::new("wit").join(path), (*content).to_owned())),
                );
            }
        }
        // The schema is a file of its own only where the source includes it.
        if self.language != Language::Rust {
            files.retain(|(path, _)| path != Path::new("settings.schema.json"));
        }
        files
    }

    /// Writes them into a folder that does not exist, or is empty.
    ///
    /// # Errors
    /// The folder has something in it, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, AuthorError> {
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let words = format!("{} is not empty: nothing was written", folder.display());
            return Err(AuthorError::Refused(words));
        }
        let files = self.files();
        for (path, content) in &files {
            let path = folder.join(path);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(AuthorError::io(parent))?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .map_err(AuthorError::io(&path))?;
            file.write_all(content.as_bytes()).map_err(AuthorError::io(&path))?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }

    fn filled(&self, content: &str) -> String {
        let settings = match self.channel {
            Channel::Sms => r#"{ url = "https://api.example.com/messages", from = "+525598765432" }"#,
            Channel::Email => r#"{ url = "https://api.example.com/mails" }"#,
        };
        let camel: String = self.name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        content.replace("{{name}}", &self.name).replace("{{Name}}", &camel).replace("{{settings}}", settings)
    }
}

/// The tables that the SDK's manifest inherits from its workspace, as they stand there.
fn inherited() -> String {
    let wanted = [
        "[workspace.package]",
        "[workspace.dependencies]",
        "[workspace.lints.rust]",
        "[workspace.lints.clippy]",
    ];
    let mut text = String::new();
    let mut taking = false;
    for line in GUESTS.lines() {
        if line.starts_with('[') {
            taking = wanted.contains(&line);
        }
        // The SDK itself is named by its path in this folder.
        if taking && !line.starts_with("dispatcher-plugin ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_and_channel_is_whole() {
        for language in [Language::Rust, Language::JavaScript, Language::Python] {
            for channel in [Channel::Sms, Channel::Email] {
                let files = Template::new("acme-2", language, channel).expect("a name").files();
                let find =
                    |name: &str| files.iter().find(|(path, _)| path == Path::new(name)).map(|(_, text)| text);
                for name in ["README.md", ".gitignore", "message.json", "settings.json", "cassette.json"] {
                    assert!(find(name).is_some(), "{language:?} {channel:?} lacks {name}");
                }
                // The SDK comes as it is, and speaks of placeholders of its own.
                for (path, text) in files.iter().filter(|(path, _)| !path.starts_with("sdk")) {
                    assert!(!text.contains("{{name}}") && !text.contains("{{Name}}"), "{}", path.display());
                }
                let contract =
                    if language == Language::Rust { "sdk/wit/plugin.wit" } else { "wit/plugin.wit" };
                assert!(find(contract).is_some_and(|wit| wit.contains("world plugin")));
            }
        }
    }

    #[test]
    fn what_the_sdk_inherits_comes_along() {
        let files = Template::new("acme", Language::Rust, Channel::Sms).expect("a name").files();
        let (_, manifest) =
            files.iter().find(|(path, _)| path == Path::new("Cargo.toml")).expect("a manifest");
        for needed in
            ["[workspace.package]", "wit-bindgen = ", "serde_path_to_error = ", "unsafe_code = \"deny\""]
        {
            assert!(manifest.contains(needed), "{needed} is missing in\n{manifest}");
        }
        assert_eq!(manifest.matches("dispatcher-plugin =").count(), 1);
    }

    #[test]
    fn names_are_held_to_the_contract() {
        for bad in ["", "Acme", "2acme", "-a", "a-", "a--b", "a_b", "../a", &"a".repeat(41)] {
            assert!(Template::new(bad, Language::Rust, Channel::Sms).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("plugin.py"), "mine").expect("a file");
        let template = Template::new("acme", Language::Python, Channel::Sms).expect("a name");
        assert!(template.write(folder.path()).is_err());
        assert_eq!(fs::read_to_string(folder.path().join("plugin.py")).expect("it is there"), "mine");
    }
}
