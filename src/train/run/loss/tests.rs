//! The losses are those of `PyTorch` where it has them, and their written-out definition where it has not.

use super::*;

/// Rules of one task whose classes occur so often.
fn rules(counts: [usize; 3], balance_classes: bool, label_smoothing: f64, sets: bool) -> LossRules {
    let classes = (0..).zip(counts).flat_map(|(class, count)| vec![class; count]);
    let targets = if sets {
        Targets::Classes(classes.map(|class| Some(vec![class])).chain(vec![Some(vec![]); 5]).collect())
    } else {
        Targets::Class(classes.map(Some).collect())
    };
    let weights = balance_classes.then(|| ClassWeights::balanced(&targets, 3, Device::Cpu).unwrap().unwrap());
    let settings = TaskSettings { balance_classes, label_smoothing, ..TaskSettings::default() };
    LossRules { weighting: Weighting::Fixed, tasks: vec![TaskRule { settings, weights }] }
}

fn logits() -> Tensor {
    Tensor::from_slice(&[2.0_f32, -1.0, 0.5, 0.1, 0.2, -0.3, -1.5, 3.0, 0.0, 0.7, -0.2, 1.1]).view([4, 3])
}

fn close(a: &Tensor, b: f64) {
    let a = a.double_value(&[]);
    assert!((a - b).abs() < 1e-6, "{a} is not {b}");
}

#[test]
fn a_weighted_loss_is_that_of_pytorch_and_smoothing_has_no_weights() {
    let (logits, targets) = (logits(), Tensor::from_slice(&[0_i64, 2, NO_LABEL, 1]));
    // 60 rows: weights 60 / (3 * 30), 60 / (3 * 20), 60 / (3 * 10).
    let w = Tensor::from_slice(&[2.0_f32 / 3.0, 1.0, 2.0]);
    let torch = |weights: Option<&Tensor>, smoothing| {
        logits.cross_entropy_loss(&targets, weights, Reduction::Mean, NO_LABEL, smoothing).double_value(&[])
    };
    let ours = |balance, smoothing| {
        rules([30, 20, 10], balance, smoothing, false).classes(0, &logits, &targets).unwrap()
    };
    close(&ours(false, 0.0), torch(None, 0.0));
    close(&ours(false, 0.2), torch(None, 0.2));
    close(&ours(true, 0.0), torch(Some(&w), 0.0));
    let logs = Vec::<f32>::try_from(logits.log_softmax(-1, Kind::Float).view(-1)).unwrap();
    let (mut sum, mut weight) = (0.0, 0.0);
    for (row, label, w) in [(0, 0, 2.0 / 3.0), (1, 2, 2.0), (3, 1, 1.0)] {
        let logs: Vec<f64> = logs[row * 3..row * 3 + 3].iter().map(|log| f64::from(*log)).collect();
        sum -= w * (0.8 * logs[label] + 0.2 * logs.iter().sum::<f64>() / 3.0);
        weight += w;
    }
    close(&ours(true, 0.2), sum / weight);
    assert!((torch(Some(&w), 0.2) - sum / weight).abs() > 1e-2, "libtorch weighs the smoothed part too");
}

#[test]
fn a_set_is_weighed_by_what_is_in_it() {
    let logits = logits();
    let sets =
        Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]).view([4, 3]);
    // 65 rows: weights 35 / 30, 45 / 20, 55 / 10.
    let w = Tensor::from_slice(&[35.0_f32 / 30.0, 2.25, 5.5]);
    let ours =
        |balance, smoothing| rules([30, 20, 10], balance, smoothing, true).sets(0, &logits, &sets).unwrap();
    let torch = |weights: Option<&Tensor>, smoothing: f64| {
        let smooth = &sets * (1.0 - smoothing) + smoothing / 2.0;
        let none = None::<&Tensor>;
        logits.binary_cross_entropy_with_logits(&smooth, none, weights, Reduction::Mean).double_value(&[])
    };
    close(&ours(false, 0.0), torch(None, 0.0));
    close(&ours(false, 0.2), torch(None, 0.2));
    close(&ours(true, 0.0), torch(Some(&w), 0.0));
    let smooth = &sets * 0.8 + 0.1;
    let absent: Tensor = smooth.ones_like() - &smooth;
    let entropy: Tensor = (&smooth * logits.log_sigmoid() + absent * logits.neg().log_sigmoid()) * -1.0;
    let weighed = (entropy * (&sets * (&w - 1.0) + 1.0)).mean(Kind::Float).double_value(&[]);
    close(&ours(true, 0.2), weighed);
}

#[test]
fn a_repeat_is_no_wrong_answer() {
    let a = Tensor::from_slice(&[1.0_f32, 0.0, 0.6, 0.8]).view([2, 2]);
    let b = Tensor::from_slice(&[1.0_f32, 0.0, 1.0, 0.0, 0.0, 1.0]).view([3, 2]);
    let own = Tensor::from_slice(&[0_i64, 1]);
    let repeats = Tensor::from_slice(&[false, true, false, true, false, false]).view([2, 3]);
    let (loss, right) = ranking(&a, &b, &own, Some(&repeats)).unwrap();
    let entropy = |own: f64, other: f64| (1.0 + (RANKING_SCALE * (other - own)).exp()).ln();
    close(&loss, f64::midpoint(entropy(1.0, 0.0), entropy(0.6, 0.8)));
    close(&right, 1.0);
    let (with_repeats, _) = ranking(&a, &b, &own, None).unwrap();
    assert!(with_repeats.double_value(&[]) > loss.double_value(&[]) + 0.3);
}

#[test]
fn a_step_without_a_label_has_no_part_in_the_mean() {
    let point =
        |loss| StepPoint { step: 1, epoch: 0.5, loss, tasks: Vec::new(), rate_factor: 1.0, grad_norm: 0.0 };
    let mut sums = Sums::new(0);
    assert!(sums.loss().is_nan());
    for loss in [0.75, f64::NAN, 0.25] {
        sums.add(&point(loss), Vec::new());
    }
    assert_eq!((sums.steps, sums.loss()), (2, 0.5));
}
