//! The one binary, `placet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    placet::cli::main()
}
