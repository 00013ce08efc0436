//! libtorch's CUDA part: where it may be loaded from, and what is looked at before it is.
//!
//! Loading a library runs its code. So it is loaded only from where the user or the package put it, and only when it
//! belongs to the libtorch that this program is linked to: another version would break in ways that nobody could tell.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::files::regular_file;

/// Version of the libtorch that the program is linked to.
pub const LIBTORCH_VERSION: &str = "2.11.0";

const LIBRARY: &str = if cfg!(windows) { "torch_cuda.dll" } else { "libtorch_cuda.so" };

/// Bytes of a file that states a version; they have some hundred.
const LARGEST_VERSION_FILE: u64 = 1 << 16;

/// Who put the library there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The user named the folder in the settings.
    Settings,
    /// It came with the program.
    Package,
    /// The user set `LIBTORCH`.
    Variable,
    /// The checkout that the program was built in.
    Checkout,
}

/// A library, and who put it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Library {
    pub path: PathBuf,
    pub origin: Origin,
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Settings => "named in the settings",
            Origin::Package => "came with the program",
            Origin::Variable => "named by LIBTORCH",
            Origin::Checkout => "of the checkout",
        };
        write!(f, "{} ({origin})", self.path.display())
    }
}

/// Folders to look in, by who put them there.
type Places = Vec<(Origin, Vec<PathBuf>)>;

/// Loads it, for as long as the program runs. `named` is a folder from the user's settings.
///
/// # Errors
/// A sentence: it is nowhere, is not to be trusted, belongs to another libtorch, or cannot be loaded.
pub(super) fn load(named: Option<&Path>) -> Result<Library, String> {
    if cfg!(target_os = "macos") {
        return Err("CUDA does not exist on macOS; training runs on the CPU.".into());
    }
    let program = std::env::current_exe().ok();
    let variable = std::env::var_os("LIBTORCH").map(PathBuf::from);
    let library = find(&places(named, program.as_deref().and_then(Path::parent), variable.as_deref()))?;
    open(&library.path)
        .map_err(|reason| format!("{} could not be loaded: {reason}.", library.path.display()))?;
    tracing::info!("CUDA part of libtorch: {library}");
    Ok(library)
}

/// Where to look. Neither the folder of the program, which may be that of all downloads, nor the current folder, which
/// may be a stranger's project, is among it.
fn places(named: Option<&Path>, program_dir: Option<&Path>, variable: Option<&Path>) -> Places {
    let mut places = Vec::new();
    if let Some(named) = named.filter(|named| named.is_absolute()) {
        let mut folders = vec![named.to_owned(), named.join("lib"), named.join("torch").join("lib")];
        for lib in [named.join("lib"), named.join("Lib")] {
            let pythons = fs::read_dir(&lib).into_iter().flatten().flatten();
            let mut pythons: Vec<PathBuf> = pythons.map(|python| python.path()).collect();
            pythons.sort();
            pythons.push(lib);
            folders
                .extend(pythons.iter().map(|python| python.join("site-packages").join("torch").join("lib")));
        }
        places.push((Origin::Settings, folders));
    }
    if let Some(folder) = program_dir {
        places.push((Origin::Package, vec![folder.join("lib")]));
    }
    if let Some(libtorch) = variable.filter(|libtorch| libtorch.is_absolute()) {
        places.push((Origin::Variable, vec![libtorch.join("lib")]));
    }
    // The path is not even a text in a package: `cargo xtask package` looks.
    if cfg!(feature = "dev-paths") {
        let libtorch = Path::new(env!("CARGO_MANIFEST_DIR")).join(".libtorch");
        places.push((Origin::Checkout, vec![libtorch.join("lib")]));
    }
    places
}

/// The library of the first who put one there. Theirs is not passed over for another's: where none of theirs will do,
/// that is the answer.
fn find(places: &Places) -> Result<Library, String> {
    for (origin, folders) in places {
        let paths = folders.iter().map(|folder| folder.join(LIBRARY)).filter(|path| path.exists());
        let mut refused = None;
        for path in paths {
            match check(&path) {
                Ok(()) => return Ok(Library { path, origin: *origin }),
                Err(reason) => {
                    let reason = format!("{} is not loaded: {reason}.", path.display());
                    refused.get_or_insert(reason);
                }
            }
        }
        if let Some(reason) = refused {
            return Err(reason);
        }
    }
    Err(format!(
        "{LIBRARY} was not found in lib beside the app, in LIBTORCH or in a Python environment you named. \
         Run `cargo xtask setup --cuda`, or name the environment whose PyTorch sees the GPU."
    ))
}

