//! `placet audit witness`, the second host that cosigns heads, and `placet audit cosign`, which asks one.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Args;
use parking_lot::Mutex;
use placet_engine::diagnostic::inert;
use placet_ledger::{
    checkpoint::SignedCheckpoint,
    directory::WITNESSED,
    note::{KeyKind, Signed, Verifier},
    tree::Tree,
    witness::Request,
};
use sha2::{Digest as _, Sha256};

use super::{
    super::{Exit, PlaceArguments, complain, runtime, say},
    prove::SealedLog,
};
use crate::{
    clock::SystemClock,
    signing,
    witness::{Address, Heads, Witness, ask, cosignatures, is_loopback, serve},
};

#[derive(Args, Debug)]
pub(super) struct WitnessArguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8426")]
    listen: SocketAddr,
    /// Listen where other hosts can connect too: there is no TLS and no password
    #[arg(long)]
    anywhere: bool,
    /// The witness's own directory, in which it remembers heads
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The witness's secret key; made if it is not there
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The public key of a log to watch, or a file that holds it; may be given several times
    #[arg(long, value_name = "KEY|FILE", required = true)]
    log: Vec<String>,
}

pub(super) fn run(arguments: &WitnessArguments) -> Result<(), Exit> {
    if !is_loopback(&arguments.listen) && !arguments.anywhere {
        complain(
            &format!("`{}` can be reached from other hosts", arguments.listen),
            Some("put a proxy with TLS before it, or say `--anywhere`"),
        );
        return Err(Exit::Usage);
    }
    let unavailable = |what: String| {
        complain(&what, None);
        Exit::Unavailable
    };
    let logs =
        arguments.log.iter().map(|text| signing::public(text, KeyKind::Log)).collect::<Result<Vec<_>, _>>();
    let logs = logs.map_err(|why| {
        complain(&inert(&why), None);
        Exit::Usage
    })?;
    let heads = Heads::open(&arguments.state)
        .map_err(|cause| unavailable(format!("cannot use `{}`: {cause}", arguments.state.display())))?;
    let signer = signing::read(&arguments.key, KeyKind::Witness).and_then(|signer| match signer {
        Some(signer) => Ok(signer),
        None => signing::draw(&arguments.key, KeyKind::Witness, name),
    });
    let signer = signer
        .map_err(|cause| unavailable(format!("cannot use the key `{}`: {cause}", arguments.key.display())))?;
    // Auditors name it by this.
    say(&signer.verifier().to_string());
    let witness = Arc::new(Witness { signer, logs, heads: Mutex::new(heads) });
    runtime()?.block_on(async {
        let served = async {
            let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
            complain_not(&format!("listening on http://{}/add-checkpoint", listener.local_addr()?));
            serve(listener, witness, Arc::new(SystemClock)).await
        };
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|cause| unavailable(format!("cannot wait for signals: {cause}")))?;
        tokio::select! {
            served = served => {
                let cause = served.err().unwrap_or_else(|| io::Error::other("it ended"));
                Err(unavailable(format!("cannot listen on `{}`: {cause}", arguments.listen)))
            }
            // What was answered is on disk; what was not is asked again.
            _ = tokio::signal::ctrl_c() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// Words for a person about something that went right.
fn complain_not(message: &str) {
    use io::Write as _;
    // Nobody is left to tell if this fails.
    drop(writeln!(io::stderr().lock(), "{message}"));
}

/// A witness is known by its key.
fn name(public: &[u8; 32]) -> String {
    let digest = Sha256::digest(public);
    let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("placet.local/witness/{hex}")
}

#[derive(Args, Debug)]
pub(super) struct CosignArguments {
    /// A witness's address, `http://HOST:PORT`; may be given several times
    #[arg(long, value_name = "URL", required = true)]
    witness: Vec<Address>,
    /// The public key of each witness, in the same order
    #[arg(long, value_name = "KEY|FILE", required = true)]
    witness_key: Vec<String>,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn cosign(arguments: &CosignArguments) -> Result<(), Exit> {
    if arguments.witness.len() != arguments.witness_key.len() {
        complain("each `--witness` needs its `--witness-key`", None);
        return Err(Exit::Usage);
    }
    let keys = arguments.witness_key.iter().map(|text| signing::public(text, KeyKind::Witness));
    let keys = keys.collect::<Result<Vec<_>, _>>().map_err(|why| {
        complain(&inert(&why), Some("`placet audit witness` prints its key when it begins"));
        Exit::Usage
    })?;
    let log = SealedLog::open(&arguments.place.places()?.state)?;
    let runtime = runtime()?;
    // Cosignatures that this very head has already stay with it.
    let mut head =
        log.witnessed.clone().filter(|seen| seen.head() == log.head.head()).unwrap_or(log.head.clone());
    let mut worst = Ok(());
    let mut signed = 0_usize;
    for (address, key) in arguments.witness.iter().zip(&keys) {
        match runtime.block_on(one(&log, address, key, &mut head)) {
            Ok(()) => {
                signed += 1;
                say(&format!(
                    "`{}` has seen the first {} records",
                    inert(key.name().as_str()),
                    head.head().size
                ));
            }
            Err((exit, why)) => {
                complain(&format!("`{address}` did not cosign: {}", inert(&why)), None);
                worst = match (worst, exit) {
                    // That a witness has seen another past outweighs that one is not there.
                    (Err(Exit::Unverified), _) => Err(Exit::Unverified),
                    _ => Err(exit),
                };
            }
        }
    }
    if signed > 0 {
        log.directory.replace(WITNESSED, head.to_string().as_bytes()).map_err(|cause| {
            complain(&format!("cannot keep the cosigned head: {cause}"), None);
            Exit::Unavailable
        })?;
    }
    worst
}

/// Asks one witness, a second time if it remembers another size than we do.
async fn one(
    log: &SealedLog,
    address: &Address,
    key: &Verifier,
    head: &mut SignedCheckpoint,
) -> Result<(), (Exit, String)> {
    let unavailable = |why: String| (Exit::Unavailable, why);
    let size = head.head().size;
    let seen = log.witnessed.as_ref().filter(|seen| matches!(seen.note().signed_by(key), Signed::Yes { .. }));
    let mut old = seen.map_or(0, |seen| seen.head().size).min(size);
    for attempt in 0..2 {
        let proof = Tree::new(&log.directory, size)
            .consistency(old)
            .map_err(|error| unavailable(error.to_string()))?;
        let request = Request { old, proof, checkpoint: log.head.clone() };
        let (status, body) = ask(address, request.to_string()).await.map_err(unavailable)?;
        match status {
            200 => {
                for line in
                    cosignatures(&body).map_err(unavailable)?.into_iter().filter(|line| key.is_named_by(line))
                {
                    head.note_mut().add(line);
                }
                return match head.note().signed_by(key) {
                    Signed::Yes { at: Some(_) } => Ok(()),
                    Signed::Yes { at: None } | Signed::No | Signed::Wrongly => {
                        Err((Exit::Unverified, "what it sent is not its cosignature of this head".to_owned()))
                    }
                };
            }
            409 => {
                let its = body
                    .trim_end()
                    .parse::<u64>()
                    .map_err(|_| unavailable("its answer is no size".to_owned()))?;
                if its > size {
                    let why = format!("it has seen {its} records of this log, which now has {size}");
                    return Err((Exit::Unverified, why));
                }
                if its == old || attempt == 1 {
                    return Err((
                        Exit::Unverified,
                        format!("it has signed another past for the first {its} records"),
                    ));
                }
                old = its;
            }
            422 => {
                return Err((
                    Exit::Unverified,
                    "this log is not the one whose beginning it has signed".to_owned(),
                ));
            }
            _ => return Err(unavailable(format!("it answered {status}: {}", body.trim_end()))),
        }
    }
    Err(unavailable("it changed its mind about what it has seen".to_owned()))
}
