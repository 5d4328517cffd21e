//! `locations_file`: what differs per client, one client a line.
//!
//! ```text
//! location,name,twilio.settings.from,twilio.secrets.auth_token.env
//! GKAWb4yu7A4LSc0skQ6g,Acme Dental,+525500001111,ACME_TWILIO
//! ```
//!
//! A line becomes the same tree that `[locations.ID]` becomes, so that it is checked, read and shown
//! by the same code; its values remember their line and column.

use std::path::PathBuf;
use std::sync::Arc;

use ahash::AHashMap;

use crate::node::{Entry, Node, Origin, Table, Value};
use crate::origins::{FileText, Layer, Origins};
use crate::problems::Problems;
use crate::settings;
use crate::suggestion::nearest;

/// Bytes of the file at most: a thousand for each of a million locations.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// What a column holds.
enum Column {
    Location,
    Name,
    /// A value below `backends.NAME`, by its path, with the backend's own value.
    Overlay {
        path: Vec<Arc<str>>,
        laid_over: Option<Node>,
    },
    /// Not understood, and reported.
    Unknown,
}

/// The table of locations in a CSV, with what is wrong reported.
pub(crate) fn read(
    path: PathBuf,
    written_at: Origin,
    backends: &Table,
    origins: &mut Origins,
    problems: &mut Problems,
) -> Option<Table> {
    let read = std::fs::metadata(&path).and_then(|metadata| {
        if metadata.len() > FILE_BYTES_MAX {
            return Err(std::io::Error::other("the file is too large"));
        }
        std::fs::read_to_string(&path)
    });
    let text = match read {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            let hint = Some("the path is relative to the file it is written in".to_owned());
            problems.error(origins, "locations_file", written_at, message, hint);
            return None;
        }
    };
    let layer = origins.add(Layer::Csv(FileText::new(path, text.clone(), false)));
    let mut sheet =
        Sheet { text: &text, layer, columns: Vec::new(), name_key: ["name".into()], origins, problems };
    sheet.read(backends)
}

struct Sheet<'a> {
    text: &'a str,
    layer: u16,
    columns: Vec<Column>,
    name_key: [Arc<str>; 1],
    origins: &'a Origins,
    problems: &'a mut Problems,
}

