//! The devices there are. CUDA is found at run time: libtorch's CUDA part is opened before the first tensor
//! where it can be, and the reason is kept where it cannot.

use std::path::Path;

use tch::kind::Element;
use tch::{Cuda, Device, TchError, Tensor};

use super::cuda;

/// The devices that can be chosen, and why CUDA is not among them.
#[derive(Clone, Debug)]
pub struct Devices {
    /// Keys and readable names, CPU first.
    pub list: Vec<(String, String)>,
    /// Why there is no CUDA device; `None` when there is one.
    pub cuda_missing: Option<String>,
    /// The file of libtorch's CUDA part that was loaded, and who put it there, for people.
    pub cuda_library: Option<String>,
}

/// Looks for devices. `named` is a folder the user pointed to: a libtorch, or a Python environment with `PyTorch`.
///
/// Call it before the first tensor, from the thread that will own them.
#[must_use]
pub fn find(named: Option<&Path>) -> Devices {
    let threads = tch::get_num_threads();
    let mut list = vec![("cpu".to_owned(), format!("CPU, {threads} threads"))];
    let loaded = cuda::load(named);
    let count = if Cuda::is_available() { Cuda::device_count() } else { 0 };
    for index in 0..count {
        list.push((format!("cuda:{index}"), format!("CUDA {index}")));
    }
    let cuda_library = loaded.as_ref().ok().map(ToString::to_string);
    let cuda_missing = match loaded {
        _ if count > 0 => None,
        Ok(library) => Some(format!("{library} was loaded, but no NVIDIA driver or GPU answered.")),
        Err(reason) => Some(reason),
    };
    Devices { list, cuda_missing, cuda_library }
}

/// The device of a key: `cpu`, `cuda`, `cuda:1`.
///
/// # Errors
/// A sentence that names the devices there are.
pub fn parse(key: &str, devices: &Devices) -> Result<Device, String> {
    let key = if key == "cuda" { "cuda:0" } else { key };
    if devices.list.iter().any(|(known, _)| known == key) {
        return Ok(match key.strip_prefix("cuda:").and_then(|index| index.parse().ok()) {
            Some(index) => Device::Cuda(index),
            None => Device::Cpu,
        });
    }
    let known = devices.list.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
    let why = devices.cuda_missing.as_deref().filter(|_| key.starts_with("cuda")).unwrap_or_default();
    Err(format!("there is no device \"{key}\" here; there is: {known}. {why}").trim_end().to_owned())
}

/// Whether a device multiplies bfloat16 numbers itself, so that they are faster than float32.
#[must_use]
pub fn multiplies_bfloat16(device: Device) -> bool {
    if device != Device::Cpu {
        return true;
    }
    #[cfg(target_arch = "x86_64")]
    {
        std::is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("bf16")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}

/// The values as a tensor on a device; see [`send`].
///
/// # Errors
/// When libtorch cannot allocate.
pub fn upload<T: Element>(values: &[T], device: Device) -> Result<Tensor, TchError> {
    send(Tensor::f_from_slice(values)?, device)
}

/// A tensor in ordinary memory, on a device. Nothing waits for the copy to a GPU: it goes through pinned memory and takes
/// its turn behind the work that is queued there, while the next batch is made. Straight from ordinary memory the copy
/// would wait until the GPU had nothing left to do.
///
/// # Errors
/// When libtorch cannot allocate.
pub fn send(here: Tensor, device: Device) -> Result<Tensor, TchError> {
    if device == Device::Cpu {
        return Ok(here);
    }
    // Pinned memory can run out: the copy is then a slower one.
    let pinned = here.f_pin_memory(device).unwrap_or(here);
    pinned.f_to_dtype_layout((pinned.f_kind()?, device), true, false)
}
