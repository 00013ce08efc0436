//! Where things stand in the stack, and what dragging them asks for.

use super::edit::{Handle, dragged_to, handle_at};
use super::*;
use crate::model::summary::TensorInfo;
use crate::train::plan::PlannedTask;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::Recipe;

fn plan(preset: Preset, layers: usize) -> RunPlan {
    let tasks = ["topic", "tone"].map(|name| PlannedTask {
        name: name.into(),
        classes: vec!["a".into(), "b".into()],
        labelled_train: 10,
        labelled_valid: 5,
        ..PlannedTask::default()
    });
    let mut recipe = Recipe::default();
    recipe.choose(preset);
    let tensor = |name: String, group| TensorInfo { name, shape: vec![4, 4], group };
    let mut tensors = vec![tensor("embeddings.word".into(), Group::Embeddings)];
    tensors.extend((0..layers).map(|i| tensor(format!("layer.{i}"), Group::Layer(i))));
    tensors.extend(tasks.iter().enumerate().flat_map(|(index, task)| task.head(None).tensors(index, 4)));
    let phases = recipe.phases_for(layers, &["topic", "tone"]);
    RunPlan {
        parent: None,
        name: "run".into(),
        model_path: "model".into(),
        model_sha256: String::new(),
        tokenizer_sha256: None,
        tensors,
        tasks: tasks.to_vec(),
        prompt: None,
        recipe,
        phases: phases.unwrap_or_default(),
        train_rows: 10,
        steps_per_epoch: 1,
        device: "cpu".into(),
    }
}

fn placed(preset: Preset) -> (RunPlan, Layout) {
    let plan = plan(preset, 6);
    let layout = layout(&plan, Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 280.0)));
    (plan, layout)
}

#[test]
fn heads_stand_on_top_and_embeddings_at_the_bottom() {
    let (_, layout) = placed(Preset::Full);
    let names: Vec<&str> = layout.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names[..3], ["head: topic", "head: tone", "layer 5"]);
    assert_eq!(names[7..], ["layer 0", "embeddings"]);
    assert!(layout.rows.windows(2).all(|pair| pair[0].name_rect.bottom() <= pair[1].name_rect.top()));
}

#[test]
fn cells_cover_every_group_and_phase_within_the_rectangle() {
    for preset in Preset::ALL {
        let (plan, layout) = placed(preset);
        assert_eq!(layout.cells.len(), 9 * plan.phases.len(), "{preset:?}");
        let outside = Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 280.0));
        assert!(layout.cells.iter().all(|cell| outside.contains_rect(cell.rect)), "{preset:?}");
        for cell in &layout.cells {
            assert_eq!(cell.lr, plan.phases[cell.phase].thaw(cell.group).lr(), "{preset:?}");
        }
    }
}

#[test]
fn phases_that_end_by_steps_stay_within_the_rectangle() {
    let mut plan = plan(Preset::Gradual, 6);
    plan.phases[0].epochs = 9;
    plan.phases[0].until = crate::train::plan::Until::Steps(2);
    let layout = layout(&plan, Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 280.0)));
    let last = layout.bands.last().unwrap().x.1;
    assert!((last - layout.area.right()).abs() < 0.01, "{last} {:?}", layout.area);
    assert!((layout.epochs.last().unwrap().1 - layout.area.right()).abs() < 0.01);
    assert!(plan.rate_factor_at(f64::from(plan.drawn_epochs())).is_some());
}

#[test]
fn the_frost_line_lies_between_what_is_frozen_and_what_trains() {
    for preset in [Preset::FreezeBackbone, Preset::Gradual, Preset::Full] {
        let (_, layout) = placed(preset);
        for (band, piece) in layout.bands.iter().zip(layout.frost_line.chunks(2)) {
            for cell in layout.cells.iter().filter(|cell| cell.phase == band.phase) {
                let below = cell.rect.center().y > piece[0].y;
                assert_eq!(below, cell.lr.is_none(), "{preset:?} {cell:?}");
            }
        }
    }
}

