//! One call of a guest: a fresh store, an instance, the function, and all of it dropped.
//!
//! ```text
//! InstancePre --instantiate--> instance --look up one function--> call --> values --> store dropped
//!     ^ linked once at load          epoch, memory, table and boundary bounds on the store
//! ```
//!
//! Nothing outlives the store, so nothing is carried from call to call, and a fault ends one call only.

use std::sync::Arc;
use std::time::Duration;

use dispatch_model::Fault;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, HasSelf, Instance, InstancePre, Lift, Linker, Lower,
    TypedFunc,
};
use wasmtime::{Engine, Store};

use crate::config::HostConfig;
use crate::contract::{
    CHECK, DELIVER, DESCRIBE, EXPORT, Function, LOOKUP, ON_LOOKUP_REPLY, ON_RECEIVE_REPLY, ON_REPLY, RECEIVE,
    Signature, log, secrets, wit,
};
use crate::crew::Turn;
use crate::epoch::Budget;
use crate::error::LoadError;
use crate::fault;
use crate::imports::{Journal, Vault};
use crate::limiter::Limiter;

/// The bounds of every call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallBounds {
    pub(crate) deadline: Duration,
    pub(crate) memory_max: usize,
    pub(crate) table_max: usize,
    pub(crate) boundary_max: usize,
}

impl From<&HostConfig> for CallBounds {
    fn from(config: &HostConfig) -> Self {
        Self {
            deadline: config.deadline,
            memory_max: config.memory_max,
            table_max: config.table_max,
            boundary_max: config.boundary_max,
        }
    }
}

/// What belongs to one call: what it used so far, where its lines go and which secrets it may work with.
pub(crate) struct CallState {
    pub(crate) limiter: Limiter,
    pub(crate) journal: Journal,
    pub(crate) vault: Vault,
}

/// A plugin's compiled code, linked and ready to be instantiated.
pub(crate) struct Code {
    engine: Engine,
    pre: InstancePre<CallState>,
    exports: Exports,
    bounds: CallBounds,
}

impl Code {
    /// Links a component. The imports were looked at before (shape.rs), so what fails here is a wrong shape
    /// of the right names.
    pub(crate) fn link(
        component: &Component,
        bounds: CallBounds,
        turn: &Arc<Turn>,
    ) -> Result<Arc<Self>, LoadError> {
        let engine = component.engine().clone();
        let mut linker = Linker::new(&engine);
        wit::add_to_linker::<CallState, HasSelf<CallState>>(&mut linker, |state| state)
            .and_then(|()| log::add_to_linker::<CallState, HasSelf<CallState>>(&mut linker, |state| state))
            .and_then(|()| {
                secrets::add_to_linker::<CallState, HasSelf<CallState>>(&mut linker, |state| state)
            })
            .map_err(|error| LoadError::Invalid { detail: fault::describe(&error) })?;
        let pre = linker
            .instantiate_pre(component)
            .map_err(|error| LoadError::Invalid { detail: fault::describe(&error) })?;
        let interface = component
            .get_export_index(None, EXPORT)
            .ok_or_else(|| LoadError::MissingExport { found: Vec::new() })?;
        let index = |function: Function| {
            component
                .get_export_index(Some(&interface), function.name())
                .ok_or_else(|| LoadError::MissingFunction { function: function.name().to_owned() })
        };
        let named = Function::ALL.into_iter().map(index).collect::<Result<Vec<_>, _>>()?;
        let exports = checked(&engine, &pre, named, bounds, turn)?;
        Ok(Arc::new(Self { engine, pre, exports, bounds }))
    }

    /// Calls a function in a fresh instance. Should it compute for long, its turn is told.
    pub(crate) fn call<P, R>(
        &self,
        signature: Signature<P, R>,
        state: CallState,
        params: P,
        turn: &Arc<Turn>,
    ) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        let mut store = store(&self.engine, self.bounds, state, turn);
        let result = self.pre.instantiate(&mut store).and_then(|instance| {
            self.exports.function(&mut store, &instance, signature)?.call(&mut store, params)
        });
        store.data_mut().journal.close();
        result.map(|(value,)| value).map_err(|error| fault::classify(&error, store.data(), &self.bounds))
    }

    /// The bounds of each call.
    pub(crate) fn bounds(&self) -> CallBounds {
        self.bounds
    }
}

