# What is run by hand and what is checked are the same commands.

# shows the recipes
default:
    @just --list

# every test of the workspace
test:
    cargo test --workspace

# format and lints, as they must be before a change is taken
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# formats the code
fmt:
    cargo fmt --all

# the API documentation; a broken link is an error
doc $RUSTDOCFLAGS="-D warnings":
    cargo doc --workspace --no-deps

# how long a decision, a commit and a call take on this machine
bench:
    cargo bench --workspace

# licences, sources and bans of all dependencies (needs cargo-deny)
deny:
    cargo deny --offline check bans licenses sources

# against MCP clients and servers that others wrote (needs Python and Node)
interop:
    cargo build --release
    PLACET_BIN="$(realpath "${CARGO_TARGET_DIR:-target}")/release/placet" tests/interop/run

# random histories of the engine, its permits and a store that crashes, held against what must never be
model rounds="10000":
    PLACET_MODEL_ROUNDS={{rounds}} cargo test -p placet-testkit --test model -- --nocapture

# random policies and calls, judged and held against an oracle that knows nothing of Cedar
oracle rounds="100000":
    PLACET_POLICY_ROUNDS={{rounds}} cargo test -p placet-engine --test policy_oracle -- --nocapture

# kills nodes in the middle of calls, again and again
kill rounds="300":
    cargo build --release
    PLACET_KILL_ROUNDS={{rounds}} PLACET_BIN="$(realpath "${CARGO_TARGET_DIR:-target}")/release/placet" cargo test -p placet --test processes -- kill

# throws bytes at the parser for so many seconds (needs a nightly compiler and cargo-fuzz)
fuzz seconds="60":
    mkdir -p fuzz/corpus/json
    cargo +nightly fuzz run json fuzz/corpus/json crates/engine/tests/corpus/json/accept crates/engine/tests/corpus/json/refuse -- -max_total_time={{seconds}}
