//! Samples, medians and spreads; and the turns in which contenders are measured.

use anyhow::Result;

/// One measurement of one contender.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// In the unit of the row it goes into.
    pub(super) value: f64,
    /// The most memory that the process ever held.
    pub(super) peak_bytes: f64,
    /// The share of the machine that other programs took meanwhile; 0 where the system does not tell.
    pub(super) others: f64,
}

/// The middle value, or the mean of the two middle ones.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The smallest and the largest value.
pub(super) fn extremes(values: &[f64]) -> Option<(f64, f64)> {
    let lowest = values.iter().copied().min_by(f64::total_cmp)?;
    let highest = values.iter().copied().max_by(f64::total_cmp)?;
    Some((lowest, highest))
}

/// Something that can be measured again and again.
pub(super) struct Contender<'a> {
    /// What the terminal is told meanwhile.
    pub(super) name: &'a str,
    /// One measurement.
    pub(super) measure: Box<dyn Fn() -> Result<Sample> + 'a>,
}

impl<'a> Contender<'a> {
    pub(super) fn new(name: &'a str, measure: impl Fn() -> Result<Sample> + 'a) -> Self {
        Self { name, measure: Box::new(measure) }
    }
}

/// Measures everyone once a round, one after the other, so that what disturbs the machine for a while disturbs all
/// of them. Gives the samples of each contender in the order of the rounds.
pub(super) fn take_turns(
    rounds: usize,
    contenders: &[Contender],
    tell: &dyn Fn(&str),
) -> Result<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 1..=rounds {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            tell(&format!("round {round} of {rounds}: {}", contender.name));
            samples.push((contender.measure)()?);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn the_spread_is_from_the_smallest_to_the_largest() {
        assert_eq!(extremes(&[]), None);
        assert_eq!(extremes(&[2.0, -1.0, 5.0]), Some((-1.0, 5.0)));
    }

    #[test]
    fn turns_alternate() {
        let order = RefCell::new(String::new());
        let contender = |name: &'static str| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push_str(name);
                Ok(Sample { value: order.borrow().len() as f64, ..Sample::default() })
            })
        };
        let samples = take_turns(3, &[contender("a"), contender("b")], &|_| {}).unwrap();
        assert_eq!(*order.borrow(), "ababab");
        let values = |samples: &[Sample]| samples.iter().map(|sample| sample.value).collect::<Vec<_>>();
        assert_eq!(values(&samples[0]), [1.0, 3.0, 5.0]);
        assert_eq!(values(&samples[1]), [2.0, 4.0, 6.0]);
    }
}
