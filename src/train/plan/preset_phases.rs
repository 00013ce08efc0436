//! The phases of a recipe: the user's own, or those that its preset makes.

use super::phase::{ParamFilter, Phase, Thaw, Until};
use super::phase_spec::DefaultRates;
use super::plan_error::PlanError;
use super::preset::Preset;
use super::recipe::Recipe;

impl Recipe {
    /// The user's own phases, else those of the preset, for an encoder of `layers` layers and these tasks. The head of a
    /// task of weight 0 is frozen in all of them: no gradient would reach it.
    ///
    /// # Errors
    /// When something is named that is not there.
    pub fn phases_for(&self, layers: usize, tasks: &[&str]) -> Result<Vec<Phase>, PlanError> {
        let mut phases = self.phases_as_set(layers, tasks)?;
        for phase in &mut phases {
            for (head, _) in phase.heads.iter_mut().zip(tasks).filter(|(_, task)| self.has_no_weight(task)) {
                *head = Thaw::Frozen;
            }
        }
        Ok(phases)
    }

    /// The same, whatever the weights of the tasks.
    ///
    /// # Errors
    /// When something is named that is not there.
    pub(in crate::train) fn phases_as_set(
        &self,
        layers: usize,
        tasks: &[&str],
    ) -> Result<Vec<Phase>, PlanError> {
        if !self.phases.is_empty() {
            let specs = self.phases.iter().enumerate();
            return specs
                .map(|(index, spec)| spec.phase(index, self.default_rates(), layers, tasks))
                .collect();
        }
        let heads = Thaw::Trains { lr: self.lr_heads, part: ParamFilter::All };
        let all_heads = vec![heads; tasks.len()];
        let frozen = Phase {
            name: "everything frozen".into(),
            embeddings: Thaw::Frozen,
            layers: vec![Thaw::Frozen; layers],
            heads: vec![Thaw::Frozen; tasks.len()],
            loss_weights: self.lr_heads,
            epochs: 0,
            until: Until::Epochs,
        };
        let thawed = self.thawed(layers, layers + 1, "everything trains");
        Ok(match self.preset {
            Preset::FreezeAll => vec![frozen],
            Preset::FreezeBackbone => {
                vec![Phase { name: "heads only".into(), heads: all_heads, epochs: self.epochs, ..frozen }]
            }
            Preset::FreezeHead => {
                let kept = self.kept_head(tasks)?;
                let mut heads = all_heads;
                if let Some(head) = heads.get_mut(kept) {
                    *head = Thaw::Frozen;
                }
                let name = format!("all but the head of {}", tasks.get(kept).copied().unwrap_or_default());
                vec![Phase { name, heads, epochs: self.epochs, ..thawed }]
            }
            Preset::Gradual => self.gradual(layers, &frozen, &all_heads),
            Preset::Full => vec![Phase { heads: all_heads, epochs: self.epochs, ..thawed }],
        })
    }

    fn default_rates(&self) -> DefaultRates {
        DefaultRates { encoder: self.lr_encoder, heads: self.lr_heads, layer_decay: self.layer_decay }
    }

    fn kept_head(&self, tasks: &[&str]) -> Result<usize, PlanError> {
        match &self.frozen_head {
            None => Ok(0),
            Some(name) => {
                tasks.iter().position(|task| task == name).ok_or_else(|| PlanError::NoSuchHead(name.clone()))
            }
        }
    }

    /// Heads for the first phase, then as many further phases as the epochs allow, each thawing an equal share
    /// of the layers from the top down; the last one thaws the embeddings too. Howard and Ruder 2018.
    fn gradual(&self, layers: usize, frozen: &Phase, heads: &[Thaw]) -> Vec<Phase> {
        let units = layers + 1; // the embeddings are the last to thaw
        let later = (self.epochs.saturating_sub(1) as usize).min(units);
        let mut phases =
            vec![Phase { name: "heads only".into(), heads: heads.to_vec(), epochs: 1, ..frozen.clone() }];
        for index in 1..=later {
            let thawed = (units * index).div_ceil(later);
            let name = match thawed {
                1 => "+ top layer".to_owned(),
                _ if thawed == units => "everything trains".to_owned(),
                _ => format!("+ top {thawed} layers"),
            };
            phases.push(Phase { heads: heads.to_vec(), epochs: 1, ..self.thawed(layers, thawed, &name) });
        }
        // What is left over goes to the last phase, where everything works together.
        let spare = self.epochs.saturating_sub(phases.iter().map(|phase| phase.epochs).sum());
        if let Some(last) = phases.last_mut() {
            last.epochs += spare;
        }
        phases
    }

    /// A phase in which the top `units` of the layers train (one unit more: the embeddings), heads frozen.
    fn thawed(&self, layers: usize, units: usize, name: &str) -> Phase {
        let rate = |depth: usize| Thaw::Trains {
            lr: self.lr_encoder * self.layer_decay.powi(depth as i32),
            part: self.part,
        };
        // An adapter stands beside a linear layer, and the embeddings have none.
        let embeddings = units > layers && self.part != ParamFilter::Lora;
        let layer = |i: usize| {
            let depth = layers - 1 - i;
            if depth < units { rate(depth) } else { Thaw::Frozen }
        };
        Phase {
            name: name.to_owned(),
            embeddings: if embeddings { rate(layers) } else { Thaw::Frozen },
            layers: (0..layers).map(layer).collect(),
            heads: Vec::new(),
            loss_weights: self.lr_heads,
            epochs: 0,
            until: Until::Epochs,
        }
    }
}
