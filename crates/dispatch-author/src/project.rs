//! A plugin's folder: what it is written in, its own tests, and the one way to its component.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::toolchain::{javascript, python, rust};
use crate::{AuthorError, Language};

/// The first bytes of a component; a core module has `01 00 00 00` in the second half.
const COMPONENT: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/// A plugin's folder.
#[derive(Debug, Clone)]
pub struct Project {
    folder: PathBuf,
    language: Language,
    name: String,
}

impl Project {
    /// Looks at a folder: a `Cargo.toml`, a `package.json` or a `plugin.py` tells the language.
    ///
    /// # Errors
    /// It is none of them, or its manifest has no name.
    pub fn open(folder: &Path) -> Result<Self, AuthorError> {
        let folder = folder.canonicalize().map_err(AuthorError::io(folder))?;
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(AuthorError::io(&path))
        };
        let has = |name: &str| folder.join(name).is_file();
        let (language, name) = if has("Cargo.toml") {
            (Language::Rust, rust::package_name(&read("Cargo.toml")?))
        } else if has("package.json") {
            (Language::JavaScript, javascript::package_name(&read("package.json")?))
        } else if has("plugin.py") {
            let name = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            (Language::Python, name)
        } else {
            return Err(AuthorError::Refused(format!(
                "{} is no plugin's folder: it has no Cargo.toml, package.json or plugin.py; `dispatcher plugin new` makes one",
                folder.display()
            )));
        };
        let name = name.filter(|name| !name.contains(['/', '\\'])).ok_or_else(|| {
            AuthorError::Refused(format!("the manifest in {} gives no name", folder.display()))
        })?;
        Ok(Self { folder, language, name })
    }

    /// What it is written in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its component is, once built.
    pub fn component(&self) -> PathBuf {
        self.folder.join("dist").join(format!("{}.wasm", self.name))
    }

    /// Builds the component. The compilers write to the terminal. `target_dir` is where cargo keeps its work, `target`
    /// in the folder by default; `say` is told what is fetched or chosen.
    ///
    /// # Errors
    /// A tool that is missing or fails.
    pub fn build(
        &self,
        target_dir: Option<&Path>,
        say: &mut dyn FnMut(&str),
    ) -> Result<PathBuf, AuthorError> {
        let out = self.component();
        let dist = self.folder.join("dist");
        fs::create_dir_all(&dist).map_err(AuthorError::io(&dist))?;
        match self.language {
            Language::Rust => rust::build(&self.folder, &self.name, &out, target_dir, say)?,
            Language::JavaScript => javascript::build(&self.folder, say)?,
            Language::Python => python::build(&self.folder, &out, say)?,
        }
        let bytes = fs::read(&out).map_err(AuthorError::io(&out))?;
        if !bytes.starts_with(&COMPONENT) {
            let words = format!("{} is no component: the linker was not wasm-component-ld", out.display());
            return Err(AuthorError::Refused(words));
        }
        Ok(out)
    }

    /// Whether the component is older than anything it may be made of, or is not there.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn is_stale(&self) -> Result<bool, AuthorError> {
        match fs::metadata(self.component()).and_then(|data| data.modified()) {
            Ok(built) => changed_after(&self.folder, built),
            Err(_) => Ok(true),
        }
    }

    /// Runs the tests in its source, natively.
    ///
    /// # Errors
    /// A tool that is missing, or a test that fails.
    pub fn test(&self, target_dir: Option<&Path>, say: &mut dyn FnMut(&str)) -> Result<(), AuthorError> {
        match self.language {
            Language::Rust => rust::test(&self.folder, target_dir),
            Language::JavaScript => javascript::test(&self.folder),
            Language::Python => python::test(&self.folder, say),
        }
    }
}

/// What tools make: nothing that a component is made of.
const MADE: [&str; 7] = ["dist", "target", "node_modules", ".venv", "bindings", "__pycache__", ".git"];

fn changed_after(folder: &Path, built: SystemTime) -> Result<bool, AuthorError> {
    for entry in fs::read_dir(folder).map_err(AuthorError::io(folder))? {
        let path = entry.map_err(AuthorError::io(folder))?.path();
        if MADE.iter().any(|made| path.ends_with(made)) {
            continue;
        }
        let data = fs::metadata(&path).map_err(AuthorError::io(&path))?;
        let changed = if data.is_dir() {
            changed_after(&path, built)?
        } else {
            data.modified().map_err(AuthorError::io(&path))? > built
        };
        if changed {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channel, Template};

    #[test]
    fn what_was_made_is_recognised() {
        for language in [Language::Rust, Language::JavaScript, Language::Python] {
            let root = tempfile::tempdir().expect("a folder");
            let folder = root.path().join("acme");
            Template::new("acme", language, Channel::Sms).expect("a name").write(&folder).expect("written");
            let project = Project::open(&folder).expect("a project");
            assert_eq!(project.language(), language);
            assert!(project.component().ends_with("acme/dist/acme.wasm"), "{:?}", project.component());
        }
    }

    #[test]
    fn a_component_grows_old_with_its_source() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("acme");
        let template = Template::new("acme", Language::Python, Channel::Sms).expect("a name");
        template.write(&folder).expect("written");
        let project = Project::open(&folder).expect("a project");
        assert!(project.is_stale().expect("readable"), "there is none");
        fs::create_dir(folder.join("dist")).expect("a folder");
        fs::write(project.component(), "").expect("a file");
        assert!(!project.is_stale().expect("readable"));
        let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
        let touch = |name: &str| {
            let file = fs::File::options().append(true).create(true).open(folder.join(name)).expect("a file");
            file.set_modified(later).expect("a time");
        };
        touch("dist/more");
        assert!(!project.is_stale().expect("readable"), "what was made is no source");
        touch("plugin.py");
        assert!(project.is_stale().expect("readable"));
    }

    #[test]
    fn another_folder_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Project::open(folder.path()).expect_err("it is empty").to_string();
        assert!(error.contains("no plugin's folder"), "{error}");
    }
}
