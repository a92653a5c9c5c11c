//! Where the configuration and the state lie. Pure: the caller hands in the environment and says which files exist.

use std::path::{Path, PathBuf};

/// The configuration file that is used when none is named, if it is there.
pub const SYSTEM_FILE: &str = "/etc/pushgate/pushgate.yaml";

/// Which configuration text to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigFile {
    /// Named by the user; it must be there.
    Named(PathBuf),
    /// The system's file, seen to be there.
    System(PathBuf),
    /// None: the program's own defaults.
    Embedded,
}

/// `--config`, else [`SYSTEM_FILE`] if it exists, else the program's own defaults.
#[must_use]
pub fn config_file(flag: Option<&Path>, exists: impl FnOnce(&Path) -> bool) -> ConfigFile {
    match flag {
        Some(path) => ConfigFile::Named(path.to_owned()),
        None if exists(Path::new(SYSTEM_FILE)) => ConfigFile::System(SYSTEM_FILE.into()),
        None => ConfigFile::Embedded,
    }
}

/// The file of a source type's conf keys: `sources/TYPE.yaml` beside the configuration file.
#[must_use]
pub fn source_file(config: &Path, kind: &str) -> PathBuf {
    config.parent().unwrap_or_else(|| Path::new("")).join("sources").join(format!("{kind}.yaml"))
}

/// The state directory: `--state`, else the first of `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/pushgate`, else
/// `~/.local/state/pushgate`. Empty variables count as absent, as does an `$XDG_STATE_HOME` that is not absolute (XDG base
/// directory specification). `None` when there is not even a home.
#[must_use]
pub fn state_dir(flag: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let env = |name| env(name).filter(|v| !v.is_empty());
    if let Some(path) = flag {
        return Some(path.to_owned());
    }
    // systemd separates several directories with colons.
    if let Some(first) = env("STATE_DIRECTORY").and_then(|v| v.split(':').find(|p| !p.is_empty()).map(PathBuf::from)) {
        return Some(first);
    }
    if let Some(base) = env("XDG_STATE_HOME").map(PathBuf::from).filter(|p| p.is_absolute()) {
        return Some(base.join("pushgate"));
    }
    env("HOME").map(|home| Path::new(&home).join(".local/state/pushgate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_config() {
        let flag = Path::new("x.yaml");
        assert_eq!(config_file(Some(flag), |_| false), ConfigFile::Named(flag.into()));
        assert_eq!(config_file(None, |p| p == Path::new(SYSTEM_FILE)), ConfigFile::System(SYSTEM_FILE.into()));
        assert_eq!(config_file(None, |_| false), ConfigFile::Embedded);
        assert_eq!(source_file(Path::new("/etc/pushgate/pushgate.yaml"), "httppush"), Path::new("/etc/pushgate/sources/httppush.yaml"));
        assert_eq!(source_file(Path::new("p.yaml"), "memory"), Path::new("sources/memory.yaml"));
    }

    #[test]
    fn which_state() {
        type Vars = &'static [(&'static str, &'static str)];
        let cases: [(Option<&str>, Vars, Option<&str>); 6] = [
            (Some("s"), &[("STATE_DIRECTORY", "/a")], Some("s")),
            (None, &[("STATE_DIRECTORY", "/a:/b"), ("HOME", "/h")], Some("/a")),
            (None, &[("STATE_DIRECTORY", ""), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")], Some("/x/pushgate")),
            (None, &[("XDG_STATE_HOME", "rel"), ("HOME", "/h")], Some("/h/.local/state/pushgate")),
            (None, &[("HOME", "")], None),
            (None, &[], None),
        ];
        for (flag, vars, want) in cases {
            let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(state_dir(flag.map(Path::new), env).as_deref(), want.map(Path::new), "{vars:?}");
        }
    }
}