/// Looks at a library without running any of it.
fn check(path: &Path) -> Result<(), String> {
    regular_file::open(path).map_err(|error| error.to_string())?;
    require_protected(path)?;
    let wanted = format!("this program needs that of libtorch {LIBTORCH_VERSION}");
    match version_of(path) {
        // What follows a + names the build: 2.11.0+cu130.
        Some(version) if version.split('+').next() == Some(LIBTORCH_VERSION) => Ok(()),
        Some(version) => Err(format!("it belongs to libtorch {version:?}, and {wanted}")),
        None => {
            Err(format!("no file beside it states its version (build-version, version.py), and {wanted}"))
        }
    }
}

/// Refuses what everybody on the machine could have put there. In a folder such as /tmp only a file's owner replaces it.
#[cfg(unix)]
fn require_protected(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    const BY_ALL: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let mode = |path: &Path| fs::metadata(path).map(|about| about.mode()).map_err(|error| error.to_string());
    let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
    let folders = [path.parent(), real.parent()];
    for folder in folders.into_iter().flatten() {
        if mode(folder)? & (BY_ALL | STICKY) == BY_ALL {
            return Err(format!("everybody may write into {} (chmod o-w helps)", folder.display()));
        }
    }
    if mode(&real)? & BY_ALL != 0 {
        return Err("everybody may write into it (chmod o-w helps)".into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn require_protected(_: &Path) -> Result<(), String> {
    Ok(())
}

/// The version that libtorch's own files state: `build-version` of a libtorch and of our package, `version.py` of
/// `PyTorch`, or the header, which alone is left of a `PyTorch` that `cargo xtask setup` unpacked.
fn version_of(library: &Path) -> Option<String> {
    let lib = library.parent()?;
    let libtorch = lib.parent()?;
    let text = |path: PathBuf| {
        let bytes = regular_file::read_at_most(&path, LARGEST_VERSION_FILE).ok()?;
        String::from_utf8(bytes).ok()
    };
    let stated = |folder: &Path| text(folder.join("build-version")).map(|version| version.trim().to_owned());
    let python = || {
        let text = text(libtorch.join("version.py"))?;
        let value = text.lines().find_map(|line| line.strip_prefix("__version__")?.split_once('='))?.1;
        Some(value.trim().trim_matches(['\'', '"']).to_owned())
    };
    let header = || {
        let text = text(libtorch.join("include/torch/headeronly/version.h"))?;
        let number =
            |name: &str| text.lines().find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name));
        let parts = ["TORCH_VERSION_MAJOR ", "TORCH_VERSION_MINOR ", "TORCH_VERSION_PATCH "].map(number);
        let [Some(major), Some(minor), Some(patch)] = parts else { return None };
        Some([major, minor, patch].map(str::trim).join("."))
    };
    stated(lib).or_else(|| stated(libtorch)).or_else(python).or_else(header)
}

#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "opening a shared library runs its initialisers; it is libtorch's own CUDA part"
)]
fn open(library: &Path) -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the library belongs to the libtorch this program is linked to; it is kept open for ever.
    let library =
        unsafe { Library::open(Some(library), RTLD_NOW | RTLD_GLOBAL) }.map_err(|e| e.to_string())?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(windows)]
