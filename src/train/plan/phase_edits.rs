//! Phases changed by hand: those of a preset written out, then moved, split, resized, thawed group by group.
//!
//! Everything here works on what a user could have written. It never looks at rows or weights.

use super::phase_spec::{HeadSet, LayerSet, PhaseSpec};
use super::recipe::Recipe;
use super::{ParamFilter, Phase, PlanError, Thaw};
use crate::model::summary::Group;

impl Recipe {
    /// The user's own phases; else those of the preset, written out so that they can be changed.
    ///
    /// # Errors
    /// When the preset names a head that is not there.
    pub fn written_phases(&self, layers: usize, tasks: &[&str]) -> Result<Vec<PhaseSpec>, PlanError> {
        if !self.phases.is_empty() {
            return Ok(self.phases.clone());
        }
        let phases = self.phases_as_set(layers, tasks)?;
        Ok(phases.iter().map(|phase| PhaseSpec::of(phase, self, tasks)).collect())
    }
}

impl PhaseSpec {
    /// A phase of a preset as a user would write it, at the recipe's rates.
    fn of(phase: &Phase, recipe: &Recipe, tasks: &[&str]) -> Self {
        let trains = |thaw: &Thaw| *thaw != Thaw::Frozen;
        let layers: Vec<bool> = phase.layers.iter().map(trains).collect();
        let heads: Vec<bool> = phase.heads.iter().map(trains).collect();
        let part = phase.layers.iter().chain([&phase.embeddings]).find_map(|thaw| match thaw {
            Thaw::Trains { part, .. } => Some(*part),
            Thaw::Frozen => None,
        });
        Self {
            embeddings: trains(&phase.embeddings),
            layers: LayerSet::of(&layers),
            heads: HeadSet::of(&heads, tasks),
            part: part.unwrap_or(recipe.part),
            // A preset that trains nothing has no epochs, and a phase that is written has at least one.
            epochs: phase.epochs.max(1),
            until: phase.until,
            ..Self::default()
        }
    }

    /// How many units are frozen below everything that trains in the encoder: the embeddings are the first, then the
    /// layers from below; one more than there are layers where nothing of the encoder trains. `None` where something
    /// above a trained unit is frozen, too.
    #[must_use]
    pub fn frozen_units(&self, layers: usize) -> Option<usize> {
        let units = self.units(layers);
        let frozen = units.iter().take_while(|trains| !**trains).count();
        units.get(frozen..)?.iter().all(|trains| *trains).then_some(frozen)
    }

    /// Moves the frost line: so many units are frozen from below (see [`PhaseSpec::frozen_units`]), and those above
    /// train.
    pub fn freeze_up_to(&mut self, units: usize, layers: usize) {
        let frozen = units.min(layers + 1);
        // Adapters stand beside layers only.
        self.embeddings = frozen == 0 && self.part != ParamFilter::Lora;
        self.layers = LayerSet::of(&(0..layers).map(|layer| layer + 1 >= frozen).collect::<Vec<_>>());
    }

    /// Freezes a group of parameters that trains, and the other way round. Dense modules go along with the top layer.
    pub fn toggle(&mut self, group: Group, layers: usize, tasks: &[&str]) {
        match group {
            Group::Embeddings => self.embeddings = !self.embeddings && self.part != ParamFilter::Lora,
            Group::Layer(_) | Group::Dense => {
                let index = if let Group::Layer(index) = group { index } else { layers.saturating_sub(1) };
                let held = |layer: usize| self.layers.holds(layer, layers) != (layer == index);
                self.layers = LayerSet::of(&(0..layers).map(held).collect::<Vec<_>>());
            }
            Group::Head(index) => {
                let held = |(task, name): (usize, &&str)| self.heads.holds(name) != (task == index);
                self.heads = HeadSet::of(&tasks.iter().enumerate().map(held).collect::<Vec<_>>(), tasks);
            }
            Group::LossWeight(_) | Group::Unused => {}
        }
    }

