//! The macro that makes a component of a plugin.

/// Exports a plugin: `export!(Acme: Deliver)`, `export!(Acme: DeliverSteps, Receive, Lookup)`. Of `Receive` and
/// `ReceiveSmpp` one at most.
///
/// What is listed is what the description says that the plugin supports. Natively it only checks that the traits are
/// there.
#[macro_export]
macro_rules! export {
    ($plugin:ident: $deliver:ident $(, $more:ident)* $(,)?) => {
        const _: () = {
            const fn implements<P: $crate::Plugin + $crate::$deliver $(+ $crate::$more)*>() {}
            implements::<$plugin>()
        };
        #[cfg(target_arch = "wasm32")]
        mod dispatcher_plugin_export {
            #![allow(unsafe_code, missing_docs, unreachable_pub)]
            use $crate::edge::{self, wire};
            struct Component;
            impl edge::Guest for Component {
                fn describe() -> wire::Description {
                    edge::describe::<super::$plugin>(&[$(stringify!($more)),*])
                }
                fn check(settings: String) -> Result<wire::Asks, Vec<wire::Problem>> {
                    edge::check::<super::$plugin>(&settings)
                }
                fn deliver(context: wire::Context, message: wire::Message) -> wire::Step {
                    $crate::__deliver!($deliver, deliver, once_deliver, super::$plugin)(context, message)
                }
                fn on_reply(context: wire::Context, state: Vec<u8>, reply: wire::Reply) -> wire::Step {
                    $crate::__deliver!($deliver, on_reply, once_on_reply, super::$plugin)(context, &state, reply)
                }
                fn receive(context: wire::Context, callback: wire::Callback) -> wire::ReceiveStep {
                    $crate::__receive!(receive receive_smpp no_receive [super::$plugin] $($more)*)(context, callback)
                }
                fn on_receive_reply(
                    context: wire::Context, state: Vec<u8>, reply: wire::Reply,
                ) -> wire::ReceiveStep {
                    $crate::__receive!(on_receive_reply no_receive_reply no_receive_reply [super::$plugin] $($more)*)(context, &state, reply)
                }
                fn lookup(context: wire::Context, query: wire::LookupQuery) -> wire::LookupStep {
                    $crate::__lookup!(lookup no_lookup [super::$plugin] $($more)*)(context, query)
                }
                fn on_lookup_reply(
                    context: wire::Context, state: Vec<u8>, reply: wire::Reply,
                ) -> wire::LookupStep {
                    $crate::__lookup!(on_lookup_reply no_lookup_reply [super::$plugin] $($more)*)(context, &state, reply)
                }
            }
            $crate::edge::bindings::export!(Component with_types_in $crate::edge::bindings);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __deliver {
    (Deliver, $steps:ident, $once:ident, $plugin:ty) => {
        $crate::edge::$once::<$plugin>
    };
    (DeliverSteps, $steps:ident, $once:ident, $plugin:ty) => {
        $crate::edge::$steps::<$plugin>
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __receive {
    ($http:ident $smpp:ident $no:ident [$plugin:ty] Receive $($rest:ident)*) => {
        $crate::edge::$http::<$plugin>
    };
    ($http:ident $smpp:ident $no:ident [$plugin:ty] ReceiveSmpp $($rest:ident)*) => {
        $crate::edge::$smpp::<$plugin>
    };
    ($http:ident $smpp:ident $no:ident [$plugin:ty] $other:ident $($rest:ident)*) => {
        $crate::__receive!($http $smpp $no [$plugin] $($rest)*)
    };
    ($http:ident $smpp:ident $no:ident [$plugin:ty]) => { $crate::edge::$no::<$plugin> };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __lookup {
    ($yes:ident $no:ident [$plugin:ty] Lookup $($rest:ident)*) => { $crate::edge::$yes::<$plugin> };
    ($yes:ident $no:ident [$plugin:ty] $other:ident $($rest:ident)*) => {
        $crate::__lookup!($yes $no [$plugin] $($rest)*)
    };
    ($yes:ident $no:ident [$plugin:ty]) => { $crate::edge::$no::<$plugin> };
}
