//! The same call twice: waiting for the one that is out, handing out what came of it, and finding out what nobody
//! knows.
//!
//! Whoever waited is judged again before anything is handed out: a stop or a new policy counts for a result too.

use std::sync::Arc;

use placet_engine::{
    call::{Call, CallId, Proposal},
    decide::{self, Verdict},
    decision::{Decision, Denial, DenyReason, Replay},
    json::{Json, Limits, Object, parse},
    names::Action,
    permit::{Durable, Queued},
    tool::Offer,
};
use placet_store::{Store, StoreError};

use super::{Answer, Gate, flights::Landing};
use crate::upstream::Upstream;

impl<S: Store> Gate<S> {
    /// Hands a call the result of the same one, for which it has waited. None: it is to be judged again.
    pub(super) async fn join<U: Upstream>(
        &self,
        call: &Arc<Call>,
        offer: &(dyn Fn(&Action) -> Offer + Send + Sync),
        other: CallId,
        landing: Landing,
    ) -> Option<Answer<U::Output>> {
        let text = match landing {
            Landing::Result(text) => text,
            Landing::Unknown => {
                return Some(self.refuse(call, offer, DenyReason::OutcomeUnknown(other)).await);
            }
            Landing::Nothing => return None,
        };
        let (engine, known) = match self.know(call, offer).await {
            Ok(known) => known?,
            Err(error) => return Some(self.unremembered(&error).await),
        };
        let Verdict { decision, changes } = engine.joined(call, &known, self.clock.now(), other, text);
        match decision {
            Decision::Replay(replay) => match self.store.commit::<Queued>(changes).await {
                Ok(_) => Some(again::<U>(&replay)),
                Err(StoreError::Conflict(_)) => None,
                Err(error) => Some(self.unremembered(&error).await),
            },
            Decision::Deny(denial) => {
                self.keep_refusal(changes).await;
                Some(Answer::Refused(denial))
            }
            Decision::Allow(_) | Decision::Ask(_) | Decision::Plan(_) | Decision::Join(_) => {
                Some(Answer::Refused(Denial::because(DenyReason::Bug)))
            }
        }
    }

    /// Asks the tool that the operator named whether a call under the same key happened, and keeps the answer.
    /// What cannot be found out stays unknown.
    pub(super) async fn look_up<U: Upstream>(
        &self,
        call: &Arc<Call>,
        other: CallId,
        offer: &(dyn Fn(&Action) -> Offer + Send + Sync),
        upstream: &U,
    ) {
        let engine = self.engine.load_full();
        let Some(tool) = engine.policy().tool(&call.action) else { return };
        let Some(look) = &tool.terms.once.reconcile else { return };
        let Ok(Some(intent)) = self.store.open_intent(other).await else { return };
        let Ok(arguments) = parse(intent.arguments.as_bytes(), &Limits::EDGE) else { return };
        let mut asked = Object::new();
        for (name, path) in &look.arguments {
            let Some(value) = path.find(&arguments) else { return };
            asked.insert(name.clone(), value.clone());
        }
        let proposal = Proposal {
            agent: call.agent.clone(),
            client: call.client.clone(),
            session: call.session.clone(),
            action: Action::new(call.action.server.clone(), look.tool.clone()),
            arguments: asked,
            meta: Object::new(),
            mode: placet_engine::call::Mode::Live,
            key: None,
            cost: Default::default(),
        };
        let reply = self.handle(proposal, |action: &Action| offer(action), upstream).await;
        let Answer::Ran(output) = &reply.answer else { return };
        let Some(structured) = U::structured(output) else { return };
        let Some(Json::Bool(happened)) = look.happened.find(&structured) else { return };
        let evidence = format!("{} said so in {}", reply.call.action, reply.call.id);
        let changes = decide::resolve(&intent, *happened, "placet", &evidence, self.clock.now());
        // If that could not be kept, the call is unknown still, and is answered so.
        drop(self.store.commit::<Durable>(changes).await);
    }

    /// Puts the caller's key where the tool itself takes one. What the agent has put there must be the same.
    pub(super) fn forward_key(&self, mut proposal: Proposal) -> (Proposal, Option<String>) {
        let engine = self.engine.load();
        let once = engine.policy().tool(&proposal.action).map(|tool| &tool.terms.once);
        let Some(name) = once.and_then(|once| once.forward.as_ref()) else { return (proposal, None) };
        let Some(token) = engine.token(&proposal) else { return (proposal, None) };
        let token = Json::from(token.as_str());
        match proposal.arguments.get(name) {
            Some(set) if *set != token => {
                let problem = format!("`{name}` is set by the boundary, to the key of the call");
                (proposal, Some(problem))
            }
            Some(_) | None => {
                proposal.arguments.insert(name.clone(), token);
                (proposal, None)
            }
        }
    }
}

/// A result that was kept, as this upstream's own.
pub(super) fn again<U: Upstream>(replay: &Replay) -> Answer<U::Output> {
    match U::from_text(&replay.text) {
        Some(output) => Answer::Replayed(replay.of, output),
        // Kept by another surface in a form that this one does not know; done it is all the same.
        None => Answer::Refused(Denial::because(DenyReason::AlreadyDone)),
    }
}
