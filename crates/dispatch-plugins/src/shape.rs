//! A component's imports and exports, read without compiling it: what decides whether it is a plugin at all,
//! and what the refusals speak of.

use wasmparser::{Encoding, Parser, Payload};

use crate::contract::{EXPORT, IMPORTS, PACKAGE};
use crate::error::LoadError;
use crate::text;

/// Bytes of a name as it is shown, and how many are: they come from the file.
const NAME_MAX: usize = 120;
const NAMES_MAX: usize = 100;
/// Bytes of a page of WebAssembly.
const PAGE: u64 = 64 << 10;

/// The outside of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Names of the imports at the top.
    pub(crate) imports: Vec<String>,
    /// Names of the exports at the top.
    pub(crate) exports: Vec<String>,
    /// Bytes of memory that its modules begin with.
    pub(crate) memory_initial: u64,
}

/// Reads the names, and refuses what is no component.
pub(crate) fn read(bytes: &[u8]) -> Result<Shape, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let start = if start.is_empty() { "nothing: it is empty".to_owned() } else { start.join(" ") };
        return Err(LoadError::NotWasm { start });
    }
    let invalid = |error: wasmparser::BinaryReaderError| LoadError::Invalid {
        detail: text::clip(&error.to_string(), NAME_MAX),
    };
    let mut shape = Shape::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(LoadError::CoreModule);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::MemorySection(section) => {
                for memory in section {
                    let pages = memory.map_err(invalid)?.initial;
                    shape.memory_initial = shape.memory_initial.saturating_add(pages.saturating_mul(PAGE));
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    shape.imports.push(text::clip(import.map_err(invalid)?.name.name, NAME_MAX));
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    shape.exports.push(text::clip(export.map_err(invalid)?.name.name, NAME_MAX));
                }
            }
            _ => {}
        }
        if shape.imports.len() > NAMES_MAX || shape.exports.len() > NAMES_MAX {
            return Err(LoadError::Invalid { detail: format!("more than {NAMES_MAX} imports or exports") });
        }
    }
    Ok(shape)
}

impl Shape {
    /// The version of the contract it was built for, where it exports any.
    pub(crate) fn contract_version(&self) -> Option<&str> {
        self.exports.iter().find_map(|name| version_of(name, "delivery"))
    }

    /// Whether it works with secrets; if not, none need to be brought to its calls.
    pub(crate) fn imports_secrets(&self) -> bool {
        self.imports.iter().any(|name| version_of(name, "secrets").is_some())
    }

    /// Whether it is a plugin of this contract and of nothing else. The version comes first: a plugin of
    /// another version also imports other things, and that is not what is wrong with it.
    pub(crate) fn accept(&self, memory_max: usize) -> Result<(), LoadError> {
        if !self.exports.iter().any(|name| name == EXPORT) {
            return Err(match self.contract_version() {
                Some(found) => LoadError::OtherVersion { found: found.to_owned() },
                None => LoadError::MissingExport { found: self.exports.clone() },
            });
        }
        if let Some(error) = self.forbidden().next() {
            return Err(error);
        }
        if self.memory_initial > memory_max as u64 {
            return Err(LoadError::TooHungry { initial: self.memory_initial, limit: memory_max });
        }
        Ok(())
    }

    /// Each import outside the contract.
    pub(crate) fn forbidden(&self) -> impl Iterator<Item = LoadError> {
        self.imports
            .iter()
            .filter(|name| !IMPORTS.contains(&name.as_str()))
            .map(|import| LoadError::ForbiddenImport { import: import.clone(), fix: fix_of(import) })
    }
}

/// `1.0.0` of `dispatcher:plugin/delivery@1.0.0`, whatever the version.
fn version_of<'a>(name: &'a str, interface: &str) -> Option<&'a str> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.strip_prefix(interface)?.strip_prefix('@')
}

/// How to build a plugin without an import.
fn fix_of(import: &str) -> &'static str {
    if import.starts_with("wasi:") {
        "plugins have no WASI. Rust: build for `wasm32-unknown-unknown`, not `wasm32-wasip2`. \
         JavaScript: `componentize-js` with `--disable all`. Python: `componentize-py … --stub-wasi`"
    } else if import.starts_with(PACKAGE) {
        "this version of the contract has no such interface; build it from the plugins/wit of this version"
    } else {
        "a plugin imports `log` and `secrets` of dispatcher:plugin and nothing else; remove it from its world"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(wat: &str) -> Result<(), LoadError> {
        read(&wat::parse_str(wat).unwrap()).and_then(|shape| shape.accept(1 << 20))
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        assert!(matches!(read(b"#!/bin/sh"), Err(LoadError::NotWasm { start }) if start == "23 21 2f 62"));
        assert!(matches!(read(b""), Err(LoadError::NotWasm { .. })));
        assert_eq!(accept("(module)"), Err(LoadError::CoreModule));
        let whole = wat::parse_str("(component (core module (func)))").unwrap();
        for end in [5, 7, 9, whole.len() - 1] {
            assert!(matches!(read(&whole[..end]), Err(LoadError::Invalid { .. })), "cut at {end}");
        }
    }

    #[test]
    fn a_missing_export_names_what_is_there() {
        let Err(error) = accept("(component (instance $i) (export \"my:own/thing@0.1.0\" (instance $i)))")
        else {
            panic!("accepted")
        };
        assert_eq!(error, LoadError::MissingExport { found: vec!["my:own/thing@0.1.0".to_owned()] });
        assert!(error.to_string().contains("(it exports my:own/thing@0.1.0)"), "{error}");
        assert!(accept("(component)").unwrap_err().to_string().contains("it exports nothing"));
    }

    #[test]
    fn another_version_is_named() {
        let error =
            accept("(component (instance $i) (export \"dispatcher:plugin/delivery@2.0.0\" (instance $i)))")
                .unwrap_err();
        assert!(
            error.to_string().starts_with("built for dispatcher:plugin@2.0.0, this host serves 1.0.0"),
            "{error}"
        );
    }

    #[test]
    fn an_import_outside_the_contract_comes_with_its_cure() {
        for (import, cure) in [
            ("wasi:cli/environment@0.2.3", "wasm32-unknown-unknown"),
            ("dispatcher:plugin/http@1.0.0", "has no such interface"),
            ("dispatcher:plugin/log@2.0.0", "has no such interface"),
            ("my:own/thing", "remove it from its world"),
        ] {
            let error = accept(&format!(
                "(component (import \"{import}\" (instance)) (instance $i)
                 (export \"dispatcher:plugin/delivery@1.0.0\" (instance $i)))"
            ))
            .unwrap_err();
            assert!(error.to_string().contains(import) && error.to_string().contains(cure), "{error}");
        }
    }

    #[test]
    fn nested_components_do_not_count() {
        let shape = read(
            &wat::parse_str("(component (component (import \"wasi:io/poll@0.2.0\" (instance))))").unwrap(),
        )
        .unwrap();
        assert_eq!(shape, Shape::default());
    }
}
