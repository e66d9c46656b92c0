//! Some seconds of the fault soak; `make soak` has more of it.

use integration::fault_soak::{FaultPlan, run};

/// Another one with `TESSERA_SEED`.
const SEED: u64 = 7;

#[test]
fn whatever_goes_wrong_sessions_end_with_a_name_and_cards_serve_again() {
    let seed = std::env::var("TESSERA_SEED").ok();
    let seed = seed.map_or(SEED, |text| text.parse().expect("TESSERA_SEED is a number"));
    let report = run(&FaultPlan::short(seed));
    println!("{report}");
    assert!(report.wrong.is_empty(), "{report}");
    for (what, count) in &report.troubles {
        assert!(*count > 0, "{what}: none");
    }
}
