//! Whether this machine's memory has room for what a setting or a file asks for, before it is allocated: an allocation
//! that fails ends the program.

use super::error::ModelError;
use super::summary::TensorInfo;
use crate::machine::physical_memory;

/// Bytes of a value.
const FLOAT: u64 = 4;

/// More memory than the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Bytes that are needed at least.
    pub needs: u64,
    /// Bytes of the machine's memory.
    pub machine: u64,
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (needs, machine) = (self.needs as f64 / 1e9, self.machine as f64 / 1e9);
        write!(f, "this needs at least {needs:.1} GB of memory, and the machine has {machine:.1} GB")
    }
}

/// Bytes of some tensors that are held `copies` times.
pub fn bytes_of<'a>(tensors: impl IntoIterator<Item = &'a TensorInfo>, copies: u64) -> u64 {
    let values = tensors.into_iter().map(TensorInfo::elements).fold(0_u64, u64::saturating_add);
    values.saturating_mul(FLOAT).saturating_mul(copies)
}

/// Refuses what the machine's memory cannot hold. Where the system does not tell its size, nothing is refused.
///
/// # Errors
/// Both numbers.
pub fn check(needs: u64) -> Result<(), Shortage> {
    match physical_memory() {
        Some(machine) if needs > machine => Err(Shortage { needs, machine }),
        _ => Ok(()),
    }
}

/// The same for tensors that are about to be made; `what` names them and the setting that asks for them.
pub(super) fn check_tensors(tensors: &[TensorInfo], what: impl FnOnce() -> String) -> Result<(), ModelError> {
    check(bytes_of(tensors, 1)).map_err(|shortage| ModelError::NoRoom { what: what(), shortage })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::summary::Group;

    #[test]
    fn more_than_the_machine_has_is_refused_and_nothing_overflows() {
        let tensor =
            |shape: &[i64]| TensorInfo { name: "w".into(), shape: shape.to_vec(), group: Group::Head(0) };
        assert_eq!(bytes_of(&[tensor(&[3, 4]), tensor(&[4])], 2), 128);
        let absurd = [tensor(&[i64::MAX, i64::MAX]), tensor(&[i64::MAX])];
        assert_eq!(bytes_of(&absurd, 4), u64::MAX);
        assert!(check(1 << 20).is_ok());
        let error = check_tensors(&absurd, || "the head of task \"topic\"".into()).unwrap_err().to_string();
        assert!(error.contains("the head of task \"topic\"") && error.contains("the machine has"), "{error}");
    }
}
