//! Any HTTP API by template: the settings say what to send and how to read the answer.

mod answer;
mod body;
mod settings;
mod template;
mod values;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, Deliver, Description, Escape, Media, Message, Pieces, Plugin,
    Refusal, Request, Response, export,
};

pub use settings::Settings;
use settings::{Attachments, Body, TextEscape};
use template::{Place, Template};
use values::Values;

/// The plugin.
pub struct Http;

impl Plugin for Http {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "http",
            env!("CARGO_PKG_VERSION"),
            "Any HTTP API by template, for SMS and email.",
            &[Channel::Sms, Channel::Email],
            include_str!("settings.schema.json"),
        )
        // What a provider takes is not known here: the settings say where the URLs go.
        .media(Media::Url, 100, u64::MAX)
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

impl Deliver for Http {
    fn request(context: &Context<Settings>, message: &Message) -> Result<Request, Refusal> {
        let settings = &context.settings;
        let placed = settings.takes_attachments();
        if !placed && settings.attachments == Attachments::Refuse && !message.attachments.is_empty() {
            return Err(Refusal::content("attachments", "this provider takes no attachments"));
        }
        let values = Values { context, message, attachments_have_a_place: placed };
        let value = |name: &str| values.get(name);
        let render = |text: &str, place: Place| {
            Template::parse(text)
                .map(|template| template.render(place, &value))
                .map_err(|problem| Refusal::account("settings", problem))
        };
        let mut request = Request::new(settings.method.as_str(), render(&settings.url, Place::Percent)?)
            .credential(settings.credential());
        if let Some((name, secret)) = settings.credential_header() {
            let mut value = Pieces::new();
            value.secret(secret, Escape::Raw);
            request = request.header(name, value);
        }
        for (name, text) in &settings.headers {
            let value = render(text, Place::Raw)?;
            if value.to_text().chars().any(|c| c.is_control() && c != '\t') {
                return Err(Refusal::content(
                    "header",
                    format!("the header {name} would have a line end in it"),
                ));
            }
            request = request.header(name, value);
        }
        // One of the settings' own wins.
        let typed = settings.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        let with = |mut request: Request, media_type: &str, body: Pieces| {
            if typed {
                request.body = body;
                return request;
            }
            request.body(media_type, body)
        };
        Ok(match &settings.body {
            Body::None => request,
            // A tree that is a placeholder alone, with nothing for it.
            Body::Json(tree) => {
                let body = body::json(tree, &values, None).unwrap_or_else(|| "null".into());
                with(request, "application/json", body)
            }
            Body::Form(fields) => {
                with(request, "application/x-www-form-urlencoded", body::form(fields, &values))
            }
            Body::Text { template, media_type, escape } => {
                let place = match escape {
                    TextEscape::None => Place::Raw,
                    TextEscape::Xml => Place::Xml,
                    TextEscape::Json => Place::Json,
                    TextEscape::Percent => Place::Percent,
                };
                with(request, media_type, render(template, place)?)
            }
        })
    }

    fn outcome(context: &Context<Settings>, response: &Response) -> Result<Acceptance, Refusal> {
        context.settings.answer.judge(response)
    }
}

export!(Http: Deliver);

#[cfg(test)]
mod tests;
