//! Reads the configuration's files and the environment for [`Config::load`].
//!
//! The file is `--config`, else the system's, else none; `sources/TYPE.yaml` are looked for beside it. Nothing is read past
//! [`TEXT_BYTES_MAX`], so that a device named by mistake does not fill the memory.

use std::{
    fs::File as FsFile,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::config::{
    Config, Fault, File, Input, SOURCE_TYPES,
    paths::{ConfigFile, config_file, source_file},
    yaml::TEXT_BYTES_MAX,
};

/// The configuration and the file it came from (`None`: the program's own defaults).
#[derive(Debug)]
pub struct Settings {
    /// The main file.
    pub file: Option<PathBuf>,
    /// What it and the environment say.
    pub config: Config,
}

/// Reads everything; `flag` is `--config`.
///
/// # Errors
/// What stops the start with exit code 78: a named file that cannot be read, and every wrong value in a server section.
pub fn read(flag: Option<&Path>) -> Result<Settings, Vec<Fault>> {
    read_with(config_file(flag, Path::exists), &environment())
}

/// The environment as texts; a variable that is no UTF-8 cannot be one of ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))).collect()
}

fn read_with(which: ConfigFile, env: &[(String, String)]) -> Result<Settings, Vec<Fault>> {
    let path = match which {
        ConfigFile::Named(path) | ConfigFile::System(path) => path,
        ConfigFile::Embedded => {
            let config = Config::load(&Input { env, ..Input::default() })?;
            return Ok(Settings { file: None, config });
        }
    };
    let name = path.display().to_string();
    let main = text_of(&path).map_err(|e| vec![fault(&path, "a configuration file", &e)])?;
    let mut beside = Vec::new();
    for kind in SOURCE_TYPES {
        let path = source_file(&path, kind);
        match text_of(&path) {
            Ok(text) => beside.push((*kind, path.display().to_string(), text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(vec![fault(&path, "a file of conf keys", &e)]),
        }
    }
    let sources: Vec<_> = beside.iter().map(|(kind, name, text)| (*kind, File { name, text })).collect();
    let config = Config::load(&Input { main: Some(File { name: &name, text: &main }), sources: &sources, env })?;
    Ok(Settings { file: Some(path), config })
}

/// A file's text, one byte more than may be read at most, so that a longer one is refused as such.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    FsFile::open(path)?.take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn fault(path: &Path, expected: &str, error: &io::Error) -> Fault {
    let found = match error.kind() {
        io::ErrorKind::NotFound => "nothing there".to_owned(),
        io::ErrorKind::InvalidData => "no UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Fault { place: path.display().to_string(), key: String::new(), what: format!("expected {expected}, found {found}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder of its own, gone with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pushgate-settings-{}-{name}", std::process::id()));
            fs::create_dir_all(path.join("sources")).expect("a scratch folder");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn sources_stand_beside_the_file() {
        let dir = Scratch::new("beside");
        let file = dir.0.join("p.yaml");
        fs::write(&file, "basic: {restPort: 5}\n").expect("written");
        fs::write(dir.0.join("sources/httppush.yaml"), "default: {method: PUT}\n").expect("written");
        let settings = read_with(ConfigFile::Named(file.clone()), &[]).expect("loads");
        assert_eq!(settings.file, Some(file));
        assert_eq!(settings.config.basic.rest_port, 5);
        assert_eq!(settings.config.conf_key("httppush", "").expect("key").text("method"), Ok(Some("PUT".into())));
    }

    #[test]
    fn named_but_absent_not_text_too_long_or_wrong() {
        let dir = Scratch::new("absent");
        let file = dir.0.join("p.yaml");
        let fails = |want: &str| {
            let faults = read_with(ConfigFile::Named(file.clone()), &[]).expect_err(want);
            assert!(faults[0].to_string().contains(want), "{faults:?}");
        };
        fails("p.yaml: expected a configuration file, found nothing there");
        fs::write(&file, b"a: \xff").expect("written");
        fails("p.yaml: expected a configuration file, found no UTF-8");
        fs::write(&file, "#".repeat(TEXT_BYTES_MAX + 10)).expect("written");
        fails("p.yaml:1: expected at most");
        fs::write(&file, "basic:\n  restPort: x\n").expect("written");
        fails("p.yaml:2: basic.restPort: expected a port");
    }

    #[test]
    fn nothing_named_is_the_defaults() {
        let settings = read_with(ConfigFile::Embedded, &[("PUSHGATE__BASIC__RESTPORT".into(), "7".into())]).expect("loads");
        assert_eq!((settings.file, settings.config.basic.rest_port), (None, 7));
    }
}
