//! The state directory: one small file for each definition, written so that a crash leaves the old text or the new one.
//!
//! `STATE/sources/demo.json`, `STATE/rules/r1.json`, `STATE/confkeys/…`, `STATE/connections/…`; uploads lie in `STATE/uploads`.
//! A file is written beside its place, synced, renamed over it, and the directory is synced. What stands in a file is the
//! catalog's affair; a file that cannot be read costs its own definition.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

use crate::catalog::{Kind, Stored};

/// Longest file name that a definition gets; a longer one is cut and told apart by a digest.
const NAME_BYTES: usize = 200;
/// Largest definition that is read back.
const FILE_BYTES: u64 = 16 << 20;

/// The state directory.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// Only looked at: another process may be writing there.
    guest: bool,
}

impl Store {
    /// Opens the directory, makes what is missing of it, and makes sure that it can be written.
    ///
    /// # Errors
    /// One sentence that names the path (the process ends with status 73).
    pub fn open(root: &Path) -> Result<Self, String> {
        let store = Self { root: root.to_owned(), guest: false };
        for kind in Kind::ALL {
            let dir = store.dir(kind);
            fs::create_dir_all(&dir).map_err(|e| fault(&dir, &e))?;
        }
        let probe = store.root.join(".probe");
        File::create(&probe).map_err(|e| fault(root, &e))?;
        // A probe that stays does no harm.
        let _ = fs::remove_file(&probe);
        Ok(store)
    }

    /// A directory that is only looked at: nothing is made or removed there.
    #[must_use]
    pub fn look(root: &Path) -> Self {
        Self { root: root.to_owned(), guest: true }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every stored definition. Leftovers of interrupted writes are removed.
    #[must_use]
    pub fn load(&self) -> Vec<Stored> {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let dir = self.dir(kind);
            let entries = match fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(e) if self.guest && e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => {
                    found.push(Stored { kind, file: dir.display().to_string(), text: Err(e.to_string()) });
                    continue;
                }
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                match path.extension().and_then(|e| e.to_str()) {
                    Some("json") => found.push(Stored { kind, file: path.display().to_string(), text: read_text(&path) }),
                    Some("new") if !self.guest => drop(fs::remove_file(&path)),
                    _ => {}
                }
            }
        }
        found
    }

    /// Stores a definition.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn save(&self, kind: Kind, name: &str, text: &str) -> Result<(), String> {
        let path = self.path(kind, name);
        write_whole(&path, text.as_bytes()).map_err(|e| fault(&path, &e))
    }

    /// Removes a definition; one that is not there is no error.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn remove(&self, kind: Kind, name: &str) -> Result<(), String> {
        let path = self.path(kind, name);
        match fs::remove_file(&path) {
            Ok(()) => sync_dir(&path).map_err(|e| fault(&path, &e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(fault(&path, &e)),
        }
    }

    /// Text of a file below `uploads`.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn read_upload(&self, name: &str) -> Result<String, String> {
        // A path that begins with the uploads directory itself is how uploads are listed.
        let listed = self.uploads_dir();
        let given = format!("/{}", name.trim_start_matches('/'));
        let relative = Path::new(&given).strip_prefix(&listed).map_or_else(|_| name.to_owned(), |p| p.display().to_string());
        let path = self.upload_path(&relative)?;
        let real = fs::canonicalize(&path).map_err(|e| fault(&path, &e))?;
        let root = fs::canonicalize(&listed).map_err(|e| fault(&listed, &e))?;
        if !real.starts_with(&root) {
            return Err(format!("{}: leads out of {}", path.display(), listed.display()));
        }
        read_text(&real)
    }

    /// Stores a file below `uploads` and gives its path.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn save_upload(&self, name: &str, content: &[u8]) -> Result<String, String> {
        let path = self.upload_path(name)?;
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|e| fault(dir, &e))?;
        }
        write_whole(&path, content).map_err(|e| fault(&path, &e))?;
        Ok(path.display().to_string())
    }

    /// Paths of the files directly below `uploads`, sorted.
    #[must_use]
    pub fn uploads(&self) -> Vec<String> {
        let entries = fs::read_dir(self.uploads_dir()).into_iter().flatten().flatten();
        let mut paths: Vec<String> = entries.map(|entry| entry.path().display().to_string()).collect();
        paths.sort();
        paths
    }

    /// Removes a file below `uploads`.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn remove_upload(&self, name: &str) -> Result<(), String> {
        let path = self.upload_path(name)?;
        fs::remove_file(&path).map_err(|e| fault(&path, &e))
    }

    fn uploads_dir(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// Where an upload of that name lies: always below `uploads`.
    fn upload_path(&self, name: &str) -> Result<PathBuf, String> {
        let relative = Path::new(name);
        let plain = relative.components().all(|c| matches!(c, Component::Normal(_)));
        if name.is_empty() || name.contains('\0') || !plain {
            return Err(format!("{name:?}: only files below {} can be used", self.uploads_dir().display()));
        }
        Ok(self.uploads_dir().join(relative))
    }

    fn dir(&self, kind: Kind) -> PathBuf {
        self.root.join(format!("{}s", kind.word()))
    }

    fn path(&self, kind: Kind, name: &str) -> PathBuf {
        self.dir(kind).join(format!("{}.json", file_name(name)))
    }
}

