//! A CSV of people, read whole before anything is done with it.

use std::fmt::Write as _;

use dispatch_admin::SuppressedPerson;
use dispatch_model::LocationId;

use super::{location, person};
use crate::cli::{SuppressImportArgs, parse_channel};
use crate::exit::Failure;

/// Bytes of the file at most: a million people.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Wrong lines that are shown; the others are counted.
const SHOWN: usize = 20;

/// What the cells of a line mean.
struct Columns {
    address: usize,
    location: Option<usize>,
    channel: Option<usize>,
    note: Option<usize>,
}

/// All of the file; or every line that is wrong.
pub(super) fn read(args: &SuppressImportArgs) -> Result<Vec<SuppressedPerson>, Failure> {
    let file = args.file.display();
    let refused = |why: &dyn std::fmt::Display| Failure::Refused(format!("{file}: {why}"));
    let size = std::fs::metadata(&args.file).map_err(|error| refused(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refused(&format_args!("larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(&args.file).map_err(|error| refused(&error))?;
    // The mark that some spreadsheets begin a file with.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = reader.records();
    let head = match rows.next() {
        Some(head) => head.map_err(|error| refused(&error))?,
        None => return Err(refused(&"the file is empty; its first line names the columns: address, …")),
    };
    let columns = columns(&head).map_err(|why| Failure::Refused(format!("{file}:1: {why}")))?;
    let (mut people, mut wrong) = (Vec::new(), Vec::new());
    for row in rows {
        let row = row.map_err(|error| refused(&error))?;
        let line = row.position().map_or(0, |position| line(text, position));
        match one(&row, &columns, args) {
            Ok(person) => people.push(person),
            Err(why) => wrong.push((line, why)),
        }
    }
    if wrong.is_empty() {
        return Ok(people);
    }
    let mut words = String::new();
    for (line, why) in wrong.iter().take(SHOWN) {
        let _ = writeln!(words, "{file}:{line}: {why}");
    }
    if wrong.len() > SHOWN {
        let _ = writeln!(words, "{file}: and {} more lines", wrong.len() - SHOWN);
    }
    words.push_str("Nothing was imported.");
    Err(Failure::Refused(words))
}

/// The line that a row stands on. Its position is before the blank lines, and before the second half of the line end, that
/// were passed over to find it.
fn line(text: &str, position: &csv::Position) -> u64 {
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let before = text.bytes().skip(at).take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + before.filter(|byte| *byte == b'\n').count() as u64
}

fn columns(head: &csv::StringRecord) -> Result<Columns, String> {
    let mut found = [None; 4];
    const NAMES: [&str; 4] = ["address", "location", "channel", "note"];
    for (at, name) in head.iter().enumerate() {
        let Some(known) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)) else {
            return Err(format!("there is no column \"{name}\"; columns are {}", NAMES.join(", ")));
        };
        if found[known].replace(at).is_some() {
            return Err(format!("the column \"{name}\" stands twice"));
        }
    }
    let [address, location, channel, note] = found;
    let address = address.ok_or_else(|| "the first line names no column \"address\"".to_owned())?;
    Ok(Columns { address, location, channel, note })
}

fn one(
    row: &csv::StringRecord,
    columns: &Columns,
    args: &SuppressImportArgs,
) -> Result<SuppressedPerson, String> {
    let cell = |column: Option<usize>| column.and_then(|at| row.get(at)).filter(|text| !text.is_empty());
    let channel = cell(columns.channel).map(parse_channel).transpose()?;
    let (channel, address) =
        person::read(row.get(columns.address).unwrap_or_default(), channel, args.region)?;
    let location: Option<LocationId> = match cell(columns.location) {
        Some("*") => None,
        Some(location) => Some(location.into()),
        None => location(&args.place).ok_or_else(|| {
            "no location: write one, or * for every one, or say --location or --everywhere".to_owned()
        })?,
    };
    Ok(SuppressedPerson {
        channel,
        address,
        location,
        note: cell(columns.note).unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::Where;

    fn import(text: &str, place: Where) -> Result<Vec<SuppressedPerson>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("people.csv");
        std::fs::write(&file, text).expect("a file");
        let args = SuppressImportArgs { file: file.clone(), place, region: "MX".parse().ok() };
        let shorten = |words: String| words.replace(&*file.to_string_lossy(), "people.csv");
        read(&args).map_err(|failure| shorten(failure.to_string()))
    }

    #[test]
    fn a_whole_file_is_read() {
        let text = "\u{feff}Address,location,note\n\
                    55 1234 5678,LoC1,\"by phone, twice\"\n\
                    Ana <Ana@Example.com>,*,\n\
                    +15864603685,,\n";
        let people =
            import(text, Where { location: Some("LoC2".into()), everywhere: false }).expect("it is right");
        let told: Vec<_> = people
            .iter()
            .map(|one| {
                (one.channel.as_str(), one.address.as_str(), one.location.as_ref().map(LocationId::as_str))
            })
            .collect();
        assert_eq!(
            told,
            [
                ("sms", "+525512345678", Some("LoC1")),
                ("email", "ana@example.com", None),
                ("sms", "+15864603685", Some("LoC2")),
            ]
        );
        assert_eq!(people[0].note, "by phone, twice");
    }

    #[test]
    fn every_wrong_line_is_named_and_nothing_is_taken() {
        let text = "address,location,channel\n+525512345678,LoC1,\nnobody,LoC1,\na@,LoC1,\n\n+15864603685,,\n\
                    +15864603685,LoC1,fax\n";
        let words = import(text, Where::default()).expect_err("four lines are wrong");
        for line in [
            "people.csv:3: this is not",
            "people.csv:4: this is no mail",
            "people.csv:6: no location",
            "people.csv:7: expected sms or email",
            "Nothing was imported.",
        ] {
            assert!(words.contains(line), "{line} in {words}");
        }
    }

    #[test]
    fn a_file_without_its_first_line_is_refused() {
        for (text, words) in [
            ("", "the file is empty"),
            ("+525512345678\n", "there is no column \"+525512345678\""),
            ("location\nLoC1\n", "names no column \"address\""),
            ("address,address\n", "stands twice"),
        ] {
            let refusal = import(text, Where::default()).expect_err("it has no head");
            assert!(refusal.contains(words), "{words} in {refusal}");
        }
        let args = SuppressImportArgs {
            file: Path::new("/nowhere/people.csv").to_owned(),
            place: Where::default(),
            region: None,
        };
        assert!(read(&args).is_err());
    }
}
