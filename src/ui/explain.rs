//! What a newcomer would ask, answered where it is met: short questions, short exact answers.
//!
//! Texts and the two small widgets that show them; it must never know the state of the session.

use eframe::egui::{self, Popup, Ui};

use crate::train::plan::preset::Preset;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::icon_button;

/// A question a newcomer would ask, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The question, as it would be asked.
    pub question: &'static str,
    /// The answer: two to four sentences.
    pub answer: &'static str,
}

/// What a preset is for, in words that need no other page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresetText {
    /// One sentence for its card.
    pub summary: &'static str,
    /// What it does, exactly.
    pub means: &'static str,
    /// What speaks for it.
    pub pros: &'static str,
    /// What speaks against it.
    pub cons: &'static str,
    /// When to choose it.
    pub when: &'static str,
}

/// What it means for a freeze plan that layers share their weights (ALBERT).
pub const SHARED_LAYERS: &str = "Layers of this model share their weights. A row of the schedule is one set of weights: \
     what is frozen or trained is frozen or trained in every pass through it.";

/// The texts of a preset.
#[must_use]
pub const fn preset_text(preset: Preset) -> PresetText {
    match preset {
        Preset::FreezeAll => PresetText {
            summary: "Nothing trains: see how far the encoder gets as it is.",
            means: "No parameter changes. Every text is encoded once, and two probes that need no training tell how \
                    well the embeddings already separate your classes: by the nearest class mean, and by a vote \
                    among the nearest neighbours. The heads keep the random weights they start with, so their own \
                    accuracy is that of guessing.",
            pros: "Done in seconds, and nothing can go wrong. It gives the figure that training has to beat.",
            cons: "The result is a measurement, not a classifier.",
            when: "First, before you spend time on training, and whenever you choose between two encoders.",
        },
        Preset::FreezeBackbone => PresetText {
            summary: "Only the heads learn, on embeddings that stay as they are.",
            means: "The encoder stays as it came. Each task's head, a single linear layer, learns to read the \
                    embedding. Because the encoder does not change, every text is encoded once, and the epochs \
                    after that take milliseconds.",
            pros: "Fast on any machine, hard to overfit, and tasks cannot disturb one another. The embedding stays \
                   the same, so vectors you stored earlier remain valid.",
            cons: "A head can only use what the embedding already tells apart. Fine shades that the encoder was \
                   never trained on, such as tone, stay hard.",
            when: "With few labelled rows (some ten per class), without a GPU, or when one encoder has to serve \
                   many tasks.",
        },
        Preset::FreezeHead => PresetText {
            summary: "One head stays as it is; the encoder and the other heads learn.",
            means: "The weights of one head are not updated while the encoder and all other heads train. What that \
                    head answers may still change, because the embedding below it moves: its validation curve is \
                    drawn all the same, and the drift is reported.",
            pros: "Keeps one head's weights byte for byte, and shows what the remaining tasks do to it.",
            cons: "The frozen head cannot follow the encoder. A head that was never trained stays random, and its \
                   task with it.",
            when: "To study how tasks influence each other, or when a head is in use elsewhere and must not change.",
        },
        Preset::Gradual => PresetText {
            summary: "Heads first, then layer after layer from the top down.",
            means: "The first phase trains the heads alone. Each later phase thaws more layers from the top \
                    downward, the embeddings last. Lower layers learn at lower rates: each layer's rate is the one \
                    above it times the decay per layer (Howard and Ruder 2018).",
            pros: "The random heads settle before they can push the encoder about, and what the lower layers know \
                   of language is disturbed least. The first phases are cheap, as the frozen part is computed once.",
            cons: "The full encoder trains only towards the end, so it takes a little longer to reach the same \
                   accuracy, and there are more settings to understand.",
            when: "With little or noisy data, or when full fine-tuning overfits or swings from run to run.",
        },
        Preset::Full => PresetText {
            summary: "Everything learns from the first step.",
            means: "Embeddings, all layers and all heads train together for the whole run. The encoder moves at a \
                    small rate, the heads, which start at random, at a larger one.",
            pros: "Usually the best accuracy: the embedding itself is reshaped to tell your classes apart.",
            cons: "The slowest and hungriest choice. With few rows it can learn them by heart, and vectors that \
                   were stored with the old encoder no longer match.",
            when: "With some hundreds of rows or more, and when accuracy matters more than minutes.",
        },
    }
}