#[test]
fn the_frost_line_sinks_as_layers_thaw() {
    let (plan, layout) = placed(Preset::Gradual);
    assert!(plan.phases.len() > 2);
    assert_eq!(layout.frost_line.len(), 2 * plan.phases.len());
    assert!(layout.frost_line.is_sorted_by(|a, b| a.x <= b.x && a.y <= b.y));
    assert_eq!(layout.frost_line.last().map(|p| p.y), Some(layout.area.bottom()));
}

#[test]
fn a_plan_that_trains_nothing_is_cold_up_to_the_top() {
    let (_, layout) = placed(Preset::FreezeAll);
    assert!(layout.cells.iter().all(|cell| cell.lr.is_none() && cell.rect.width() > 100.0));
    assert!(layout.frost_line.iter().all(|p| p.y == layout.area.top()));
}

#[test]
fn epoch_numbers_thin_out_when_there_are_many() {
    let mut plan = plan(Preset::Full, 6);
    plan.phases[0].epochs = 200;
    let layout = layout(&plan, Rect::from_min_size(pos2(0.0, 0.0), vec2(600.0, 280.0)));
    assert!(layout.epochs.len() < 24 && layout.epochs.len() > 5, "{}", layout.epochs.len());
    assert_eq!(layout.epochs.first().map(|(epoch, _)| *epoch), Some(0));
}

#[test]
fn twelve_layers_keep_a_readable_height() {
    let plan = plan(Preset::Full, 12);
    let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(600.0, desired_height(&plan)));
    let layout = layout(&plan, rect);
    assert!(layout.rows.iter().all(|row| row.name_rect.height() >= ROW_MIN));
    assert!(rect.contains_rect(layout.area));
}

#[test]
fn the_frost_line_is_dragged_to_the_nearest_boundary() {
    let (plan, layout) = placed(Preset::Gradual);
    for (band, piece) in layout.bands.iter().zip(layout.frost_line.chunks(2)) {
        let at = pos2(piece[0].x.midpoint(piece[1].x), piece[0].y + 3.0);
        let handle = handle_at(&layout, &plan, at).unwrap();
        assert_eq!(handle, Handle::Line { phase: band.phase });
        for (units, y) in layout.boundaries.iter().enumerate() {
            let edit = dragged_to(&layout, handle, pos2(at.x, y - 2.0));
            assert_eq!(edit, Some(StackEdit::FrostLine { phase: band.phase, units }));
        }
    }
    assert_eq!(layout.boundaries.len(), 8, "below all, above the embeddings and above each of 6 layers");
    assert!(layout.boundaries.is_sorted_by(|a, b| a > b));
}

#[test]
fn the_end_of_a_phase_is_dragged_by_whole_epochs() {
    let (plan, layout) = placed(Preset::Gradual);
    let first = &layout.bands[0];
    let at = pos2(first.x.1 + 2.0, layout.area.top() + 30.0);
    let handle = handle_at(&layout, &plan, at).unwrap();
    let width = first.x.1 - first.x.0;
    let epochs = |x: f32| dragged_to(&layout, handle, pos2(x, at.y));
    assert_eq!(epochs(at.x + 2.0 * width), Some(StackEdit::Epochs { phase: 0, epochs: 3 }));
    assert_eq!(epochs(0.0), Some(StackEdit::Epochs { phase: 0, epochs: 1 }));
    assert_eq!(handle_at(&layout, &plan, pos2(0.0, 0.0)), None);
}

#[test]
fn a_task_on_pairs_has_no_row() {
    let (mut plan, _) = placed(Preset::Full);
    let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 280.0));
    let names = |plan: &RunPlan| -> Vec<String> {
        layout(plan, rect).rows.iter().map(|row| row.name.clone()).collect()
    };
    let before = names(&plan);
    plan.tasks[0].kind = crate::data::task::TaskKind::Similarity;
    assert_eq!(names(&plan), before[1..]);
}
