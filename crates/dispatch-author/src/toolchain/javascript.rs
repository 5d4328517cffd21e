//! JavaScript: componentize-js from npm puts the source and an interpreter into one component.

use std::path::Path;
use std::process::Command;

use super::run;
use crate::AuthorError;

const MISSING: &str = "install Node.js 20 or newer, with npm";

/// The name in a `package.json`.
pub(crate) fn package_name(manifest: &str) -> Option<String> {
    let manifest: serde_json::Value = serde_json::from_str(manifest).ok()?;
    manifest["name"].as_str().map(str::to_owned)
}

/// `npm install` once, then the folder's own way to build.
pub(crate) fn build(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<(), AuthorError> {
    if !folder.join("node_modules").exists() {
        say("fetching componentize-js from the npm registry, once (190 MB with all that comes along)");
        let install = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
        run(Command::new("npm").current_dir(folder).args(install), MISSING)?;
    }
    run(Command::new("npm").current_dir(folder).args(["--silent", "run", "build"]), MISSING)
}

/// The folder's own way to test; that of the template needs nothing installed.
pub(crate) fn test(folder: &Path) -> Result<(), AuthorError> {
    run(Command::new("npm").current_dir(folder).args(["--silent", "test"]), MISSING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_manifests() {
        assert_eq!(package_name(r#"{"name":"acme"}"#).as_deref(), Some("acme"));
        assert_eq!(package_name("{"), None);
    }
}
