//! The layers' texts, and how an origin becomes a place that people find.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::diagnostic::Place;
use crate::node::Origin;

/// The layers in the order they are laid over each other.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    layers: Vec<Layer>,
}

/// One layer.
#[derive(Debug)]
pub(crate) enum Layer {
    /// A file, or the embedded defaults under a name that says so.
    File(FileText),
    /// A CSV. An origin in it is the start of a line and the number of a cell.
    Csv(FileText),
    /// The environment: the variables used.
    Environment(Vec<String>),
    /// The command line: the paths set.
    Flags(Vec<String>),
}

/// A file's text.
#[derive(Debug)]
pub(crate) struct FileText {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Bytes that are covered wherever the text is shown: values that stand where only the name of
    /// a secret should. Sorted.
    pub(crate) covered: Vec<Range<usize>>,
    /// Byte offsets of line starts.
    lines: Vec<u32>,
    /// Whether it was embedded in the binary.
    pub(crate) embedded: bool,
}

impl FileText {
    pub(crate) fn new(path: PathBuf, text: String, embedded: bool) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self { path, text, covered: Vec::new(), lines, embedded }
    }

    /// The folder that relative paths in it start from: its own.
    pub(crate) fn folder(&self) -> &Path {
        if self.embedded { Path::new("") } else { self.path.parent().unwrap_or(Path::new("")) }
    }

    pub(crate) fn place(&self, start: usize, end: usize) -> Place {
        let start = self.boundary(start);
        let line = self.lines.partition_point(|at| *at as usize <= start).max(1) - 1;
        let begin = self.lines[line] as usize;
        let stop = self.lines.get(line + 1).map_or(self.text.len(), |next| *next as usize);
        let raw = self.text[begin..stop].trim_end_matches(['\n', '\r']);
        let start = start.min(begin + raw.len());
        let end = self.boundary(end).clamp(start, begin + raw.len());
        Place::File {
            file: self.path.clone(),
            line: line as u32 + 1,
            column: self.text[begin..start].chars().count() as u32 + 1,
            length: self.text[start..end].chars().count() as u32,
            text: self.shown(begin, raw),
        }
    }

    /// A line with covered bytes as stars. Each stays one character, so that a caret below still fits.
    fn shown(&self, begin: usize, raw: &str) -> String {
        let first = self.covered.partition_point(|range| range.end <= begin);
        let covered = &self.covered[first..];
        let hidden =
            |at: usize| covered.iter().take_while(|range| range.start <= at).any(|range| range.contains(&at));
        raw.char_indices().map(|(at, c)| if hidden(begin + at) { '*' } else { c }).collect()
    }

    /// The bytes of a cell of a CSV, quotes included, by the start of its line and its number.
    fn cell(&self, line_start: usize, number: usize) -> Range<usize> {
        // A reader's position may be at the end of the line before.
        let blank = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        let line_start = self.boundary(line_start);
        let line_start = line_start + self.text.as_bytes()[line_start..].iter().take_while(blank).count();
        let (mut start, mut quoted, mut passed) = (line_start, false, 0);
        for (at, byte) in self.text.as_bytes()[line_start..].iter().enumerate() {
            let at = line_start + at;
            match byte {
                b'"' => quoted = !quoted,
                b',' | b'\n' | b'\r' if !quoted => {
                    if passed == number || *byte != b',' {
                        return start..at;
                    }
                    passed += 1;
                    start = at + 1;
                }
                _ => {}
            }
        }
        start..self.text.len()
    }

    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

impl Origins {
    /// Adds a layer above those that are there.
    pub(crate) fn add(&mut self, layer: Layer) -> u16 {
        self.layers.push(layer);
        u16::try_from(self.layers.len() - 1).expect("LAYERS_MAX is checked before a file is read")
    }

    pub(crate) fn len(&self) -> usize {
        self.layers.len()
    }

    pub(crate) fn layer(&self, number: u16) -> &Layer {
        &self.layers[usize::from(number)]
    }

    /// The files read, the embedded one left out.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileText> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::File(file) | Layer::Csv(file) if !file.embedded => Some(file),
            _ => None,
        })
    }

    /// Whether the origin knows text only: a CSV, the environment or the command line.
    pub(crate) fn is_loose(&self, origin: Origin) -> bool {
        !matches!(self.layer(origin.layer), Layer::File(_))
    }

    pub(crate) fn place(&self, origin: Origin) -> Place {
        let named = |names: &[String]| names.get(origin.start as usize).cloned().unwrap_or_default();
        match self.layer(origin.layer) {
            Layer::File(file) => file.place(origin.start as usize, origin.end as usize),
            Layer::Csv(file) => {
                let cell = file.cell(origin.start as usize, origin.end as usize);
                file.place(cell.start, cell.end)
            }
            Layer::Environment(variables) => Place::Environment { variable: named(variables) },
            Layer::Flags(paths) => Place::Flag { path: named(paths) },
        }
    }

    /// A path written at an origin, as the daemon opens it: relative to the file it was written in,
    /// and to the working directory if it was not written in a file.
    pub(crate) fn resolve(&self, origin: Origin, written: &str) -> PathBuf {
        match self.layer(origin.layer) {
            Layer::File(file) | Layer::Csv(file) => file.folder().join(written),
            Layer::Environment(_) | Layer::Flags(_) => PathBuf::from(written),
        }
    }
}
