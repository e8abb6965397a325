//! The cases, on the engine alone.

use std::path::Path;

#[test]
fn the_engine_behaves_as_the_cases_say() {
    let cases = placet_testkit::cases::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases"));
    for case in &cases {
        case.run_on_engine();
    }
    println!("{} cases", cases.len());
}