impl Sheet<'_> {
    fn read(&mut self, backends: &Table) -> Option<Table> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(self.text.as_bytes());
        let mut record = csv::StringRecord::new();
        if !reader.read_record(&mut record).ok()? {
            self.fail(
                self.cell(0, 0),
                "the file is empty",
                Some("its first line names the columns: location, name, …"),
            );
            return None;
        }
        self.header(&record, backends);
        let at = self.columns.iter().position(|column| matches!(column, Column::Location));
        let Some(location_at) = at else {
            self.fail(
                self.cell(0, 0),
                "there is no column `location`",
                Some("the first line names the columns: location, name, …"),
            );
            return None;
        };
        let mut entries = Vec::new();
        let mut seen: AHashMap<Arc<str>, u64> = AHashMap::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                // The text is UTF-8 and lines may be of any length, so there is nothing left to go wrong.
                Err(_) => return None,
            }
            let start = record.position().map_or(0, csv::Position::byte) as usize;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != self.columns.len() {
                let message = format!(
                    "this line has {} values, the first line names {}",
                    record.len(),
                    self.columns.len()
                );
                self.fail(self.cell(start, 0), &message, Some("put a value with a comma in double quotes"));
                continue;
            }
            let id = record[location_at].trim();
            if id.is_empty() {
                self.fail(
                    self.cell(start, location_at),
                    "this line has no location",
                    Some("write HighLevel's location id, or take the line away"),
                );
                continue;
            }
            let key: Arc<str> = id.into();
            if let Some(first) = seen.insert(key.clone(), line) {
                let message = format!("location {id} already stands in line {first}");
                self.fail(self.cell(start, location_at), &message, Some("one line a location"));
                continue;
            }
            let node = self.row(&record, start, location_at);
            entries.push(Entry { key, key_origin: self.cell(start, location_at), node });
        }
        Some(Table::new(entries))
    }

    fn header(&mut self, record: &csv::StringRecord, backends: &Table) {
        for (at, name) in record.iter().enumerate() {
            let name = name.trim().trim_start_matches('\u{feff}');
            let column = match column(name, backends) {
                Ok(column) => column,
                Err((message, hint)) => {
                    self.fail(self.cell(0, at), &message, hint.as_deref());
                    Column::Unknown
                }
            };
            if record.iter().take(at).any(|other| other.trim() == name) {
                self.fail(
                    self.cell(0, at),
                    &format!("the column `{name}` stands twice"),
                    Some("take one away"),
                );
            }
            self.columns.push(column);
        }
    }

    /// One location as a tree. Empty cells are left out.
    fn row(&self, record: &csv::StringRecord, start: usize, location_at: usize) -> Node {
        let mut node = self.empty(self.cell(start, location_at));
        for (at, (column, text)) in self.columns.iter().zip(record.iter()).enumerate() {
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let origin = self.cell(start, at);
            match column {
                Column::Name => self.set(&mut node, &self.name_key, Value::Text(text.into()), origin),
                Column::Overlay { path, laid_over } => {
                    // Only settings have a type of their own; shapes read all else from text.
                    let value = match &**path.get(2).unwrap_or(&path[0]) {
                        "settings" => settings::from_text(text, laid_over.as_ref()),
                        _ => Value::Text(text.into()),
                    };
                    self.set(&mut node, path, value, origin);
                }
                Column::Location | Column::Unknown => {}
            }
        }
        node
    }

    fn set(&self, node: &mut Node, path: &[Arc<str>], value: Value, origin: Origin) {
        let Value::Table(table) = &mut node.value else { return };
        let Some((key, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            if let Err(at) = table.position(key) {
                table.insert_at(
                    at,
                    Entry { key: key.clone(), key_origin: origin, node: Node { origin, value } },
                );
            }
            return;
        }
        if let Err(at) = table.position(key) {
            table.insert_at(at, Entry { key: key.clone(), key_origin: origin, node: self.empty(origin) });
        }
        if let Some(entry) = table.get_mut(key) {
            self.set(&mut entry.node, rest, value, origin);
        }
    }

    fn empty(&self, origin: Origin) -> Node {
        Node { origin, value: Value::Table(Table::default()) }
    }

    /// The origin of a cell: the byte where its line starts, and its number. Where it stands in the
    /// line is found when a problem is shown.
    fn cell(&self, line_start: usize, at: usize) -> Origin {
        Origin { layer: self.layer, start: line_start as u32, end: at as u32 }
    }

    fn fail(&mut self, origin: Origin, message: &str, hint: Option<&str>) {
        self.problems.error(
            self.origins,
            "locations_file",
            origin,
            message.to_owned(),
            hint.map(str::to_owned),
        );
    }
}

/// What a column's name means, or what is wrong with it and what to write instead.
fn column(name: &str, backends: &Table) -> Result<Column, (String, Option<String>)> {
    match name {
        "location" => return Ok(Column::Location),
        "name" => return Ok(Column::Name),
        _ => {}
    }
    let wrong = || {
        let hint = match nearest(name, ["location", "name"].into_iter()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                "columns are location, name, BACKEND.settings.KEY, BACKEND.secrets.NAME.env (or .file), BACKEND.relay.KEY, BACKEND.dkim.KEY and BACKEND.session.KEY"
                    .to_owned()
            }
        };
        (format!("`{name}` is no column"), Some(hint))
    };
    let parts: Vec<&str> = name.split('.').collect();
    let path = match parts.as_slice() {
        [_, "settings", key] if !key.is_empty() => &parts,
        [_, "secrets", secret, "env" | "file"] if !secret.is_empty() => &parts,
        [_, "relay" | "session", "password", "env" | "file"] => &parts,
        [_, "relay", "host" | "port" | "tls" | "user" | "hello"] => &parts,
        [_, "dkim", "key", "env" | "file"] => &parts,
        [_, "dkim", "domain" | "selector"] => &parts,
        [_, "session", "host" | "port" | "tls" | "system_id" | "system_type" | "window" | "enquire_link"] => {
            &parts
        }
        _ => return Err(wrong()),
    };
    let backend = parts[0];
    let Some(entry) = backends.get(backend) else {
        let known = backends.entries().iter().map(|entry| &*entry.key);
        let hint = nearest(backend, known).map(|meant| format!("did you mean `{meant}`?"));
        return Err((format!("there is no backend `{backend}`"), hint));
    };
    let laid_over = parts[1..].iter().try_fold(&entry.node, |node, key| Some(&node.entry(key)?.node));
    let path = std::iter::once("backends").chain(path.iter().copied()).map(Arc::from).collect();
    Ok(Column::Overlay { path, laid_over: laid_over.cloned() })
}
