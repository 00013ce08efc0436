//! The search for a learning rate: a short training that nothing is kept of.

use std::sync::atomic::AtomicBool;

use super::super::state::RateSearch;
use super::{Failure, Worker};
use crate::data::dataset::Split;
use crate::train::lr_finder::find;
use crate::train::plan::RunPlan;

impl Worker {
    /// What the loss does as the plan's rates rise.
    pub(super) fn find_rate(&mut self, plan: &RunPlan, stop: &AtomicBool) -> Result<RateSearch, Failure> {
        let splits = self.splits(plan, stop)?;
        let train = splits.iter().find(|(split, _)| *split == Split::Train).map(|(_, rows)| rows);
        let train = train.ok_or("the data has no training rows")?;
        let (model, _) = self.fresh_model(plan)?;
        self.busy("looking for a learning rate", Some(0.0));
        let found = find(plan, &model, train, stop, &mut |done| {
            self.busy("looking for a learning rate", Some(done));
        });
        let curve = found.map_err(|error| error.to_string())?;
        let (lr_encoder, lr_heads) = (plan.recipe.lr_encoder, plan.recipe.lr_heads);
        Ok(RateSearch { lr_encoder, lr_heads, curve })
    }
}
