//! Numbers without a pattern that are the same on every machine: `SplitMix64` (Steele, Lea and Flood 2014).

/// Step from one state of the generator to the next: 2^64 over the golden ratio, odd.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The generator's output for a state: every bit of the input moves half of the output's.
#[must_use]
pub const fn finalise(state: u64) -> u64 {
    let z = scramble(state);
    z ^ (z >> 31)
}

/// The output without its last shift, as good in the upper bits.
#[must_use]
pub const fn scramble(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
}

/// A seed of its own for each index: neighbours get unrelated ones.
#[must_use]
pub const fn mix(seed: u64, index: u64) -> u64 {
    finalise(seed.wrapping_add(index.wrapping_mul(GOLDEN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 0 of the reference implementation (Vigna, `splitmix64.c`).
    #[test]
    fn the_stream_is_that_of_the_reference() {
        let outputs = [1, 2, 3].map(|index| mix(0, index));
        assert_eq!(outputs, [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]);
    }
}
