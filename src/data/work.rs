//! Counts steps whose number a test holds to: looking at a column or at a name. Outside tests it is nothing.

/// Adds steps.
#[cfg(not(test))]
#[inline]
pub(super) const fn add(_steps: usize) {}

#[cfg(test)]
std::thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
pub(super) fn add(steps: usize) {
    STEPS.set(STEPS.get() + steps);
}

#[cfg(test)]
mod tests {
    use super::super::read::table_in_memory;
    use super::*;
    use crate::data::card::describe::describe;

    /// Names and cells of a table by row and column.
    type Case = (fn(usize) -> String, fn(usize, usize) -> String);

    /// Steps of a job, on a thread of its own so that no other test adds to them.
    fn steps_of(job: impl FnOnce() + Send) -> usize {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| {
            let before = STEPS.get();
            job();
            STEPS.get() - before
        })
    }

    /// A table of so many columns that are named and filled by their index.
    fn table(
        columns: usize,
        name: impl Fn(usize) -> String,
        cell: impl Fn(usize, usize) -> String,
    ) -> String {
        let line = |first: &str, cell: &dyn Fn(usize) -> String| {
            let cells: Vec<String> = (0..columns).map(cell).collect();
            format!("{first},{}\n", cells.join(","))
        };
        let rows =
            (0..12).map(|row| line(&format!("text number {row} of them"), &|column| cell(row, column)));
        line("text", &name) + &rows.collect::<String>()
    }

    #[test]
    fn the_work_for_a_table_grows_with_its_columns_and_no_faster() {
        let named = |column: usize| format!("c{column}");
        // Measures, classes of 0 and 1, tasks of their own, and one name for all.
        let cases: [Case; 4] = [
            (named, |row, column| format!("{}.5", row * column)),
            (named, |row, column| (row * column % 2).to_string()),
            (named, |row, column| (row * column % 3).to_string()),
            (|_| "same".to_owned(), |row, column| (row + column).to_string()),
        ];
        for (case, (name, cell)) in cases.into_iter().enumerate() {
            let steps = |columns: usize| {
                let text = table(columns, name, cell);
                let kept = std::sync::Mutex::new(0);
                let steps = steps_of(|| {
                    let read = table_in_memory("wide.csv", text.as_bytes()).unwrap();
                    *kept.lock().unwrap() = read.columns.len();
                    drop(describe(vec![read], None));
                });
                assert_eq!(*kept.lock().unwrap(), columns + 1);
                steps
            };
            let (some, twice) = (steps(300), steps(600));
            assert!(some >= 300, "case {case}: {some} steps count nothing");
            assert!(twice * 10 <= some * 23, "case {case}: {some} steps for 300 columns, {twice} for 600");
        }
    }
}
