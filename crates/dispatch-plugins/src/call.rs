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
    Component, ComponentExportIndex, ComponentNamedList, HasSelf, InstancePre, Lift, Linker, Lower,
};
use wasmtime::{Engine, Store};

use crate::config::HostConfig;
use crate::contract::{EXPORT, Function, log, secrets, wit};
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
    /// By [`Function`], in the order of [`Function::ALL`].
    exports: Vec<ComponentExportIndex>,
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
        let exports = Function::ALL
            .iter()
            .map(|function| {
                component
                    .get_export_index(Some(&interface), function.name())
                    .ok_or_else(|| LoadError::MissingFunction { function: function.name().to_owned() })
            })
            .collect::<Result<_, _>>()?;
        let code = Self { engine, pre, exports, bounds };
        code.check_shapes(turn)?;
        Ok(Arc::new(code))
    }

    /// Whether each function takes and gives what the contract says. Needs an instance, and a start
    /// function may already fault.
    fn check_shapes(&self, turn: &Arc<Turn>) -> Result<(), LoadError> {
        let mut store = self.store(CallState::bare(self.bounds), turn);
        let instance = self
            .pre
            .instantiate(&mut store)
            .map_err(|error| LoadError::Fault(fault::classify(&error, store.data(), &self.bounds)))?;
        for function in Function::ALL {
            let index = &self.exports[function as usize];
            macro_rules! check {
                ($params:ty, $result:ty) => {
                    instance.get_typed_func::<$params, ($result,)>(&mut store, index).map(|_| ())
                };
            }
            match function {
                Function::Describe => check!((), wit::Description),
                Function::Check => check!((&str,), Result<wit::Asks, Vec<wit::Problem>>),
                Function::Deliver => check!((&wit::Context, &wit::Message), wit::Step),
                Function::OnReply => check!((&wit::Context, &[u8], &wit::Reply), wit::Step),
                Function::Receive => check!((&wit::Context, &wit::Callback), wit::ReceiveStep),
                Function::OnReceiveReply => {
                    check!((&wit::Context, &[u8], &wit::Reply), wit::ReceiveStep)
                }
                Function::Lookup => check!((&wit::Context, &wit::LookupQuery), wit::LookupStep),
                Function::OnLookupReply => {
                    check!((&wit::Context, &[u8], &wit::Reply), wit::LookupStep)
                }
            }
            .map_err(|error| LoadError::Mismatch {
                function: function.name().to_owned(),
                detail: fault::describe(&error),
            })?;
        }
        Ok(())
    }

    /// Calls a function in a fresh instance. Should it compute for long, its turn is told.
    pub(crate) fn call<P, R>(
        &self,
        function: Function,
        state: CallState,
        params: P,
        turn: &Arc<Turn>,
    ) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        let mut store = self.store(state, turn);
        let result = self.pre.instantiate(&mut store).and_then(|instance| {
            let index = &self.exports[function as usize];
            instance.get_typed_func::<P, (R,)>(&mut store, index)?.call(&mut store, params)
        });
        store.data_mut().journal.close();
        result.map(|(value,)| value).map_err(|error| fault::classify(&error, store.data(), &self.bounds))
    }

    fn store(&self, state: CallState, turn: &Arc<Turn>) -> Store<CallState> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.bounds.boundary_max);
        store.set_epoch_deadline(1);
        let mut budget = Budget::new(self.bounds.deadline);
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

    /// The bounds of each call.
    pub(crate) fn bounds(&self) -> CallBounds {
        self.bounds
    }
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
