//! Frostline fine-tunes multi-task sentence encoders: one pretrained transformer, pooled into a sentence
//! embedding, read by a head for each task. This crate is the whole program, with or without its window.
//!
//! # Codemap
//!
//! From the bottom up. A module may name those above it in this list, never one below.
//!
//! - [`machine`]: what the machine has: memory.
//! - [`format`]: values and texts as people read them: numbers, and what a file's text may do where it is shown.
//! - [`random`]: numbers without a pattern that are the same on every machine.
//! - [`files`]: opening files to read them, and replacing them whole.
//! - [`data`]: files to data sets: reading, column mapping, splits, and the card that says what is in them.
//! - [`text`]: texts to token ids, and ids to batches; integers only.
//! - [`model`]: encoder families, pooling, heads, devices, weights in and out.
//! - [`train`]: recipe, phases, plan, optimiser, prefix cache, checkpoints, metrics, and the loop.
//! - [`explore`]: similarity, neighbours, probes and projections of embeddings, as rows of `f32`.
//! - [`export`]: the folder that the Python ecosystem loads, its model card, and the proof that it loads.
//! - [`hub`]: models by name: looked up on the Hugging Face hub, fetched, checked, found in the shared cache.
//! - [`project`]: `frostline.toml`, run folders, settings: versioned mirrors of the live types.
//! - [`session`]: commands in, state and news out; the worker thread that owns every tensor.
//! - [`ui`]: the window: pages that read the state and send actions.
//! - [`cli`]: the same work without a window.
//!
//! `machine`, `format` and `random` stand next to each other, so do `explore`, `export` and `hub`, and so do `ui` and
//! `cli`: none names another, except that the command line opens the window when it is given no command.
//!
//! Two roads lead through it. A *run*: [`session::Session`] freezes a [`train::plan::RunPlan`] from the
//! project's recipe, the worker carries it out in [`train::run::fit`], news of it arrives at the session's owner,
//! and [`project::runs`] keeps it on disk. A *page*: `ui::app` hands [`session::state::State`] to a panel, the
//! panel returns actions, and those that change the project become a [`session::command::Command`].
//!
//! # Invariants
//!
//! What a test or a lint holds is written here with its name; what only good will holds is not. What is promised about
//! files from others stands in `docs/security.md`, in the same manner.
//!
//! - **Invariant: dependencies run one way**, in the order of the codemap.
//!   `tests/core/architecture.rs`, `modules_name_only_what_is_below_them`.
//! - **Invariant: a page never touches a tensor**, and neither do `data`, `text`, `explore`, `project` and `cli`;
//!   the crates of the window are named in `ui` alone.
//!   `tests/core/architecture.rs`, `tensors_stay_below_the_session_and_widgets_in_the_window`; and
//!   `cargo check --no-default-features --lib`, a step of `cargo xtask test`, builds everything else without a
//!   window.
//! - **Invariant: the worker never waits for the window, and no training step is lost on the way.**
//!   `session/outbox.rs`, `a_full_channel_loses_no_step_and_blocks_nobody`.
//! - **Invariant: Stop is honoured within one batch.**
//!   `tests/core/runs.rs`, `stop_is_honoured_within_a_batch`, `stop_in_the_first_batch_leaves_a_run_that_says_so`.
//! - **Invariant: what a plan freezes keeps its bytes, and what it trains moves.**
//!   `tests/core/runs.rs`, `every_preset_moves_exactly_what_it_says`; `tests/core/recipes.rs`,
//!   `a_phase_moves_exactly_the_layers_and_heads_that_it_names`, `biases_alone_and_norms_alone_train`,
//!   `adapters_train_beside_frozen_weights_and_are_merged_on_export`.
//! - **Invariant: the same plan, data, seed and machine give the same bytes.**
//!   `tests/core/runs.rs`, `a_run_repeats_to_the_byte`.
//! - **Invariant: a run that is killed at any moment resumes from its last checkpoint to the bytes it would have had**:
//!   weights, checkpoint, history and report, but for the seconds.
//!   `tests/cli/never_lost.rs`, `a_run_killed_at_any_moment_ends_with_the_same_bytes`,
//!   `a_full_disk_leaves_the_last_good_checkpoint`; `tests/window/road.rs`,
//!   `a_paused_run_is_gone_on_with_after_a_restart`.
//! - **Invariant: the encoder computes what `PyTorch` with transformers computes, and training what
//!   `torch.optim` does.** `tests/core/parity.rs`, `tests/core/trajectories.rs` and `tests/core/trajectories_kinds.rs`, on what
//!   `tests/fixtures/trajectories/make.py` recorded of `PyTorch`.
//! - **Invariant: an export is read back before it is put in its place, and a failed one leaves the earlier.**
//!   `tests/core/export.rs`, `what_is_read_back_is_the_same_to_the_bit`, `an_export_that_fails_leaves_the_earlier_one`.
//! - **Invariant: an export takes nothing away that no export wrote.** `tests/core/export.rs`,
//!   `an_earlier_export_with_what_is_the_users_is_kept_whole`, `what_is_not_an_export_stays`.
//! - **Invariant: nothing outside a project's folder is touched before its user agrees.** `tests/cli/outside.rs`,
//!   `paths_outside_are_listed_refused_and_agreed_to_once`; `tests/window/outside.rs`,
//!   `a_strangers_project_opens_only_once_its_user_agrees`; `project/outside.rs`, whose tests name every way out.
//! - **Invariant: every version of a file ever written can be read.** `tests/core/project_files.rs`,
//!   `tests/core/project_runs.rs` and `project/settings.rs`, each on a fixture in `tests/fixtures`.
//! - **Invariant: nothing that a file or a person supplies makes the program panic.** The lints `unwrap_used`
//!   and `expect_used` outside tests; `any_bytes_are_read_or_refused_but_never_a_panic`,
//!   `a_history_of_any_bytes_never_panics`, `tests/core/damaged_models.rs` and `tests/core/damaged_weights.rs`; and, looked for
//!   rather than held, `cargo xtask fuzz`.
//! - **Invariant: no code from a weights file is run, and loading needs at most 1.3 times the weights' memory.**
//!   `tests/core/damaged_weights.rs`, `every_damage_is_told_and_costs_little`; `tests/core/model_weights.rs`,
//!   `loading_needs_little_more_memory_than_the_weights`.
//! - **Invariant: `unsafe` is written only where a reason stands beside it.** The lints `unsafe_code` and
//!   `allow_attributes_without_reason`.
//! - **Invariant: every file says what it holds, and none of `src` and `packaging` is above 500 lines.**
//!   `tests/core/architecture.rs`, `every_source_file_says_what_it_holds`,
//!   `no_source_file_is_too_long_to_hold_in_the_head`.

pub mod cli;
pub mod data;
pub mod explore;
pub mod export;
pub mod files;
pub mod format;
pub mod hub;
pub mod machine;
pub mod model;
pub mod project;
pub mod random;
pub mod session;
pub mod text;
pub mod train;
#[cfg(feature = "window")]
pub mod ui;
