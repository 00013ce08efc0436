//! What the header of a safetensors file must keep to before its library reads it: the library takes the last of two
//! tensors of one name, and copies names of any length.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

/// Bytes of a header. That of a model of a thousand tensors has a tenth of a megabyte.
const LARGEST: usize = 16 << 20;
/// Bytes of a name.
const LONGEST_NAME: usize = 512;

/// Looks at the names in a file's header. What else is wrong with it the library tells.
///
/// # Errors
/// In words: a header that is too large, a name that is too long or there twice.
pub(super) fn check(file: &[u8]) -> Result<(), String> {
    let Some((length, rest)) = file.split_first_chunk::<8>() else { return Ok(()) };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let Some(header) = rest.get(..length) else { return Ok(()) };
    if length > LARGEST {
        return Err(format!("its header has {} MB, and those of models less than one", length >> 20));
    }
    let mut json = serde_json::Deserializer::from_slice(header);
    match json.deserialize_map(Names) {
        Ok(fault) => fault.map_or(Ok(()), Err),
        Err(_not_json) => Ok(()),
    }
}

/// Goes through the names; gives what is wrong with one.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut known, mut fault) = (HashSet::new(), None);
        while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if fault.is_some() {
                continue;
            }
            if name.len() > LONGEST_NAME {
                fault = Some(format!("a tensor's name has {} bytes", name.len()));
            } else if let Some(twice) = known.replace(name) {
                fault = Some(format!("tensor {twice} is there twice"));
            }
        }
        Ok(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
    }

    #[test]
    fn names_are_short_and_there_once() {
        let tensor = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
        assert_eq!(check(&file(&format!(r#"{{"a":{tensor},"b":{tensor}}}"#))), Ok(()));
        let twice = check(&file(&format!(r#"{{"a":{tensor},"b":{tensor},"a":{tensor}}}"#)));
        assert_eq!(twice, Err("tensor a is there twice".into()));
        // The same name in other letters of JSON.
        assert!(check(&file(&format!(r#"{{"a":{tensor},"\u0061":{tensor}}}"#))).is_err());
        let long = check(&file(&format!(r#"{{"{}":{tensor}}}"#, "n".repeat(600))));
        assert_eq!(long, Err("a tensor's name has 600 bytes".into()));
        assert!(
            check(&file(&format!("{{}}{}", " ".repeat(LARGEST)))).is_err_and(|told| told.contains("16 MB"))
        );
        // What is damaged otherwise is for the library to tell.
        for damaged in [&b""[..], b"1234567", &[0xff; 20], &file("[]"), &file("{\"a\"")] {
            assert_eq!(check(damaged), Ok(()));
        }
    }
}