#[expect(
    unsafe_code,
    reason = "opening a shared library runs its initialisers; it is libtorch's own CUDA part"
)]
fn open(library: &Path) -> Result<(), String> {
    use libloading::os::windows::{LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR, LOAD_LIBRARY_SEARCH_SYSTEM32, Library};
    // What it needs is looked for beside it and in the system, not in the current folder and not on the path.
    let flags = LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32;
    // SAFETY: the library belongs to the libtorch this program is linked to; it is kept open for ever.
    let library = unsafe { Library::load_with_flags(library, flags) }.map_err(|e| e.to_string())?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a file by the library's name, which is none, and another file.
    fn libtorch(lib: &str, file: &str, text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let lib = dir.path().join(lib);
        fs::create_dir_all(&lib).unwrap();
        fs::write(lib.join(LIBRARY), "no library").unwrap();
        let file = dir.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        dir
    }

    fn named(dir: &Path) -> Result<Library, String> {
        find(&places(Some(dir), None, None))
    }

    fn all(places: &Places) -> Vec<PathBuf> {
        places.iter().flat_map(|(_, folders)| folders.clone()).collect()
    }

    #[test]
    fn it_is_looked_for_where_somebody_put_it_and_nowhere_else() {
        let absolute = |name: &str| std::path::absolute(Path::new("/").join(name)).unwrap();
        let downloads = absolute("downloads");
        let found = all(&places(None, Some(&downloads), None));
        assert_eq!(found.first(), Some(&downloads.join("lib")));
        assert!(!found.contains(&downloads), "{found:?}");
        // The current folder may be a stranger's.
        for relative in ["", ".", "lib", ".libtorch"] {
            let relative = Path::new(relative);
            let found = all(&places(Some(relative), None, Some(relative)));
            assert!(found.iter().all(|folder| folder.starts_with(env!("CARGO_MANIFEST_DIR"))), "{found:?}");
        }
        let (user, variable) = (absolute("user"), absolute("libtorch"));
        let places = places(Some(&user), Some(&downloads), Some(&variable));
        let order: Vec<Origin> = places.iter().map(|(origin, _)| *origin).collect();
        assert_eq!(order.get(..3), Some(&[Origin::Settings, Origin::Package, Origin::Variable][..]));
        assert_eq!(order.contains(&Origin::Checkout), cfg!(feature = "dev-paths"));
        let built_here = all(&places).iter().any(|folder| folder.starts_with(env!("CARGO_MANIFEST_DIR")));
        assert_eq!(built_here, cfg!(feature = "dev-paths"));
    }

    #[test]
    fn every_kind_of_libtorch_states_its_version() {
        for (lib, file, text) in [
            ("lib", "build-version", "2.11.0+cu130\n"),
            ("lib", "lib/build-version", "2.11.0"),
            (
                "torch/lib",
                "torch/version.py",
                "from typing import Optional\n__version__ = '2.11.0+cu130'\ndebug = False\n",
            ),
            (
                "lib/python3.11/site-packages/torch/lib",
                "lib/python3.11/site-packages/torch/version.py",
                "__version__ = \"2.11.0\"",
            ),
            (
                "lib",
                "include/torch/headeronly/version.h",
                "/// A version\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n#define TORCH_VERSION_PATCH 0\n",
            ),
        ] {
            let dir = libtorch(lib, file, text);
            let found = named(dir.path()).unwrap();
            assert_eq!(found, Library { path: dir.path().join(lib).join(LIBRARY), origin: Origin::Settings });
            assert!(found.to_string().contains("(named in the settings)"), "{found}");
        }
    }

    #[test]
    fn another_version_is_refused_before_it_is_loaded() {
        for (file, text, expected) in [
            ("build-version", "2.12.0+cu130", "belongs to libtorch \"2.12.0+cu130\""),
            ("build-version", "2.11.00", "belongs to libtorch"),
            ("build-version", "", "belongs to libtorch \"\""),
            ("version.py", "__version__ = '2.1.0'", "belongs to libtorch \"2.1.0\""),
            ("readme", "2.11.0", "no file beside it states its version"),
        ] {
            let dir = libtorch("lib", file, text);
            // Loading would say that the file is no library.
            let refused = load(Some(dir.path())).unwrap_err();
            assert!(refused.contains(expected) && refused.contains("is not loaded"), "{refused}");
            assert!(refused.contains("needs that of libtorch 2.11.0"), "{refused}");
        }
        let right = libtorch("lib", "build-version", "2.11.0");
        assert!(load(Some(right.path())).unwrap_err().contains("could not be loaded"));
    }

    #[test]
    fn of_several_pythons_the_one_with_the_right_version_is_taken() {
        let dir = libtorch(
            "lib/python3.10/site-packages/torch/lib",
            "lib/python3.10/site-packages/torch/version.py",
            "__version__ = '2.4.0'",
        );
        assert!(named(dir.path()).unwrap_err().contains("2.4.0"));
        let torch = dir.path().join("lib/python3.12/site-packages/torch");
        fs::create_dir_all(torch.join("lib")).unwrap();
        fs::write(torch.join("version.py"), "__version__ = '2.11.0'").unwrap();
        fs::write(torch.join("lib").join(LIBRARY), "no library").unwrap();
        assert_eq!(named(dir.path()).unwrap().path, torch.join("lib").join(LIBRARY));
    }

    #[test]
    fn the_version_is_that_of_the_libtorch_this_is_built_with() {
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join(".libtorch/lib").join(LIBRARY);
        assert!(version_of(&header).is_none_or(|version| version == LIBTORCH_VERSION));
    }

    #[cfg(unix)]
    #[test]
    fn what_everybody_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = libtorch("lib", "build-version", "2.11.0");
        let (lib, library) = (dir.path().join("lib"), dir.path().join("lib").join(LIBRARY));
        let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (path, open, closed) in [(&lib, 0o777, 0o755), (&library, 0o666, 0o644)] {
            allow(path, open);
            let refused = named(dir.path()).unwrap_err();
            assert!(refused.contains("everybody may write"), "{refused}");
            allow(path, closed);
            named(dir.path()).unwrap();
        }
        allow(&lib, 0o1777);
        named(dir.path()).unwrap();

        fs::remove_file(&library).unwrap();
        fs::create_dir(&library).unwrap();
        assert!(named(dir.path()).unwrap_err().contains("not a regular file"));
    }
}
