//! Hand-written components, so that no wasm compiler is needed. They fault as they start, since a whole
//! `describe` would take all of the contract's types in text; guests that do are tried in tests/it/plugins.

use std::time::{Duration, Instant};

use dispatch_model::Fault;

use super::*;
use crate::contract::Function;

fn host() -> Arc<PluginHost> {
    PluginHost::new(HostConfig {
        memory_max: 4 << 20,
        table_max: 1000,
        deadline: Duration::from_millis(50),
        ..HostConfig::default()
    })
    .unwrap()
}

/// A component with all of the contract's names, whose functions take and give nothing, around a core
/// module that has `body`.
fn component(body: &str) -> Vec<u8> {
    let exports: String =
        Function::ALL.iter().map(|function| format!("(export \"{}\" (func $f))", function.name())).collect();
    wat::parse_str(format!(
        "(component
            (core module $m {body} (func (export \"f\")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i \"f\")))
            (instance $delivery {exports})
            (export \"dispatcher:plugin/delivery@1.0.0\" (instance $delivery)))"
    ))
    .unwrap()
}

/// A module of the fixtures, made a component.
macro_rules! fixture {
    ($name:literal) => {
        component(include_str!(concat!("../../../../plugins/fixtures/wat/", $name, ".wat")))
    };
}

async fn refusal(wasm: Vec<u8>) -> LoadError {
    host().load("wat", wasm).await.expect_err("it is no plugin")
}

#[tokio::test]
async fn functions_of_another_shape_are_named() {
    let error = refusal(component("")).await;
    let LoadError::Mismatch { function, .. } = &error else { panic!("{error}") };
    assert_eq!(function, "describe");
    assert!(error.to_string().contains("build it from the plugins/wit of this version"), "{error}");
}

#[tokio::test]
async fn a_missing_function_is_named() {
    let wasm = wat::parse_str(
        "(component (instance $i) (export \"dispatcher:plugin/delivery@1.0.0\" (instance $i)))",
    );
    let error = refusal(wasm.unwrap()).await;
    assert_eq!(error, LoadError::MissingFunction { function: "describe".to_owned() });
}

#[tokio::test]
async fn a_trap_in_start_is_a_fault() {
    let error = refusal(fixture!("trap-in-start")).await;
    let LoadError::Fault(Fault::Trap { detail }) = &error else { panic!("{error}") };
    assert!(detail.contains("unreachable"), "{detail}");
}

#[tokio::test]
async fn endless_recursion_is_a_trap() {
    let error = refusal(fixture!("recursion-in-start")).await;
    let LoadError::Fault(Fault::Trap { detail }) = &error else { panic!("{error}") };
    assert!(detail.contains("stack"), "{detail}");
}

#[tokio::test]
async fn a_loop_in_start_ends_at_the_deadline() {
    let started = Instant::now();
    let error = refusal(fixture!("loop-in-start")).await;
    assert_eq!(error, LoadError::Fault(Fault::Deadline { limit_ms: 50 }));
    // Wall-clock bounds are for a busy machine: what was computed is bounded, and checked in epoch.rs.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn memory_is_bounded() {
    let error = refusal(fixture!("memory-growth")).await;
    assert_eq!(error, LoadError::Fault(Fault::Memory { limit_bytes: 4 << 20 }));
    let error = refusal(component("(memory 65)")).await;
    assert_eq!(error, LoadError::TooHungry { initial: 65 << 16, limit: 4 << 20 });
}

#[tokio::test]
async fn tables_are_bounded() {
    let error = refusal(fixture!("table-growth")).await;
    assert!(matches!(error, LoadError::Fault(Fault::Memory { .. })), "{error}");
}

#[tokio::test]
async fn proposals_that_are_off_are_refused() {
    for body in ["(memory i64 1)", "(memory 1) (memory 1)", "(func $g (return_call $g))"] {
        let error = refusal(component(body)).await;
        assert!(matches!(error, LoadError::Invalid { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_file_beyond_the_bound_is_not_even_read() {
    let host = PluginHost::new(HostConfig { file_max: 10, ..HostConfig::default() }).unwrap();
    let error = host.load("big", vec![0; 11]).await.unwrap_err();
    assert_eq!(error, LoadError::TooLarge { size: 11, limit: 10 });
}

#[tokio::test]
async fn a_fault_does_not_hurt_the_next_load() {
    let host = host();
    for _ in 0..3 {
        let error = host.load("trap", fixture!("trap-in-start")).await.unwrap_err();
        assert!(matches!(error, LoadError::Fault(Fault::Trap { .. })));
        let error = host.load("other", component("")).await.unwrap_err();
        assert!(matches!(error, LoadError::Mismatch { .. }));
    }
    assert_eq!(host.loaded.lock().len(), 1, "refused files leave nothing but the last slot");
}

#[tokio::test]
async fn an_inspection_tells_all_that_is_refused() {
    let host = host();
    let wasm = wat::parse_str(
        "(component
            (import \"wasi:cli/environment@0.2.3\" (instance))
            (import \"wasi:io/poll@0.2.3\" (instance))
            (core module (memory 3))
            (instance $i) (export \"dispatcher:plugin/delivery@1.0.0\" (instance $i)))",
    )
    .unwrap();
    let seen = host.inspect(wasm.clone()).await;
    assert_eq!(seen.size, wasm.len());
    assert_eq!(seen.contract.as_deref(), Some("1.0.0"));
    assert_eq!(seen.imports, ["wasi:cli/environment@0.2.3", "wasi:io/poll@0.2.3"]);
    assert_eq!(seen.memory_initial, 3 << 16);
    assert_eq!(seen.refused.len(), 2, "{:?}", seen.refused);
    assert_eq!(seen.sha256.len(), 64);
    assert!(seen.description.is_none());
    let core = host.inspect(wat::parse_str("(module)").unwrap()).await;
    assert!(core.refused[0].contains("wasm-component-ld"), "{:?}", core.refused);
}

#[tokio::test]
async fn the_host_says_how_it_came_out() {
    let about = host().describe().clone();
    assert!(about.to_string().starts_with("wasmtime 48."), "{about}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let config = HostConfig { cache_dir: Some(dir.path().to_owned()), ..HostConfig::default() };
    let about = PluginHost::new(config).unwrap().describe().clone();
    assert!(!about.cached && about.to_string().contains("chmod 700"), "{about}");
}
