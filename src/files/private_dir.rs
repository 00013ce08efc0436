//! Folders for the user's eyes alone: drafts of projects, and the locks on them.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

/// Makes a folder that only its owner may enter, with those above it that are missing. One that is there already, and is
/// open to others, is closed to them.
///
/// # Errors
/// When a link is at the path, which would choose the folder that is closed; and when the system refuses.
pub fn create(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::fs::{Permissions, set_permissions, symlink_metadata};
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        const OWNER_ALONE: u32 = 0o700;
        builder.mode(OWNER_ALONE).create(path)?;
        let metadata = symlink_metadata(path)?;
        if !metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is a link. Remove it"));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            set_permissions(path, Permissions::from_mode(OWNER_ALONE))?;
        }
        Ok(())
    }
    #[cfg(not(unix))]
    builder.create(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn nobody_else_may_enter() {
        let dir = tempfile::tempdir().unwrap();
        let (new, old) = (dir.path().join("a/b"), dir.path().join("old"));
        fs::create_dir(&old).unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
        for path in [&new, &old] {
            create(path).unwrap();
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_link_closes_no_other_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (shared, link) = (dir.path().join("shared"), dir.path().join("link"));
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&shared, &link).unwrap();
        assert!(create(&link).unwrap_err().to_string().contains("link"));
        assert_eq!(fs::metadata(&shared).unwrap().permissions().mode() & 0o777, 0o755);
    }
}
