//! Folders for the user's eyes alone: drafts of projects, and the locks on them.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

/// Makes a folder that only its owner may enter, with those above it that are missing. One that is there already, and is
/// open to others, is closed to them.
///
/// # Errors
/// When the system refuses.
pub fn create(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        const OWNER_ALONE: u32 = 0o700;
        builder.mode(OWNER_ALONE).create(path)?;
        if path.metadata()?.permissions().mode() & 0o077 != 0 {
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
}
