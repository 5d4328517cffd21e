//! The seam to the plugins: what the engine wants of whoever decides.

use std::sync::Arc;

use async_trait::async_trait;
use dispatch_model::{
    Asks, Callback, Context, Description, Fault, LookupQuery, LookupStep, Message, ReceiveStep, Reply,
    SettingProblem, Step,
};

use crate::Grants;

/// A plugin, loaded and ready. All its functions are pure: the same input gives the same output,
/// and nothing is remembered from call to call.
///
/// A call is made on another thread, so what it takes along of a message and a reply is shared.
/// `grants` carries the secrets for signing (`hmac`, `verify`) and those that may be revealed; the
/// guest sees no other secret. A [`Fault`] says that the *host* ended the call; the next call is
/// served by a fresh instance.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What the plugin says about itself.
    fn description(&self) -> &Description;

    /// The digest of its file, as hex.
    fn digest(&self) -> &str;

    /// What these settings (JSON, an overlay merged in) ask for, or all that is wrong with them.
    async fn check(&self, settings: &str) -> Result<Result<Asks, Vec<SettingProblem>>, Fault>;

    /// What to ask first to deliver this message.
    async fn deliver(
        &self,
        context: &Context,
        message: &Arc<Message>,
        grants: &Grants,
    ) -> Result<Step, Fault>;

    /// What the answer means, or what to ask next.
    async fn on_reply(
        &self,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        grants: &Grants,
    ) -> Result<Step, Fault>;

    /// What a provider's callback says.
    async fn receive(
        &self,
        context: &Context,
        callback: &Callback,
        grants: &Grants,
    ) -> Result<ReceiveStep, Fault>;

    /// Goes on with `receive` after an ask.
    async fn on_receive_reply(
        &self,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        grants: &Grants,
    ) -> Result<ReceiveStep, Fault>;

    /// What to ask to learn whether an attempt arrived.
    async fn lookup(
        &self,
        context: &Context,
        query: &LookupQuery,
        grants: &Grants,
    ) -> Result<LookupStep, Fault>;

    /// Goes on with `lookup` after an ask.
    async fn on_lookup_reply(
        &self,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        grants: &Grants,
    ) -> Result<LookupStep, Fault>;
}
