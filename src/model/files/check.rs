//! Whether a model folder can be loaded, found out from its JSON files, the headers of its weights and its tokenizer: no
//! value of a weight is read.

use std::path::Path;

use super::Folder;
use crate::model::dense::DenseFolder;
use crate::model::error::ModelError;
use crate::text::tokenizer::Tokenizer;

/// What the user should know of a folder that can be loaded, a sentence each.
///
/// # Errors
/// Why it cannot be loaded, in words. Values that are no numbers are only found when the weights are read.
pub fn check(path: &Path) -> Result<Vec<String>, ModelError> {
    let folder = Folder::read(path)?;
    let weights = folder.weights()?;
    weights.check(folder.family.prefix, &folder.blueprint.tensors)?;
    for module in &folder.dense {
        DenseFolder::weights(module)?;
    }
    let tokenizer = Tokenizer::load(path).map_err(|error| ModelError::Unfit(error.to_string()))?;
    let fits = tokenizer.check_fits(folder.blueprint.shape.vocab_size);
    fits.map_err(|error| ModelError::Unfit(format!("{}: {error}", path.display())))?;
    Ok(folder.origin.notes)
}
