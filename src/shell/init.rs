//! `init.json`: definitions that come with a device or an image, taken at the start as eKuiper takes its own.
//!
//! In: the state directory and the configuration file's. Out: the rulesets to import, `STATE/init.json` before the one beside the
//! configuration, each only when its time of change is another than at its last import. That time is the name of an empty file in
//! the state directory, `initialized<ms>` or `config-initialized<ms>`: the folder of the configuration may be read-only.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use crate::catalog::ruleset::Initial;

/// The file's name.
const NAME: &str = "init.json";
/// Largest ruleset that is read.
const TEXT_BYTES: u64 = 16 << 20;

/// A ruleset whose turn it is.
#[derive(Debug)]
pub struct Init {
    /// What to import, or why it cannot be read.
    pub ruleset: Result<Initial, String>,
    state: PathBuf,
    mark: &'static str,
    changed_ms: u128,
}

/// The rulesets that have changed since they were imported. `config` is the configuration file.
#[must_use]
pub fn due(state: &Path, config: Option<&Path>) -> Vec<Init> {
    let beside = config.map(|file| file.parent().unwrap_or_else(|| Path::new("")).join(NAME));
    let places = [(Some(state.join(NAME)), "initialized"), (beside, "config-initialized")];
    places.into_iter().filter_map(|(file, mark)| look(state, &file?, mark)).collect()
}

fn look(state: &Path, file: &Path, mark: &'static str) -> Option<Init> {
    let meta = fs::metadata(file).ok().filter(fs::Metadata::is_file)?;
    let changed_ms = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |at| at.as_millis());
    if state.join(format!("{mark}{changed_ms}")).exists() {
        return None;
    }
    let name = file.display().to_string();
    let ruleset = match read(file) {
        Ok(text) => Ok(Initial { name, text }),
        Err(error) => Err(format!("{name}: {error}")),
    };
    Some(Init { ruleset, state: state.to_owned(), mark, changed_ms })
}

fn read(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let mut open = File::open(file).map_err(|e| e.to_string())?.take(TEXT_BYTES + 1);
    let bytes = open.read_to_string(&mut text).map_err(|e| e.to_string())?;
    if bytes as u64 > TEXT_BYTES { Err(format!("longer than {TEXT_BYTES} bytes")) } else { Ok(text) }
}

impl Init {
    /// Notes that it was imported, whatever came of it: it is not taken again before it changes.
    ///
    /// # Errors
    /// The mark cannot be made, so the next start imports it again.
    pub fn done(&self) -> Result<(), String> {
        let old = fs::read_dir(&self.state).into_iter().flatten().flatten();
        for path in old.map(|entry| entry.path()) {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if name.strip_prefix(self.mark).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit())) {
                let _ = fs::remove_file(&path); // a second mark says nothing wrong
            }
        }
        let mark = self.state.join(format!("{}{}", self.mark, self.changed_ms));
        File::create(&mark).map(drop).map_err(|e| format!("{}: {e}: {NAME} will be imported again", mark.display()))
    }
}
