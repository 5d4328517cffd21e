use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use wasmtime::Config;

use super::*;

const WAT: &str = "(component (core module (func (export \"f\") (result i32) i32.const 7)))";

struct Rig {
    dir: tempfile::TempDir,
    engine: Engine,
    wasm: Key,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        Self { dir, engine: Engine::default(), wasm: sha256(b"a plugin") }
    }

    fn open(&self) -> ArtefactCache {
        ArtefactCache::open(self.dir.path(), &self.engine).unwrap()
    }

    /// A cache with one artefact, and where that is.
    fn filled(&self) -> (ArtefactCache, PathBuf) {
        let cache = self.open();
        cache.store(&self.wasm, &Component::new(&self.engine, wasm()).unwrap());
        let path = cache.path(&cache.key(&self.wasm));
        assert!(path.is_file());
        (cache, path)
    }

    fn read(&self, cache: &ArtefactCache, path: &Path) -> Result<bool, Stale> {
        cache.read(&self.engine, &cache.key(&self.wasm), path).map(|found| found.is_some())
    }
}

fn wasm() -> Vec<u8> {
    wat::parse_str(WAT).unwrap()
}

#[test]
fn what_was_stored_is_loaded_by_the_next_start() {
    let rig = Rig::new();
    let (_, path) = rig.filled();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(rig.open().load(&rig.engine, &rig.wasm).is_some());
    assert!(rig.open().load(&rig.engine, &sha256(b"another")).is_none());
}

#[test]
fn truncated_and_edited_files_are_not_believed() {
    let rig = Rig::new();
    let (cache, path) = rig.filled();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 7, 8, 39, 40, 71, 72, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(rig.read(&cache, &path).is_err(), "cut to {length}");
    }
    for at in [0, 8, 40, 72, whole.len() / 2, whole.len() - 1] {
        let mut edited = whole.clone();
        edited[at] ^= 1;
        std::fs::write(&path, &edited).unwrap();
        let expected = if at < 40 { Stale::Header } else { Stale::Checksum };
        assert_eq!(rig.read(&cache, &path), Err(expected), "edited at {at}");
    }
    // Compiled anew, it takes the bad one's place.
    assert!(cache.load(&rig.engine, &rig.wasm).is_none());
    let (cache, _) = rig.filled();
    assert!(cache.load(&rig.engine, &rig.wasm).is_some());
}

#[test]
fn an_artefact_of_another_plugin_is_not_believed() {
    let rig = Rig::new();
    let (cache, path) = rig.filled();
    let other = sha256(b"another");
    let there = cache.path(&cache.key(&other));
    std::fs::copy(&path, &there).unwrap();
    assert_eq!(
        cache.read(&rig.engine, &cache.key(&other), &there).map(|found| found.is_some()),
        Err(Stale::Header)
    );
}

#[test]
fn another_configuration_has_other_keys() {
    let rig = Rig::new();
    let (cache, _) = rig.filled();
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let other = ArtefactCache::open(rig.dir.path(), &engine).unwrap();
    assert_ne!(cache.engine, other.engine);
    assert!(other.load(&engine, &rig.wasm).is_none());
    assert_eq!(cache.engine, rig.open().engine, "and the same one the same");
}

/// What another wasmtime made is not even looked for, and under its old name it is not believed.
#[test]
fn another_version_has_other_keys() {
    let rig = Rig::new();
    let (mut cache, path) = rig.filled();
    cache.engine = engine_key(&rig.engine, "48.0.7");
    assert!(cache.load(&rig.engine, &rig.wasm).is_none());
    let there = cache.path(&cache.key(&rig.wasm));
    std::fs::rename(&path, &there).unwrap();
    assert_eq!(rig.read(&cache, &there), Err(Stale::Header));
}

/// Should all of our own marks be right, wasmtime still looks at its own.
#[test]
fn what_wasmtime_refuses_is_not_believed() {
    let rig = Rig::new();
    let (cache, path) = rig.filled();
    let key = cache.key(&rig.wasm);
    let mut file = File::create(&path).unwrap();
    write_all(&mut file, &key, b"\x7fELF, and no artefact").unwrap();
    assert_eq!(rig.read(&cache, &path), Err(Stale::Refused));
    let other = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let code = Component::new(&other, wasm()).unwrap().serialize().unwrap();
    let mut file = File::create(&path).unwrap();
    write_all(&mut file, &key, &code).unwrap();
    assert_eq!(rig.read(&cache, &path), Err(Stale::Refused), "made by another configuration");
}

#[test]
fn links_and_files_open_to_others_are_foreign() {
    let rig = Rig::new();
    let (cache, path) = rig.filled();
    std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    assert_eq!(rig.read(&cache, &path), Err(Stale::Foreign));
    let aside = rig.dir.path().join("aside");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &path).unwrap();
    assert_eq!(rig.read(&cache, &path), Err(Stale::Foreign));
}

#[test]
fn a_folder_open_to_others_is_not_used() {
    let rig = Rig::new();
    for mode in [0o755, 0o750, 0o720, 0o702, 0o770, 0o777, 0o701] {
        std::fs::set_permissions(rig.dir.path(), Permissions::from_mode(mode)).unwrap();
        let error = ArtefactCache::open(rig.dir.path(), &rig.engine).err().unwrap();
        let words = format!("is open to others (mode {mode:03o}): chmod 700 it");
        assert!(error.to_string().ends_with(&words), "{error}");
    }
}

#[test]
fn a_folder_of_somebody_else_is_not_used() {
    let dir = Path::new("/var/cache/dispatcher");
    assert!(ours_alone(dir, 1000, 1000, 0o700).is_ok());
    let error = ours_alone(dir, 0, 1000, 0o700).err().unwrap();
    assert!(error.to_string().ends_with("belongs to user 0 and not to us (1000)"), "{error}");
    // A link to a folder is no folder: what it leads to could be changed behind our back.
    let rig = Rig::new();
    let link = rig.dir.path().join("link");
    std::os::unix::fs::symlink(rig.dir.path(), &link).unwrap();
    assert!(matches!(ArtefactCache::open(&link, &rig.engine), Err(CacheError::Io(..))));
}

#[test]
fn a_new_folder_is_ours_alone() {
    let rig = Rig::new();
    let inner = rig.dir.path().join("a/b");
    ArtefactCache::open(&inner, &rig.engine).unwrap();
    assert_eq!(std::fs::metadata(&inner).unwrap().mode() & 0o777, 0o700);
    let file = rig.dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(ArtefactCache::open(&file, &rig.engine), Err(CacheError::Io(..))));
}

#[test]
fn the_oldest_go_and_leftovers_of_a_crash_too() {
    let rig = Rig::new();
    // No process has this id; and this one, which has, is still writing.
    std::fs::write(rig.dir.path().join("4294967295-x.tmp"), "half").unwrap();
    let ours = rig.dir.path().join(format!("{}-x.tmp", std::process::id()));
    std::fs::write(&ours, "half").unwrap();
    for number in 0..FILES_MAX + 5 {
        std::fs::write(rig.dir.path().join(format!("{number:03}.{SUFFIX}")), "old").unwrap();
    }
    let (cache, path) = rig.filled();
    assert!(path.is_file(), "the newest stays");
    assert!(ours.is_file());
    assert_eq!(std::fs::read_dir(&cache.dir).unwrap().count(), FILES_MAX + 1);
}

#[test]
fn the_version_is_the_one_in_the_manifest() {
    let manifest = include_str!("../../../../Cargo.toml");
    assert!(manifest.contains(&format!("wasmtime = {{ version = \"={WASMTIME}\"")));
}
