//! `plugin new`: a folder to begin with.

use std::path::Path;

use dispatch_author::{Channel, Language, Template};
use serde_json::json;

use crate::cli::{ChannelWord, LanguageWord, PluginNewArgs};
use crate::exit::Failure;
use crate::verbs::Place;

pub(super) fn new(place: &Place, args: &PluginNewArgs) -> Result<(), Failure> {
    let (language, needs) = match args.lang {
        LanguageWord::Rust => (Language::Rust, "the crate registry"),
        LanguageWord::Js => (Language::JavaScript, "the npm registry"),
        LanguageWord::Python => (Language::Python, "PyPI"),
    };
    let channel = match args.channel {
        ChannelWord::Sms => Channel::Sms,
        ChannelWord::Email => Channel::Email,
    };
    let template = Template::new(&args.name, language, channel)?;
    let files = template.write(Path::new(&args.name))?;
    let shown = json!({ "folder": args.name, "files": files });
    place.show(&shown, |_| {
        format!(
            "{name}/ is a plugin that builds, passes its tests and delivers. Next:\n  cd {name}\n  dispatcher plugin build    needs {needs} once\n  dispatcher plugin test\n  dispatcher plugin run",
            name = args.name
        )
    })
}
