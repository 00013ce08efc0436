//! What the library promises, without a window and without the program: one module for each promise.

mod accumulation;
mod architecture;
mod averages;
mod awkward;
mod before_and_after;
mod cancelled;
mod circles;
mod damaged_models;
mod damaged_weights;
mod data_files;
mod data_round_trips;
mod dense;
mod evaluate;
mod export;
mod families;
mod hub;
mod kinds;
mod metrics;
mod model_card;
mod model_folders;
mod model_weights;
mod parity;
mod project_files;
mod project_runs;
mod promises;
mod prompts;
mod queued_steps;
mod ranking;
mod rates;
mod recipes;
mod report_kinds;
mod rows;
mod runs;
mod sampling;
mod switches;
mod tokenizer_classes;
mod tokenizer_files;
mod trajectories;
mod trajectories_kinds;

#[path = "../support/mod.rs"]
mod support;
