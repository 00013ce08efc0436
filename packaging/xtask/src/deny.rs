//! cargo-deny with the rules in `deny.toml`: what the dependencies are licensed under, where they come from, and
//! whether anything is known against them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::workspace::Workspace;

const RULES: &str = "deny.toml";

/// The name that cargo-deny gives to rustsec/advisory-db, whose address it holds a hash of.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// Licences, sources and wildcards. Crates that are built in two releases are not listed here: that is no fault.
pub(crate) fn rules(workspace: &Workspace, cargo_deny: &Path) -> Command {
    let mut command = deny(workspace, cargo_deny);
    command.args(["check", "--hide-inclusion-graph", "--allow", "duplicate", "licenses", "sources", "bans"]);
    command
}

/// A copy of the advisory database, as cargo-deny finds it.
pub(crate) struct Advisories {
    /// The rules with the place of the database, and a link to that.
    folder: TempDir,
}

impl Advisories {
    /// Of a clone of rustsec/advisory-db. Nothing is fetched, so how new it is, is the caller's affair; cargo-deny
    /// refuses one older than 90 days.
    pub(crate) fn open(workspace: &Workspace, database: &Path) -> Result<Self> {
        let database = database
            .canonicalize()
            .with_context(|| format!("there are no advisories at {}", database.display()))?;
        if !database.join("crates").is_dir() || !database.join(".git").exists() {
            bail!("{} is not a git clone of RustSec's advisory-db", database.display());
        }
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let databases = folder.path().join("databases");
        fs::create_dir(&databases)?;
        link(&database, &databases.join(DATABASE))?;
        let path = workspace.dependency_rules();
        let rules = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(folder.path().join(RULES), with_databases(&rules, &databases)?)?;
        Ok(Self { folder })
    }

    /// Vulnerabilities, unmaintained and unsound crates, but for those that `deny.toml` names with a reason.
    pub(crate) fn check(&self, workspace: &Workspace, cargo_deny: &Path) -> Command {
        let mut command = deny(workspace, cargo_deny);
        command.arg("--offline").arg("--config").arg(self.folder.path().join(RULES));
        command.args(["check", "advisories"]);
        command
    }
}

/// The whole workspace with every feature, and a `Cargo.lock` that stays as it is.
fn deny(workspace: &Workspace, cargo_deny: &Path) -> Command {
    let mut command = workspace.tool(cargo_deny);
    command.args(["--workspace", "--locked"]);
    command
}

fn with_databases(rules: &str, databases: &Path) -> Result<String> {
    let section = "[advisories]\n";
    if !rules.contains(section) {
        bail!("deny.toml has no section [advisories]");
    }
    // JSON's strings are TOML's as well.
    let path = serde_json::to_string(&databases.to_string_lossy())?;
    Ok(rules.replacen(section, &format!("{section}db-path = {path}\n"), 1))
}

#[cfg(unix)]
fn link(target: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, link).context("cannot make a link to the advisories")
}

#[cfg(windows)]
fn link(target: &Path, link: &Path) -> Result<()> {
    std::os::windows::fs::symlink_dir(target, link)
        .context("cannot make a link to the advisories; Windows allows that in its developer mode")
}

#[cfg(test)]
mod tests {
    use crate::needs::Consent;

    use super::*;

    fn workspace() -> Workspace {
        Workspace::find(Consent::Nobody).unwrap()
    }

    #[test]
    fn the_rules_of_the_checkout_take_a_database() {
        let rules = fs::read_to_string(workspace().dependency_rules()).unwrap();
        let rules = with_databases(&rules, Path::new("/a \"b\"")).unwrap();
        assert!(rules.contains("[advisories]\ndb-path = \"/a \\\"b\\\"\"\n"), "{rules}");
        assert!(with_databases("[bans]\n", Path::new("a")).is_err());
    }

    #[test]
    fn what_is_no_clone_of_the_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (path, told) in
            [(folder.path().join("none"), "no advisories at"), (folder.path().into(), "not a git clone")]
        {
            let error = Advisories::open(&workspace(), &path).err().unwrap().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    /// Every exception stays explained: cargo-deny takes one without a reason.
    #[test]
    fn every_ignored_advisory_has_its_reason() {
        let rules = fs::read_to_string(workspace().dependency_rules()).unwrap();
        let ignored: Vec<&str> = rules.lines().filter(|line| line.contains("RUSTSEC-")).collect();
        assert!(!ignored.is_empty());
        assert!(ignored.iter().all(|line| line.contains("reason = \"")), "{ignored:?}");
    }
}
