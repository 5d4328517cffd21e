//! SES's events, by way of a topic. A notice takes several steps: its certificate is fetched before it is believed, and a
//! subscription is confirmed by a request on top.

use dispatcher_plugin::{
    Callback, Context, Event, Reason, Receive, ReceiveStep, Received, Refusal, Reply, Request, log,
};
use serde::{Deserialize, Serialize};

use crate::event::{self, Told};
use crate::sns::{Kind, Notice, Seal, below};
use crate::{Ses, Settings};

/// Where a callback stands.
#[derive(Debug, Serialize, Deserialize)]
pub enum State {
    /// Its certificate is being fetched.
    Certificate {
        /// What is to be verified.
        seal: Seal,
        /// What it tells, once it is believed.
        told: Vec<Told>,
        /// What confirms the subscription, once it is believed.
        confirm: Option<String>,
    },
    /// It is believed, and the subscription is being confirmed.
    Confirmation,
}

impl Receive for Ses {
    type State = State;

    fn receive(context: &Context<Settings>, callback: &Callback) -> Result<ReceiveStep<State>, Reason> {
        let notice: Notice =
            serde_json::from_slice(&callback.body).map_err(|error| Reason::new("json", error.to_string()))?;
        let place = context.settings.sns_url(&notice.topic_arn);
        let place = place.ok_or(Reason::new("topic", "this topic is not one of the setting topics"))?;
        let at_amazons = |url: &str| {
            below(url, &place)
                .then_some(())
                .ok_or(Reason::new("host", "the URL is not at Amazon's host of this topic"))
        };
        let seal = notice.seal()?;
        let (told, confirm) = match notice.kind()? {
            Kind::Notification => (event::read(&notice.message), None),
            Kind::Subscription(url) => {
                at_amazons(&url)?;
                (Vec::new(), Some(url))
            }
            Kind::Unsubscription => {
                log::warn("a topic's subscription was ended: its events come no more");
                (Vec::new(), None)
            }
        };
        at_amazons(&notice.signing_cert_url)?;
        if !notice.signing_cert_url.ends_with(".pem") {
            return Err(Reason::new("host", "the certificate's URL does not end as one"));
        }
        let request = Request::get(notice.signing_cert_url);
        Ok(ReceiveStep::Ask(request.into(), State::Certificate { seal, told, confirm }))
    }

    fn on_receive_reply(
        context: &Context<Settings>,
        state: State,
        reply: Reply,
    ) -> Result<ReceiveStep<State>, Reason> {
        let reason = |refusal: Refusal| refusal.reason().clone();
        let response = reply.http().map_err(reason)?;
        let response = response.success().map_err(reason)?;
        match state {
            State::Confirmation => Ok(Received::new(Vec::new()).into()),
            State::Certificate { seal, told, confirm } => {
                seal.verify(&response.body, context.now_ms)?;
                match confirm {
                    Some(url) => Ok(ReceiveStep::Ask(Request::get(url).into(), State::Confirmation)),
                    None => {
                        let events = told.into_iter().map(|told| Event::Receipt(told.into()));
                        Ok(Received::new(events.collect()).into())
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, response, take_log};
    use dispatcher_plugin::{Action, ReceiptState};
    use serde_json::{Value, json};

    use super::*;
    use crate::sns::tests::{CERTIFICATE, TOPIC, URL, signed};

    fn here() -> Context<Settings> {
        context(json!({ "region": "eu-west-1", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "topics": [TOPIC] }))
    }

    /// All steps, with the URLs asked for on the way.
    fn receive(body: &Value, status: u16, certificate: &[u8]) -> (Vec<String>, Result<Received, Reason>) {
        let callback = Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/ses/t0k3n".into(),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        };
        let mut asked = Vec::new();
        let mut step = Ses::receive(&here(), &callback);
        loop {
            match step {
                Ok(ReceiveStep::Ask(Action::Http(request), state)) => {
                    asked.push(request.url_text());
                    // As the host carries it.
                    let state = serde_json::to_string(&state).expect("JSON");
                    let state = serde_json::from_str(&state).expect("a state");
                    let reply = Reply::Http(response(status, &[], certificate));
                    step = Ses::on_receive_reply(&here(), state, reply);
                }
                Ok(ReceiveStep::Ask(..)) => panic!("no mail"),
                Ok(ReceiveStep::Received(received)) => return (asked, Ok(received)),
                Err(reason) => return (asked, Err(reason)),
            }
        }
    }

    #[test]
    fn a_notification_takes_two_steps() {
        let message =
            r#"{"eventType":"Bounce","mail":{"messageId":"ses-1"},"bounce":{"bounceType":"Permanent"}}"#;
        let (asked, received) = receive(&signed("Notification", message), 200, CERTIFICATE);
        assert_eq!(asked, [format!("{URL}/SimpleNotificationService-1.pem")]);
        let [Event::Receipt(receipt)] = &received.expect("believed").events[..] else {
            panic!("one receipt")
        };
        assert_eq!((receipt.reference.as_str(), receipt.state), ("ses-1", ReceiptState::Bounced));
    }

    #[test]
    fn a_confirmation_takes_three() {
        let (asked, received) =
            receive(&signed("SubscriptionConfirmation", "You have chosen …"), 200, CERTIFICATE);
        assert_eq!(asked[1..], [format!("{URL}/?Action=ConfirmSubscription&Token=tok")]);
        assert_eq!(received.expect("believed").events, []);
    }

    #[test]
    fn the_end_of_a_subscription_is_told() {
        let (asked, received) = receive(&signed("UnsubscribeConfirmation", "x"), 200, CERTIFICATE);
        assert_eq!((asked.len(), received.expect("believed").events.len()), (1, 0));
        assert_eq!(take_log().len(), 1);
    }

    #[test]
    fn forgeries_are_refused() {
        let refused = |kind: &str, change: &dyn Fn(&mut Value)| {
            let mut body = signed(kind, "{}");
            change(&mut body);
            let (asked, received) = receive(&body, 200, CERTIFICATE);
            (asked.len(), received.unwrap_err().code)
        };
        let is = |count: usize, code: &str| (count, code.to_owned());
        assert_eq!(refused("Notification", &|body| body["Message"] = "{} ".into()), is(1, "signature"));
        let other = TOPIC.replace("ses-events", "other");
        assert_eq!(refused("Notification", &|body| body["TopicArn"] = other.clone().into()), is(0, "topic"));
        assert_eq!(refused("Notification", &|body| body["SignatureVersion"] = "1".into()), is(0, "version"));
        assert_eq!(refused("Notification", &|body| body["Type"] = "Other".into()), is(0, "type"));
        for url in [
            format!("{URL}.evil.example/x.pem"),
            format!("{URL}@evil.example/x.pem"),
            "https://sns.us-east-1.amazonaws.com/x.pem".to_owned(),
            format!("{URL}/?Action=GetTopicAttributes"),
        ] {
            assert_eq!(
                refused("Notification", &|body| body["SigningCertURL"] = url.clone().into()),
                is(0, "host"),
                "{url}"
            );
        }
        let evil = |body: &mut Value| body["SubscribeURL"] = "https://evil.example/x".into();
        assert_eq!(refused("SubscriptionConfirmation", &evil), is(0, "host"));
        let (_, received) = receive(&signed("Notification", "{}"), 200, b"no certificate");
        assert_eq!(received.unwrap_err().code, "certificate");
        let (_, received) = receive(&signed("Notification", "{}"), 403, CERTIFICATE);
        assert_eq!(received.unwrap_err().code, "403");
    }
}
