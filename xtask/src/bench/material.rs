//! Messages, settings and cassettes for the bundled plugins, out of their tables of answers
//! (`plugins/*/testdata/answers.json`).

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::command::root;

/// One part, in UCS-2: a message centre is asked once.
const TEXT: &str = "Hola María, tu cita es mañana a las 10:00. Responde SÍ. ";

/// The files of one way to set a plugin up.
pub(super) struct Material {
    /// Which, where there are several.
    pub(super) about: String,
    folder: PathBuf,
}

impl Material {
    /// What lies in this folder.
    pub(super) fn of(folder: &Path, about: String) -> Self {
        Self { about, folder: folder.to_owned() }
    }

    /// As options of `dispatcher plugin bench`.
    pub(super) fn options(&self) -> [(&'static str, PathBuf); 3] {
        [("--message", "message.json"), ("--settings", "settings.json"), ("--cassette", "cassette.json")]
            .map(|(option, file)| (option, self.folder.join(file)))
    }
}

/// One for each way to set this plugin up that its table knows, in a folder of its own below this one.
pub(super) fn of(plugin: &str, folder: &Path) -> anyhow::Result<Vec<Material>> {
    let table = root().join("plugins").join(plugin).join("testdata/answers.json");
    if !table.is_file() {
        // The dry run asks nobody, so there is no answer.
        return Ok(vec![write(folder.join(plugin), String::new(), &json!({}), message(false), &json!([]))?]);
    }
    let groups: Vec<Value> = serde_json::from_slice(&std::fs::read(&table)?)
        .with_context(|| format!("reading {}", table.display()))?;
    let material = |(number, group): (usize, &Value)| {
        let answers = group["answers"].as_array().context("a group has answers")?;
        let taken = answers.iter().find(|answer| answer["becomes"] == "accepted");
        let reply = reply(taken.context("a group has an acceptance")?);
        let about = group["settings"]["mode"].as_str().map(|mode| format!(" {mode}")).unwrap_or_default();
        let folder = folder.join(format!("{plugin}-{number}"));
        let message = message(group["channel"] == "email");
        write(folder, about, &group["settings"], message, &json!([{ "reply": reply }]))
    };
    groups.iter().enumerate().map(material).collect()
}

fn write(
    folder: PathBuf,
    about: String,
    settings: &Value,
    message: Value,
    cassette: &Value,
) -> anyhow::Result<Material> {
    std::fs::create_dir_all(&folder)?;
    for (file, content) in
        [("settings.json", settings), ("message.json", &message), ("cassette.json", cassette)]
    {
        std::fs::write(folder.join(file), content.to_string())?;
    }
    Ok(Material { about, folder })
}

/// A webhook's body.
fn message(is_mail: bool) -> Value {
    let mut body = json!({
        "contactId": "GKBhT6BfwY9mjzXAU3sq",
        "locationId": "GKAWb4yu7A4LSc0skQ6g",
        "messageId": "KRIUtKAiRZRQUyyLDS4X",
        "attachments": [],
    });
    let content = if is_mail {
        json!({
            "type": "Email",
            "emailMessageId": "KRIUtKAiRZRQUyyLDS4X",
            "emailFrom": "Agency <hello@agency.example>",
            "emailTo": ["ana@example.com"],
            "subject": "Tu cita",
            "html": format!("<p>{}</p>", TEXT.repeat(4)),
        })
    } else {
        json!({ "type": "SMS", "phone": "+525512345678", "message": TEXT })
    };
    if let (Value::Object(body), Value::Object(content)) = (&mut body, content) {
        body.extend(content);
    }
    body
}

/// The reply that a row of the table stands for, as a cassette has it.
fn reply(answer: &Value) -> Value {
    let said = &answer["mail"];
    if !said.is_null() {
        let text = said["text"].as_str().unwrap_or_default();
        let reply = json!({ "code": said["code"], "enhanced": said["enhanced"], "text": text });
        // The table's recipients are not those of the message here.
        return json!({ "mail": { "stage": said["stage"], "reply": reply, "recipients": [] } });
    }
    let said = &answer["smpp"];
    if !said.is_null() {
        return json!({
            "smpp": {
                "stage": said["stage"], "status": said["status"], "message_id": said["message_id"], "tlvs": [],
            },
        });
    }
    let kind = json!({ "name": "content-type", "value": "application/json" });
    let more = answer["headers"].as_object().into_iter().flatten();
    let more = more.map(|(name, value)| json!({ "name": name, "value": value }));
    let headers: Vec<Value> = std::iter::once(kind).chain(more).collect();
    let body = match &answer["json"] {
        Value::Null => answer["body"].as_str().unwrap_or_default().to_owned(),
        json => json.to_string(),
    };
    json!({ "http": { "status": answer["status"], "headers": headers, "body": body } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_set_a_plugin_up_has_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        for (plugin, ways) in [("log", 1), ("twilio", 1), ("vonage", 2), ("smtp", 1), ("smpp", 1)] {
            let made = of(plugin, folder.path()).expect("files");
            assert_eq!(made.len(), ways, "{plugin}");
            for (_, file) in made.iter().flat_map(Material::options) {
                let text = std::fs::read(&file).expect("the file");
                serde_json::from_slice::<Value>(&text).expect("JSON");
            }
        }
        let mail = reply(&json!({ "mail": { "stage": "content", "code": 250, "text": "Ok" } }));
        assert_eq!(mail["mail"]["reply"], json!({ "code": 250, "enhanced": null, "text": "Ok" }));
        let http = reply(&json!({ "status": 201, "json": { "sid": "SM1" } }));
        assert_eq!(http["http"]["body"], r#"{"sid":"SM1"}"#);
    }
}