/// A file name for any text: what is not a letter, digit, `-`, `_` or inner `.` is `%XX`, what is too long is cut.
fn file_name(name: &str) -> String {
    let mut out = String::new();
    for (i, b) in name.bytes().enumerate() {
        if b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || (b == b'.' && i > 0) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    if out.len() > NAME_BYTES {
        let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        out.truncate(NAME_BYTES - 34);
        out.push('~');
        out.extend(digest.as_ref().iter().take(16).map(|b| format!("{b:02x}")));
    }
    out
}

/// Writes a file that only its owner can read (a conf key may hold a secret) so that its place holds the old bytes or all of the new ones, whatever happens.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
        return written;
    }
    sync_dir(path)
}

/// Makes a change of a directory's entries last.
fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| fault(path, &e))?;
    file.take(FILE_BYTES).read_to_string(&mut text).map_err(|e| fault(path, &e))?;
    Ok(text)
}

fn fault(path: &Path, error: &io::Error) -> String {
    // The system's text without Rust's "(os error 28)".
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    format!("{}: {text}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own for each test, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pushgate-store-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn definitions_come_back() {
        let scratch = Scratch::new("back");
        let store = Store::open(&scratch.0).expect("opens");
        let long = "r".repeat(5000);
        for name in ["demo", "a-b_c", ".hidden", "../../etc/x", "sources.a/b.ck", long.as_str()] {
            store.save(Kind::Rule, name, name).expect(name);
            store.save(Kind::Rule, name, &format!("new {name}")).expect(name);
        }
        fs::write(scratch.0.join("rules/half.json.new"), "{").expect("leftover");
        let mut texts: Vec<String> = store.load().into_iter().map(|s| s.text.expect("read")).collect();
        texts.sort();
        assert_eq!(texts.len(), 6);
        assert!(texts.iter().all(|t| t.starts_with("new ")));
        assert!(!scratch.0.join("rules/half.json.new").exists());
        store.remove(Kind::Rule, &long).expect("removed");
        store.remove(Kind::Rule, &long).expect("again");
        assert_eq!(store.load().len(), 5);
    }

    #[test]
    fn a_file_that_cannot_be_read_costs_itself() {
        let scratch = Scratch::new("unreadable");
        let store = Store::open(&scratch.0).expect("opens");
        store.save(Kind::Source, "good", "x").expect("saved");
        fs::write(scratch.0.join("sources/bad.json"), [0xff, 0xfe]).expect("written");
        let loaded = store.load();
        assert_eq!(loaded.iter().filter(|s| s.text.is_ok()).count(), 1);
        let bad = loaded.iter().find(|s| s.text.is_err()).expect("reported");
        assert!(bad.file.ends_with("sources/bad.json"));
    }

    #[test]
    fn uploads_stay_below_their_directory() {
        let scratch = Scratch::new("uploads");
        let store = Store::open(&scratch.0).expect("opens");
        let path = store.save_upload("sub/a.json", b"{}").expect("saved");
        assert_eq!(store.read_upload("sub/a.json").as_deref(), Ok("{}"));
        assert_eq!(store.read_upload(&path).as_deref(), Ok("{}"), "by the path it was given");
        fs::write(scratch.0.join("secret"), "x").expect("written");
        std::os::unix::fs::symlink(scratch.0.join("secret"), scratch.0.join("uploads/link")).expect("link");
        for name in ["../secret", "/etc/passwd", "", "a/../../secret", "link", "none", "./secret"] {
            assert!(store.read_upload(name).is_err(), "{name}");
        }
        for name in ["../x", "/x", "", "a/../../x"] {
            assert!(store.save_upload(name, b"").is_err() && store.remove_upload(name).is_err(), "{name}");
        }
        store.remove_upload("sub/a.json").expect("removed");
    }

    #[test]
    fn a_directory_that_cannot_be_made() {
        let scratch = Scratch::new("file");
        fs::write(&scratch.0, "a file").expect("written");
        let e = Store::open(&scratch.0).expect_err("no directory");
        assert!(e.contains("pushgate-store-file") && !e.contains("os error"), "{e}");
        fs::remove_file(&scratch.0).expect("removed");
    }
}
