//! Curves over a run: smoothing and decimation as pure functions of points.
//!
//! A run may have 200,000 steps and the plot a thousand pixels. What is drawn keeps the minimum and the maximum
//! of every pixel column, so that no spike is lost. It must never know what a point means.

use std::ops::RangeInclusive;

/// A point of a curve: x, y.
pub type Point = [f64; 2];

/// The points to draw of a curve whose x does not fall: per pixel column of `x_range` at most the first, the
/// lowest, the highest and the last, in order of x. Points without a finite y are left out. The neighbours just
/// outside the range are kept, so that the line runs on to the edge.
#[must_use]
pub fn decimate(points: &[Point], x_range: &RangeInclusive<f64>, columns: usize) -> Vec<Point> {
    let (lo, hi) = (*x_range.start(), *x_range.end());
    let from = points.partition_point(|p| p[0] < lo).saturating_sub(1);
    let to = (points.partition_point(|p| p[0] <= hi) + 1).min(points.len());
    let visible = points.get(from..to).unwrap_or_default();
    if columns == 0 || visible.len() <= 4 * columns || hi <= lo {
        return visible.iter().copied().filter(|p| p[1].is_finite()).collect();
    }
    let width = (hi - lo) / columns as f64;
    let mut drawn = Vec::with_capacity(4 * columns);
    let mut column: Option<Column> = None;
    for point in visible.iter().copied().filter(|p| p[1].is_finite()) {
        match &mut column {
            // Comparing with the edge, not dividing per point, is what keeps this quick.
            Some(current) if point[0] < current.edge => current.add(point),
            _ => {
                let edge = lo + (((point[0] - lo) / width).floor() + 1.0) * width;
                if let Some(done) = column.replace(Column::new(edge, point)) {
                    done.write(&mut drawn);
                }
            }
        }
    }
    if let Some(done) = column {
        done.write(&mut drawn);
    }
    drawn
}

/// The points of one pixel column that matter to the eye, each with its place in the order of arrival.
struct Column {
    /// Its right edge.
    edge: f64,
    seen: usize,
    first: Point,
    lowest: (usize, Point),
    highest: (usize, Point),
    last: Point,
}

impl Column {
    const fn new(edge: f64, point: Point) -> Self {
        Self { edge, seen: 1, first: point, lowest: (0, point), highest: (0, point), last: point }
    }

    fn add(&mut self, point: Point) {
        if point[1] < self.lowest.1[1] {
            self.lowest = (self.seen, point);
        }
        if point[1] > self.highest.1[1] {
            self.highest = (self.seen, point);
        }
        self.last = point;
        self.seen += 1;
    }

    fn write(&self, drawn: &mut Vec<Point>) {
        let mut kept = [(0, self.first), self.lowest, self.highest, (self.seen - 1, self.last)];
        kept.sort_unstable_by_key(|(order, _)| *order);
        let mut written = None;
        for (order, point) in kept {
            if written != Some(order) {
                drawn.push(point);
                written = Some(order);
            }
        }
    }
}

/// The distance of grid lines that cuts `range` into some six parts: 1, 2 or 5 times a power of ten.
#[must_use]
pub fn nice_step(range: f64) -> f64 {
    let rough = (range / 6.0).max(1e-12);
    let power = 10f64.powf(rough.log10().floor());
    let digit = rough / power;
    let nice = [1.0, 2.0, 5.0].into_iter().find(|nice| digit <= *nice * 1.000_001).unwrap_or(10.0);
    nice * power
}

/// Exponential moving average, corrected for its start so that the first points are not pulled to zero.
///
/// It is fed as points come, so that a live run costs no more than its news.
#[derive(Clone, Debug, Default)]
pub struct Smoother {
    strength: f64,
    sum: f64,
    weight: f64,
    points: Vec<Point>,
}

impl Smoother {
    /// `strength` is the weight of the past: 0 leaves the curve as it is, 0.99 shows little but the trend.
    #[must_use]
    pub fn new(strength: f64) -> Self {
        Self { strength: strength.clamp(0.0, 0.999), ..Self::default() }
    }

    /// The next point; one without a finite y is left out.
    pub fn push(&mut self, [x, y]: Point) {
        if !y.is_finite() {
            return;
        }
        self.sum = self.strength * self.sum + (1.0 - self.strength) * y;
        self.weight = self.strength * self.weight + (1.0 - self.strength);
        self.points.push([x, self.sum / self.weight]);
    }