    /// What trains, in words: the name of a phase that was given none.
    #[must_use]
    pub fn in_words(&self, layers: usize) -> String {
        let trained = (0..layers).filter(|layer| self.layers.holds(*layer, layers)).count();
        let from_top = LayerSet::Top(trained);
        let is_top =
            (0..layers).all(|layer| self.layers.holds(layer, layers) == from_top.holds(layer, layers));
        let encoder = match (trained, self.embeddings) {
            (0, false) => match self.heads {
                HeadSet::None => return "everything frozen".to_owned(),
                HeadSet::All => return "heads only".to_owned(),
                HeadSet::Only(_) => String::new(),
            },
            (0, true) => "embeddings".to_owned(),
            (_, true) if trained == layers && self.heads == HeadSet::All => {
                return "everything trains".to_owned();
            }
            (_, true) if trained == layers => "the encoder".to_owned(),
            (_, false) if trained == layers => "all layers".to_owned(),
            (1, false) if is_top => "top layer".to_owned(),
            (_, false) if is_top => format!("top {trained} layers"),
            (_, false) => format!("{trained} of {layers} layers"),
            (_, true) => format!("embeddings and {trained} of {layers} layers"),
        };
        match &self.heads {
            HeadSet::All => encoder,
            HeadSet::None => format!("{encoder}, no head"),
            HeadSet::Only(names) if encoder.is_empty() => format!("head: {}", names.join(", ")),
            HeadSet::Only(names) => format!("{encoder}, head: {}", names.join(", ")),
        }
    }

    /// Whether each unit of the encoder trains, from the embeddings up.
    fn units(&self, layers: usize) -> Vec<bool> {
        let embeddings = self.embeddings && self.part != ParamFilter::Lora;
        let mut units = vec![embeddings];
        units.extend((0..layers).map(|layer| self.layers.holds(layer, layers)));
        units
    }
}

impl LayerSet {
    /// The shortest way to name the layers that are told apart here, from the one next to the embeddings upward.
    #[must_use]
    pub fn of(held: &[bool]) -> Self {
        let from_top = held.iter().rev().take_while(|held| **held).count();
        let count = held.iter().filter(|held| **held).count();
        if count == held.len() {
            return Self::All;
        }
        if count == 0 {
            return Self::None;
        }
        if from_top == count {
            return Self::Top(count);
        }
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for layer in held.iter().enumerate().filter(|(_, held)| **held).map(|(layer, _)| layer) {
            match ranges.last_mut() {
                Some((_, to)) if *to + 1 == layer => *to = layer,
                _ => ranges.push((layer, layer)),
            }
        }
        Self::Ranges(ranges)
    }
}

impl HeadSet {
    /// The heads that are told apart here, in task order.
    #[must_use]
    pub fn of(held: &[bool], tasks: &[&str]) -> Self {
        if held.iter().all(|held| *held) {
            return Self::All;
        }
        if !held.contains(&true) {
            return Self::None;
        }
        let names = tasks.iter().zip(held).filter(|(_, held)| **held);
        Self::Only(names.map(|(name, _)| (*name).to_owned()).collect())
    }

    /// Whether the head of this task is among them.
    #[must_use]
    pub fn holds(&self, task: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.iter().any(|name| name == task),
        }
    }
}

/// A change of the list of phases, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseEdit {
    /// Puts a copy behind it, which lasts an epoch.
    Add(usize),
    /// Halves it; a phase of one epoch cannot be.
    Split(usize),
    /// Takes it out; the last one stays.
    Remove(usize),
    /// Changes places with the one before it.
    Earlier(usize),
    /// Changes places with the one behind it.
    Later(usize),
}

