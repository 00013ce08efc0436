//! Choices as files hold them: the word for each, and all of them in the message where another stands.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::train::plan::settings::Choice;

/// A choice by its word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed<T>(pub(super) T);

impl<T: Choice> Serialize for Keyed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let word = T::words().into_iter().find(|(value, _)| *value == self.0).map_or("", |(_, word)| word);
        serializer.serialize_str(word)
    }
}

impl<'de, T: Choice> Deserialize<'de> for Keyed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word<T>(PhantomData<T>);

        impl<T: Choice> Visitor<'_> for Word<T> {
            type Value = Keyed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let words: Vec<String> = T::words().iter().map(|(_, word)| format!("`{word}`")).collect();
                write!(f, "one of {}", words.join(", "))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let found = T::words().into_iter().find(|(_, word)| *word == text);
                found
                    .map(|(value, _)| Keyed(value))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Word(PhantomData))
    }
}