/// The functions of a plugin, by [`Function`]. There is none but those of [`checked`].
struct Exports(Vec<ComponentExportIndex>);

/// Holds each function against its signature. Needs an instance, and a start function may already fault.
fn checked(
    engine: &Engine,
    pre: &InstancePre<CallState>,
    named: Vec<ComponentExportIndex>,
    bounds: CallBounds,
    turn: &Arc<Turn>,
) -> Result<Exports, LoadError> {
    let mut store = store(engine, bounds, CallState::bare(bounds), turn);
    let instance = pre
        .instantiate(&mut store)
        .map_err(|error| LoadError::Fault(fault::classify(&error, store.data(), &bounds)))?;
    let mut check = Check { store: &mut store, instance, named: &named };
    check.function(DESCRIBE)?;
    check.function(CHECK)?;
    check.function(DELIVER)?;
    check.function(ON_REPLY)?;
    check.function(RECEIVE)?;
    check.function(ON_RECEIVE_REPLY)?;
    check.function(LOOKUP)?;
    check.function(ON_LOOKUP_REPLY)?;
    Ok(Exports(named))
}

struct Check<'a> {
    store: &'a mut Store<CallState>,
    instance: Instance,
    named: &'a [ComponentExportIndex],
}

impl Check<'_> {
    fn function<P, R>(&mut self, signature: Signature<P, R>) -> Result<(), LoadError>
    where
        P: ComponentNamedList + Lower,
        (R,): ComponentNamedList + Lift,
    {
        let function = signature.function;
        self.instance
            .get_typed_func::<P, (R,)>(&mut *self.store, &self.named[function as usize])
            .map(drop)
            .map_err(|error| LoadError::Mismatch {
                function: function.name().to_owned(),
                detail: fault::describe(&error),
            })
    }
}

impl Exports {
    /// A function of an instance of the component that these were checked of.
    #[allow(
        unsafe_code,
        reason = "checking the types again took a tenth of a call; a build for debugging does"
    )]
    fn function<P, R>(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
        signature: Signature<P, R>,
    ) -> wasmtime::Result<TypedFunc<P, (R,)>>
    where
        P: ComponentNamedList + Lower,
        (R,): ComponentNamedList + Lift,
    {
        let index = &self.0[signature.function as usize];
        if cfg!(debug_assertions) {
            return instance.get_typed_func(store, index);
        }
        let function = instance.get_func(store, index).ok_or_else(|| {
            wasmtime::Error::msg("the function is gone, though it was there when it was checked")
        })?;
        // SAFETY: `checked` held this very component's function against the types of the one signature that there is
        // for it, and signatures are made nowhere but in contract.rs.
        Ok(unsafe { TypedFunc::new_unchecked(function) })
    }
}

fn store(engine: &Engine, bounds: CallBounds, state: CallState, turn: &Arc<Turn>) -> Store<CallState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(bounds.boundary_max);
    store.set_epoch_deadline(1);
    let mut budget = Budget::new(bounds.deadline);
    let turn = Arc::clone(turn);
    store.epoch_deadline_callback(move |_| {
        let left = budget.tick();
        if budget.is_long() {
            turn.overran();
        }
        left
    });
    store
}

impl CallState {
    /// For calls that work with no secrets.
    pub(crate) fn new(bounds: CallBounds, journal: Journal, vault: Vault) -> Self {
        Self { limiter: Limiter::new(bounds.memory_max, bounds.table_max), journal, vault }
    }

    /// For looking at a plugin: nobody listens and there are no secrets.
    pub(crate) fn bare(bounds: CallBounds) -> Self {
        Self::new(bounds, Journal::silent(), Vault::default())
    }
}

/// The types come without functions.
impl wit::Host for CallState {}
