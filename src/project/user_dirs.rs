//! The user's own folders: where settings and data of the program lie on each platform.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use directories::ProjectDirs;

use super::disk::absolute;
use super::error::ProjectError;

/// Names a folder for the settings instead of the platform's: for portable copies and for tests.
pub const CONFIG_VARIABLE: &str = "FROSTLINE_CONFIG_DIR";
/// The same for data: demo projects that were opened, models that were fetched.
pub const DATA_VARIABLE: &str = "FROSTLINE_DATA_DIR";

/// Folder of the settings.
///
/// # Errors
/// When neither the variable nor the platform names one.
pub fn config_dir() -> Result<PathBuf, ProjectError> {
    let platform = || platform_dirs().map(|dirs| dirs.config_dir().to_owned());
    chosen(env::var_os(CONFIG_VARIABLE), platform)
        .ok_or(ProjectError::NoUserFolder { what: "settings", variable: CONFIG_VARIABLE })
}

/// Folder of the user's data.
///
/// # Errors
/// When neither the variable nor the platform names one.
pub fn data_dir() -> Result<PathBuf, ProjectError> {
    let platform = || platform_dirs().map(|dirs| dirs.data_dir().to_owned());
    chosen(env::var_os(DATA_VARIABLE), platform)
        .ok_or(ProjectError::NoUserFolder { what: "data", variable: DATA_VARIABLE })
}

fn platform_dirs() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "Frostline")
}

/// The folder of the variable, when it names one; an empty value is no name.
fn chosen(variable: Option<OsString>, platform: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    let named = variable.filter(|value| !value.is_empty()).map(|value| absolute(&PathBuf::from(value)));
    named.or_else(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_first_and_empty_is_unset() {
        let platform = || Some(PathBuf::from("/platform"));
        assert_eq!(chosen(None, platform), Some(PathBuf::from("/platform")));
        assert_eq!(chosen(Some("".into()), platform), Some(PathBuf::from("/platform")));
        let named = absolute(std::path::Path::new("/portable/config"));
        assert_eq!(chosen(Some("/portable/config".into()), platform), Some(named));
        assert_eq!(chosen(None, || None), None);
    }
}