macro_rules! explanations {
    ($($(#[$doc:meta])* $name:ident: $question:literal => $answer:literal;)*) => {
        $($(#[$doc])* pub const $name: Explanation = Explanation { question: $question, answer: $answer };)*

        /// Every explanation, in the order a newcomer meets them.
        pub const ALL: &[Explanation] = &[$($name),*];
    };
}

explanations! {
    /// Data page.
    SPLITS: "Why three splits?" =>
        "Training rows are learnt from. Validation rows are measured after every epoch and decide which weights are \
         kept, so their figure is slightly flattered. Test rows take part in no decision, so only their figure says \
         what to expect on new texts.";
    /// Data page.
    MISSING_LABELS: "What if a row has no label for a task?" =>
        "It trains the tasks it is labelled for and is left out of the others: neither loss nor metrics of those \
         tasks count it. Nothing is guessed and nothing is dropped.";
    /// Model page.
    WHY_MEAN_POOLING: "Why mean pooling?" =>
        "The encoder gives a vector for each token; pooling makes one vector for the sentence. The mean over the \
         real tokens is what most sentence encoders, all-MiniLM among them, were trained with, and an encoder has \
         to be pooled the way it was trained. For encoders that state no pooling, the mean is also the safer choice \
         over the first token's vector (Reimers and Gurevych 2019).";
    /// Model page and Schedule page.
    WHY_LINEAR_HEADS: "Why linear heads?" =>
        "A linear layer is the simplest thing that turns an embedding into classes. When it succeeds, the knowledge \
         is in the embedding, where every task and every search can use it; a deeper head could hide a poor \
         embedding. It also has few parameters, so it learns from few rows.";
    /// Schedule page.
    WHY_SUMMED_LOSSES: "Why are the losses of the tasks summed?" =>
        "One step has to serve all tasks, so their losses are added into one number to descend. Each is first \
         averaged over the rows that carry its label, so that a task with more labels does not drown the others. \
         Equal weights are the honest default: every task counts once.";
    /// Schedule page.
    FROST_LINE: "What is the frost line?" =>
        "The boundary between the layers that stay frozen and the layers above them that train. Lower layers hold \
         general knowledge of language, upper layers what is specific to a task, so thawing starts at the top. \
         Everything below the line depends on the text alone, so it can be computed once.";
    /// Schedule page.
    WHY_EVAL_MODE: "Why do frozen layers run in eval mode?" =>
        "In training mode dropout zeroes values at random, which helps weights that learn and only adds noise to \
         weights that do not. In eval mode a frozen layer gives the same output for the same text every time, so \
         the layers above learn from exactly what they will see later, and the output can be stored and reused.";
    /// Schedule page.
    WHY_RATES: "Why these learning rates?" =>
        "The encoder is pretrained and needs small corrections: too large a rate wipes out what it knows. The heads \
         start at random and have everything to learn, so they take steps about ten times as large. When the heads \
         train alone, on fixed embeddings, they can take larger steps still.";
    /// Schedule page.
    WHY_LAYER_DECAY: "What is the decay per layer?" =>
        "A factor of 1 or less that makes each layer learn a little slower than the one above it. Lower layers hold \
         what is common to all texts and should move least. At 1 all layers share one rate.";
    /// Schedule page.
    WHY_WARMUP: "What does warm-up do?" =>
        "For the first part of the run the rate rises from zero to its peak. Early gradients come from random heads \
         and Adam has not yet seen enough of them to scale its steps well; large steps at that point would damage \
         the encoder.";
    /// Schedule page.
    WHY_DECAY: "Why does the rate fall again?" =>
        "Large steps find the right region, small steps settle in it. A rate that falls to zero by the last step \
         ends the run calmly; a constant rate keeps the weights moving, so the result depends more on where one stops.";
    /// Schedule page.
    WHY_EPOCHS: "How many epochs?" =>
        "An epoch is one pass over all training rows. Sentence encoders mostly need two to five; beyond that the \
         training loss keeps falling while the validation loss rises, which is learning by heart. The weights of \
         the best validation epoch are kept, so an epoch too many costs only time.";
    /// Schedule page.
    WHY_BATCH_SIZE: "Which batch size?" =>
        "The number of rows that one step averages over. Larger batches give calmer steps but fewer of them; \
         8 to 32 suits fine-tuning. A change of the batch size usually wants a change of the rates in the same direction.";
    /// Schedule page.
    WHY_PRECISION: "float32 or bfloat16?" =>
        "bfloat16 keeps 8 of float32's 24 significant bits, so products take half the memory traffic and run on units \
         that are several times as fast, where a device has them. Weights, the optimiser's state, norms, softmax and \
         losses stay float32, and so does everything that is measured and exported; only the steps are a little noisier.";
    /// Schedule page.
    WHY_ADAMW: "Adam or AdamW?" =>
        "Both scale every parameter's step by the size of its recent gradients. AdamW applies weight decay apart \
         from that scaling (Loshchilov and Hutter 2019), so the decay does what its number says; it is what \
         transformers are trained with. Choose Adam to repeat a recipe that names it.";
    /// Schedule page.
    WHY_WEIGHT_DECAY: "What does weight decay do?" =>
        "Every step shrinks the weights slightly, so only those stay large that the data keeps asking for. Biases and \
         LayerNorm parameters are left out: shrinking them does not simplify anything.";
    /// Schedule page.
    WHY_CLIPPING: "What is gradient clipping?" =>
        "When the gradient of all parameters together is longer than this, it is scaled down to this length. One odd \
         batch can then not throw the weights far off; ordinary steps are left as they are.";
    /// Schedule page.
    WHY_MAX_LENGTH: "Why a maximum length?" =>
        "Time and memory grow with the number of tokens. Texts with more tokens than this are cut at the end, and \
         how many were cut is reported. Sentences rarely exceed 64 tokens, paragraphs 256.";
    /// Schedule page.
    WHY_PROMPT: "What is a prompt for?" =>
        "Some encoders (E5, BGE, instruction-tuned ones) were trained with a few words before every text, such as \
         \"query: \", and work best with them. What is chosen here goes before every text in training, in measuring \
         and in the exported folder, where sentence-transformers puts it there by itself.";
    /// Schedule page.
    WHY_DROPOUT: "What does dropout do?" =>
        "While training, a share of the values is set to zero at random, so that no single one can be relied on. It \
         slows learning by heart. It is off whenever the model is measured or used, and in frozen layers always.";
    /// Schedule page.
    WHY_PARTS: "Must all weights of a layer train?" =>
        "No. Adapters (LoRA, Hu et al. 2021) leave a weight as it is and learn a small correction beside it, of low \
         rank; it is added into the weight on export. BitFit (Ben Zaken et al. 2022) trains the biases alone. Both \
         move far fewer parameters, so they overfit less on few rows; full training mostly reaches a little further.";
    /// Schedule page.
    WHY_SAMPLING: "Why draw rows other than by size?" =>
        "When one file has a hundred times the rows of another, the small one's task hardly gets a step. Drawing by \
         turns gives every file as many batches; a temperature of 2 to 5 lies between. An epoch has as many rows in \
         all, so rows of small files come several times and some of large ones not.";
    /// Schedule page.
    WHY_KEEP_BEST: "Which epoch is the best?" =>
        "Those of the epoch with the best figure on the validation rows; where two epochs are equal, the one with the \
         lower loss. Ending early saves the epochs after that; it changes nothing about what is kept.";
    /// Schedule page.
    WHY_AVERAGE: "Why average the weights?" =>
        "The last steps of a run swing around a good place. A moving average of the weights (EMA) lies nearer to its \
         middle, and often measures a little better and steadier. The average is what is measured and kept; training \
         goes on from the weights themselves.";
    /// Schedule page.
    WHY_FIND_RATE: "How does one find a learning rate?" =>
        "By trying: the rate is raised a little from step to step while the loss is watched (Smith 2017). Too low a rate \
         changes nothing, too high a one makes the loss climb. Between them it falls; where it falls fastest is the \
         suggestion, and a third of that is a careful choice for a long run.";
    /// Schedule page.
    WHY_SEED: "What is the seed for?" =>
        "It fixes everything random: the heads' first weights, the order of the rows, dropout. The same plan, data, \
         seed and machine give the same result to the byte. Two seeds tell how much of a difference is chance.";
    /// Train page.
    LOSS: "What is the loss?" =>
        "Cross-entropy: how surprised the model is by the right answer, in nats. Guessing among k classes costs \
         ln k (0.69 for two, 1.10 for three); 0 is certainty in the right class. It sees improvement before \
         accuracy does, and also punishes being wrong with confidence.";
    /// Train page.
    OVERFITTING: "When does a run overfit?" =>
        "When the training loss goes on falling and the validation loss rises: the model is learning rows, not what \
         they have in common. The weights of the best validation epoch are kept, so the result is safe. Fewer \
         epochs, a lower rate or more rows help.";
    /// Train page.
    BEST_EPOCH: "Which weights are kept?" =>
        "Those of the epoch that did best on the validation rows, not the last ones. The weights before the first step \
         count as epoch 0, and are kept where no epoch beats them. The mark in the plots shows which epoch it was. Evaluation, maps and export all use these weights.";
    /// Train page.
    PROOF: "What does the proof of freezing show?" =>
        "After the run the bytes of every tensor are compared with those before it. A tensor that was to train and \
         did not change, or was frozen and did, would be listed by name.";
    /// Train page.
    DRIFT: "Why does a frozen head get better or worse?" =>
        "Its weights are the same, but the embedding it reads has moved, because the encoder below it trained. The \
         drift is the change of its validation accuracy.";
    /// Evaluate page.
    ACCURACY: "What is accuracy?" =>
        "The share of rows whose most probable class is the label. Easy to understand, but when one class is common, \
         always guessing it already looks good.";
    /// Evaluate page.
    MACRO_F1: "Why macro-F1 beside accuracy?" =>
        "F1 joins precision (how many of the predicted are right) and recall (how many of the labelled are found) \
         for one class; macro-F1 is its plain mean over the classes. A rare class counts as much as a common one, \
         so a model that ignores it is found out.";
    /// Evaluate page.
    WEIGHTED_F1: "What is weighted F1?" =>
        "The mean of the classes' F1, each weighted by its number of rows. It follows accuracy closely; a macro-F1 \
         far below it means that rare classes do badly.";
    /// Evaluate page.
    MCC: "What is MCC?" =>
        "Matthews correlation coefficient: the correlation of labels and predictions over the whole confusion matrix. \
         1 is perfect, 0 is no better than chance, and always guessing the commonest class also gives 0.";
    /// Evaluate page.
    ECE: "What is ECE?" =>
        "Expected calibration error: how far confidence is from truth. Rows are put in bins by the probability of \
         their prediction, and the gap between mean confidence and accuracy is averaged over all rows. At 0.05 the \
         stated probabilities are off by five points on average.";
    /// Evaluate page.
    CONFUSION: "How do I read the confusion matrix?" =>
        "A row is what the label says, a column what the model says. The diagonal is right. A dark cell beside it is \
         a pair the model mixes up in that direction. Shading is the share of its row, so rare classes show as \
         clearly as common ones.";
    /// Evaluate page.
    RELIABILITY: "How do I read the reliability diagram?" =>
        "Each bar gathers rows of similar confidence; its height is how many of them are right. On the diagonal, \
         70 % sure means right in 70 % of cases. Bars below it are overconfident, above it too modest.";
    /// Evaluate page.
    PROBES: "What do the probes tell?" =>
        "How good the embeddings are without any trained head. Nearest centroid gives a text the class whose mean \
         embedding is closest; k-NN lets the nearest training texts vote. Compare them with the share of the \
         commonest class, which anyone reaches by always guessing it.";
    /// Explore page.
    COSINE: "What is cosine similarity?" =>
        "The cosine of the angle between two embeddings: 1 for the same direction, 0 for unrelated, below 0 for \
         opposed. Fine-tuning on labels pulls texts of one class together and pushes classes apart, so the \
         numbers after it speak of your tasks rather than of meaning in general.";
    /// Explore page.
    PCA: "What does a PCA map show, and what not?" =>
        "The two directions in which the embeddings differ most, out of hundreds. Clusters that are apart here are \
         apart in truth; clusters that overlap here may still be apart in a direction that is not drawn. The share \
         of variance says how much of all differences the map shows.";
    /// Explore page.
    ALIGNED: "Why is the second map turned to fit the first?" =>
        "A projection may be mirrored or rotated freely without meaning anything. The map after fine-tuning is \
         turned and scaled onto the one before, so that what still moved between the two really moved.";
    /// Explore page.
    MOVERS: "What are the biggest movers?" =>
        "The texts whose embedding turned furthest, measured as 1 minus the cosine between before and after in all \
         dimensions. They show what fine-tuning read differently; a surprising one may carry a wrong label.";
    /// Export page.
    WHY_SELF_TEST: "Why is an export read back?" =>
        "What was written is loaded again like any other model and encodes probe sentences. The largest difference \
         to the model in memory is shown, so that a broken export is noticed here and not in production.";
}

/// A small `?` that opens the answer; its accessible name is the question.
pub fn explain_ui(ui: &mut Ui, explanation: &Explanation) {
    let button = icon_button(ui, Icon::Question, explanation.question);
    Popup::from_toggle_button_response(&button)
        .width(ANSWER_WIDTH)
        .accessible_name(explanation.question)
        .show(|ui| {
            ui.set_max_width(ANSWER_WIDTH);
            answer_ui(ui, explanation);
        });
}

/// A folded list of questions with a title; each opens to its answer.
pub fn explain_list_ui(ui: &mut Ui, title: &str, explanations: &[Explanation]) {
    egui::CollapsingHeader::new(title).id_salt(("explanations", title)).show(ui, |ui| {
        for explanation in explanations {
            answer_ui(ui, explanation);
            ui.add_space(8.0);
        }
    });
}

/// Wide enough for a sentence of some twelve words, narrow enough to read.
const ANSWER_WIDTH: f32 = 380.0;

fn answer_ui(ui: &mut Ui, explanation: &Explanation) {
    ui.strong(explanation.question);
    ui.add(egui::Label::new(explanation.answer).wrap());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_questions_and_asked_once() {
        for (index, explanation) in ALL.iter().enumerate() {
            assert!(explanation.question.ends_with('?'), "{}", explanation.question);
            assert!(explanation.answer.ends_with('.'), "{}", explanation.answer);
            let again = ALL.iter().skip(index + 1).any(|other| other.question == explanation.question);
            assert!(!again, "asked twice: {}", explanation.question);
        }
    }

    /// A wrapped literal whose line ends without a space glues two words together, or leaves a run of them.
    #[test]
    fn texts_are_one_paragraph_of_readable_length() {
        let presets = Preset::ALL.map(preset_text);
        let of_presets = presets.iter().flat_map(|text| [text.means, text.pros, text.cons, text.when]);
        for text in ALL.iter().map(|explanation| explanation.answer).chain(of_presets) {
            assert!(!text.contains("  ") && !text.contains('\n'), "{text}");
            assert!((40..480).contains(&text.len()), "{} characters: {text}", text.len());
        }
    }
}