    /// The smoothed curve so far.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}

/// The y of the curve at the point nearest to `x`, for reading values under a cursor.
#[must_use]
pub fn nearest(points: &[Point], x: f64) -> Option<Point> {
    let after = points.partition_point(|p| p[0] < x);
    let candidates = [after.checked_sub(1), Some(after)];
    let near = candidates.into_iter().flatten().filter_map(|index| points.get(index).copied());
    near.min_by(|a, b| (a[0] - x).abs().total_cmp(&(b[0] - x).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smooth(points: &[Point], strength: f64) -> Vec<Point> {
        let mut smoother = Smoother::new(strength);
        for point in points {
            smoother.push(*point);
        }
        smoother.points().to_vec()
    }

    fn noise(count: usize) -> Vec<Point> {
        let value = |i: usize| ((i.wrapping_mul(2_654_435_761) >> 7) % 1000) as f64 / 1000.0;
        (0..count).map(|i| [i as f64, value(i)]).collect()
    }

    #[test]
    fn few_points_are_drawn_as_they_are() {
        let points = noise(300);
        assert_eq!(decimate(&points, &(0.0..=299.0), 100), points);
    }

    #[test]
    fn a_spike_among_200_000_points_survives() {
        let mut points = noise(200_000);
        points[123_456][1] = 50.0;
        points[123_457][1] = -50.0;
        let drawn = decimate(&points, &(0.0..=200_000.0), 1000);
        assert!(drawn.len() <= 4 * 1001, "{} points", drawn.len());
        assert!(drawn.contains(&points[123_456]) && drawn.contains(&points[123_457]));
        assert_eq!(drawn.first(), points.first());
        assert_eq!(drawn.last(), points.last());
        assert!(drawn.is_sorted_by(|a, b| a[0] < b[0]), "order of x, no point twice");
    }

    #[test]
    fn every_column_keeps_its_extremes() {
        let points = noise(10_000);
        let drawn = decimate(&points, &(0.0..=10_000.0), 10);
        for column in 0..10 {
            let inside = |p: &&Point| (p[0] / 1000.0).floor() as usize == column;
            let extremes = |all: &[Point]| {
                let values = all.iter().filter(inside).map(|p| p[1]);
                values.fold((f64::MAX, f64::MIN), |(lo, hi), y| (lo.min(y), hi.max(y)))
            };
            assert_eq!(extremes(&points), extremes(&drawn), "column {column}");
        }
    }

    #[test]
    fn a_zoomed_view_runs_on_to_the_edges() {
        let points = noise(10_000);
        let drawn = decimate(&points, &(100.5..=200.5), 500);
        assert_eq!(drawn.first(), Some(&points[100]));
        assert_eq!(drawn.last(), Some(&points[201]));
    }

    #[test]
    fn not_a_number_is_left_out() {
        let points = [[0.0, 1.0], [1.0, f64::NAN], [2.0, 3.0]];
        assert_eq!(decimate(&points, &(0.0..=2.0), 10), [[0.0, 1.0], [2.0, 3.0]]);
        assert_eq!(smooth(&points, 0.0), [[0.0, 1.0], [2.0, 3.0]]);
        assert!(decimate(&[], &(0.0..=1.0), 10).is_empty());
    }

    #[test]
    fn smoothing_keeps_a_constant_and_starts_at_the_first_value() {
        let flat: Vec<Point> = (0..50).map(|i| [f64::from(i), 2.0]).collect();
        assert!(smooth(&flat, 0.95).iter().all(|p| (p[1] - 2.0).abs() < 1e-9));
        let rising: Vec<Point> = (0..50).map(|i| [f64::from(i), f64::from(i)]).collect();
        let smoothed = smooth(&rising, 0.9);
        assert_eq!(smoothed[0], [0.0, 0.0]);
        assert!(smoothed[49][1] < 49.0 && smoothed[49][1] > 35.0, "lags behind: {:?}", smoothed[49]);
    }

    #[test]
    fn grid_lines_stand_at_round_numbers() {
        let cases = [(1.0, 0.2), (1.1, 0.2), (5.0, 1.0), (0.043, 0.01), (120.0, 20.0)];
        for (range, step) in cases {
            assert!((nice_step(range) - step).abs() < 1e-9, "{range}: {}", nice_step(range));
        }
    }

    #[test]
    fn nearest_reads_the_closer_neighbour() {
        let points = [[0.0, 1.0], [1.0, 2.0], [3.0, 4.0]];
        assert_eq!(nearest(&points, 1.9), Some([1.0, 2.0]));
        assert_eq!(nearest(&points, 2.1), Some([3.0, 4.0]));
        assert_eq!(nearest(&points, -5.0), Some([0.0, 1.0]));
        assert_eq!(nearest(&points, 9.0), Some([3.0, 4.0]));
        assert_eq!(nearest(&[], 0.0), None);
    }
}
