//! Embeds the plugins that `cargo xtask plugins` made; without them the list is empty, and the
//! binary says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let dist = root.join("../../plugins/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut list = String::from(
        "/// The plugins inside this binary, by name.\npub(crate) static PLUGINS: &[Bundled] = &[\n",
    );
    for (name, file) in components(&dist) {
        println!("cargo::rerun-if-changed={}", file.display());
        writeln!(
            list,
            "    Bundled {{ name: {name:?}, wasm: include_bytes!({:?}) }},",
            file.display().to_string()
        )
        .expect("a string takes it");
    }
    list.push_str("];\n");
    let names: Vec<String> = components(&dist).into_iter().map(|(name, _)| name).collect();
    let names = if names.is_empty() {
        "none (built without `cargo xtask plugins`)".to_owned()
    } else {
        names.join(", ")
    };
    let long = format!("{}\nbundled plugins: {names}", env!("CARGO_PKG_VERSION"));
    writeln!(list, "/// The version and the plugins inside, for `--version`.\npub(crate) const LONG_VERSION: &str = {long:?};")
        .expect("a string takes it");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("bundled.rs");
    fs::write(out, list).expect("the build folder can be written");
}

/// `NAME.wasm` files of a folder, in order of their names.
fn components(dist: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(dist) else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "wasm"))
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            Some((name, path.canonicalize().ok()?))
        })
        .collect();
    found.sort();
    found
}
