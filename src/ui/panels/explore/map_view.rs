//! What the map's card remembers between frames.

/// What the card remembers.
#[derive(Debug)]
pub(super) struct MapView {
    pub(super) limit: usize,
    /// Task whose classes give the colours.
    pub(super) task: usize,
    /// Coloured by prediction instead of label.
    pub(super) predicted: bool,
    pub(super) search: String,
    /// The clicked row of the data set.
    pub(super) chosen: Option<usize>,
    /// Point under the pointer, as an index into the map's rows.
    pub(super) hovered: Option<usize>,
}

impl Default for MapView {
    fn default() -> Self {
        Self { limit: 2000, task: 0, predicted: false, search: String::new(), chosen: None, hovered: None }
    }
}
