//! Every diagnostic as people see it.
//!
//! Each `tests/golden/NAME.toml` is laid over `base.toml`, which is right by itself; `NAME.txt` is what
//! is said about it. Lines that begin with `#!` give what else there is:
//!
//! ```text
//! #! env NAME=VALUE      #! flag PATH=VALUE      #! file OTHER      #! alone      #! unbundled
//! ```
//!
//! `GOLDEN=write cargo test -p dispatch-config --test golden` writes the answers anew; read the diff.

use std::fs;
use std::path::{Path, PathBuf};

use dispatch_config::{Diagnostic, Inputs, load};

const FOLDER: &str = "tests/golden";

fn inputs(case: &Path, text: &str) -> Inputs {
    let mut inputs = Inputs {
        files: vec![Path::new(FOLDER).join("base.toml"), case.to_owned()],
        bundled_plugins: ["twilio", "smtp", "http", "log"].map(str::to_owned).to_vec(),
        ..Inputs::default()
    };
    inputs.environment.insert("GIVEN".to_owned(), "a value that must not be shown".to_owned());
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').expect("NAME=VALUE");
        (name.to_owned(), value.to_owned())
    };
    for line in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("env", rest) => inputs.environment.extend([pair(rest)]),
            ("flag", rest) => inputs.flags.extend([pair(rest)]),
            ("file", rest) => inputs.files.push(Path::new(FOLDER).join(rest)),
            ("alone", _) => drop(inputs.files.remove(0)),
            ("unbundled", _) => inputs.bundled_plugins.clear(),
            (other, _) => panic!("{}: what is `{other}`?", case.display()),
        }
    }
    inputs
}

fn said(inputs: &Inputs) -> String {
    let found: Vec<Diagnostic> = match load(inputs) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    let rendered: Vec<String> = found.iter().map(|problem| problem.render(false)).collect();
    assert!(!rendered.is_empty(), "{:?} is right, but should not be", inputs.files);
    rendered.join("\n\n") + "\n"
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(FOLDER)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a case").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "base"))
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_diagnostic_is_as_in_its_golden_file() {
    let write = std::env::vars().any(|(name, value)| name == "GOLDEN" && value == "write");
    let cases = cases();
    assert!(cases.len() > 60, "the cases are gone: {} left", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        // A case may be no UTF-8 on purpose.
        let text = String::from_utf8_lossy(&fs::read(&case).expect("a case")).into_owned();
        let said = said(&inputs(&case, &text));
        assert!(!said.contains("must not be shown"), "{} shows a secret:\n{said}", case.display());
        let golden = case.with_extension("txt");
        if write {
            fs::write(&golden, &said).expect("write the answer");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            wrong.push(format!("{}\n--- expected\n{expected}\n--- said\n{said}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_base_of_all_cases_is_right() {
    let inputs = Inputs {
        files: vec![Path::new(FOLDER).join("base.toml")],
        bundled_plugins: vec!["log".to_owned(), "smtp".to_owned()],
        ..Inputs::default()
    };
    let loaded = load(&inputs).expect("no errors");
    assert_eq!(loaded.warnings, []);
}