impl PhaseEdit {
    /// Makes the change; says where the phase is that it was about, or the new one.
    pub fn apply(self, phases: &mut Vec<PhaseSpec>) -> usize {
        let last = phases.len().saturating_sub(1);
        match self {
            Self::Add(at) => {
                let Some(copy) = phases.get(at).cloned() else { return at };
                phases.insert(at + 1, PhaseSpec { epochs: 1, name: String::new(), ..copy });
                at + 1
            }
            Self::Split(at) => {
                let Some(phase) = phases.get_mut(at).filter(|phase| phase.epochs > 1) else { return at };
                let second = PhaseSpec { epochs: phase.epochs / 2, ..phase.clone() };
                phase.epochs -= second.epochs;
                phases.insert(at + 1, second);
                at + 1
            }
            Self::Remove(at) => {
                if phases.len() > 1 && at <= last {
                    phases.remove(at);
                }
                at.min(phases.len().saturating_sub(1))
            }
            Self::Earlier(at) if at > 0 && at <= last => {
                phases.swap(at, at - 1);
                at - 1
            }
            Self::Later(at) if at < last => {
                phases.swap(at, at + 1);
                at + 1
            }
            Self::Earlier(at) | Self::Later(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::train::plan::preset::Preset;

    const TASKS: [&str; 2] = ["topic", "tone"];

    fn thaws(recipe: &Recipe, layers: usize) -> Vec<(Thaw, Vec<Thaw>, Vec<Thaw>, u32)> {
        let phases = recipe.phases_for(layers, &TASKS).unwrap();
        phases.into_iter().map(|phase| (phase.embeddings, phase.layers, phase.heads, phase.epochs)).collect()
    }

    #[test]
    fn a_preset_written_out_is_the_same_plan() {
        for preset in [Preset::FreezeBackbone, Preset::FreezeHead, Preset::Gradual, Preset::Full] {
            for part in [ParamFilter::All, ParamFilter::Lora, ParamFilter::Biases] {
                let mut recipe = Recipe { part, ..Recipe::default() };
                recipe.choose(preset);
                recipe.part = part;
                let before = thaws(&recipe, 6);
                recipe.phases = recipe.written_phases(6, &TASKS).unwrap();
                assert_eq!(thaws(&recipe, 6), before, "{preset:?} {part:?}");
            }
        }
    }

    #[test]
    fn the_frost_line_is_where_it_was_put() {
        let mut phase = PhaseSpec::default();
        for (units, words) in [
            (0, "everything trains"),
            (1, "all layers"),
            (4, "top 3 layers"),
            (6, "top layer"),
            (7, "heads only"),
            (99, "heads only"),
        ] {
            phase.freeze_up_to(units, 6);
            assert_eq!((phase.frozen_units(6), phase.in_words(6).as_str()), (Some(units.min(7)), words));
        }
    }

    #[test]
    fn groups_freeze_and_thaw_by_themselves() {
        let mut phase = PhaseSpec { embeddings: true, layers: LayerSet::All, ..PhaseSpec::default() };
        phase.toggle(Group::Layer(2), 6, &TASKS);
        assert_eq!(phase.layers, LayerSet::Ranges(vec![(0, 1), (3, 5)]));
        assert_eq!(phase.frozen_units(6), None);
        phase.toggle(Group::Head(0), 6, &TASKS);
        assert_eq!(phase.in_words(6), "embeddings and 5 of 6 layers, head: tone");
        phase.toggle(Group::Head(0), 6, &TASKS);
        phase.toggle(Group::Layer(2), 6, &TASKS);
        assert_eq!(phase.in_words(6), "everything trains");
    }

    #[test]
    fn phases_are_split_moved_and_taken_out() {
        let phase = |epochs| PhaseSpec { epochs, ..PhaseSpec::default() };
        let mut phases = vec![phase(5), phase(1)];
        let epochs = |phases: &[PhaseSpec]| phases.iter().map(|phase| phase.epochs).collect::<Vec<_>>();
        assert_eq!((PhaseEdit::Split(0).apply(&mut phases), epochs(&phases)), (1, vec![3, 2, 1]));
        assert_eq!((PhaseEdit::Split(2).apply(&mut phases), epochs(&phases)), (2, vec![3, 2, 1]));
        assert_eq!((PhaseEdit::Later(0).apply(&mut phases), epochs(&phases)), (1, vec![2, 3, 1]));
        assert_eq!((PhaseEdit::Earlier(2).apply(&mut phases), epochs(&phases)), (1, vec![2, 1, 3]));
        assert_eq!((PhaseEdit::Add(2).apply(&mut phases), epochs(&phases)), (3, vec![2, 1, 3, 1]));
        assert_eq!((PhaseEdit::Remove(3).apply(&mut phases), epochs(&phases)), (2, vec![2, 1, 3]));
        let mut one = vec![phase(1)];
        PhaseEdit::Remove(0).apply(&mut one);
        assert_eq!(one.len(), 1);
    }

    proptest! {
        #[test]
        fn layers_are_named_as_they_are_held(held in proptest::collection::vec(any::<bool>(), 1..30)) {
            let set = LayerSet::of(&held);
            for (layer, held_here) in held.iter().enumerate() {
                prop_assert_eq!(set.holds(layer, held.len()), *held_here);
            }
        }
    }
}
