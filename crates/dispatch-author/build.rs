//! Embeds what a new plugin's folder is made of: the templates, the contract and the Rust SDK.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../plugins");
    let mut list = String::new();
    for (name, folder) in [("TEMPLATES", "templates"), ("SDK", "sdk"), ("WIT", "wit")] {
        let folder =
            root.join(folder).canonicalize().expect("the plugins' folder has templates, sdk and wit");
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        walk(&folder, &mut files);
        files.sort();
        writeln!(
            list,
            "/// Paths within the folder, and contents.\npub(crate) static {name}: &[(&str, &str)] = &["
        )
        .expect("a string takes it");
        for file in files {
            let path = file.strip_prefix(&folder).expect("it was found in there").display().to_string();
            writeln!(list, "    ({path:?}, include_str!({:?})),", file.display().to_string())
                .expect("a string takes it");
        }
        list.push_str("];\n");
    }
    let cargo = fs::read_to_string(root.join("Cargo.toml")).expect("the guests' workspace has a manifest");
    writeln!(
        list,
        "/// What the SDK's manifest takes from its workspace.\npub(crate) static GUESTS: &str = {cargo:?};"
    )
    .expect("a string takes it");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    fs::write(out, list).expect("the build folder can be written");
    println!("cargo::rerun-if-changed={}", root.join("Cargo.toml").display());
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}
