//! The solver: a process that is found at run time, asked one question after another, and believed only where it
//! says yes or no.
//!
//! One process serves a whole run. A question that takes longer than its share, or a process that dies, is no answer;
//! the next question gets a process of its own. Questions that are the same are put once.
//!
//! Not here: what is asked (`question.rs`). Start at [`Solver::find`] and [`Solver::ask`].

use std::{
    collections::HashMap,
    env, fmt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use cedar_policy_symcc::{CedarSymCompiler, err::Error, solver::LocalSolver};
use tokio::{process::Command, runtime::Runtime};

use crate::question::{Answer, Compiled, Question};

/// The package that has the solver, in Debian and its like.
pub const PACKAGE: &str = "cvc5";

/// The variable that names the solver.
const VARIABLE: &str = "CVC5";

/// How long is waited for a solver that does not keep to the time that it was given.
const GRACE: Duration = Duration::from_secs(2);

/// How much time may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effort {
    /// On one question.
    pub each: Duration,
    /// On all.
    pub all: Duration,
    /// The solver, where it is not to be looked for.
    pub solver: Option<PathBuf>,
}

impl Default for Effort {
    fn default() -> Self {
        Self { each: Duration::from_secs(10), all: Duration::from_secs(300), solver: None }
    }
}

/// There is no solver, so nothing can be proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSolver {
    /// It is not on the path.
    Nowhere,
    /// What the variable names is not there.
    Misnamed(PathBuf),
}

impl NoSolver {
    /// What to do.
    pub fn help(&self) -> String {
        match self {
            NoSolver::Nowhere => format!(
                "install the package `{PACKAGE}`, as in `apt-get install {PACKAGE}`, or name the program in ${VARIABLE}"
            ),
            NoSolver::Misnamed(_) => {
                format!(
                    "${VARIABLE} names the program of the package `{PACKAGE}`; without it $PATH is searched"
                )
            }
        }
    }
}

impl fmt::Display for NoSolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoSolver::Nowhere => write!(f, "no solver: `{PACKAGE}` is not installed"),
            NoSolver::Misnamed(path) => {
                write!(f, "no solver: `{}` is no program that can be run", path.display())
            }
        }
    }
}

impl std::error::Error for NoSolver {}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The solver cannot tell.
    Unknown,
    /// It took too long.
    Time(Duration),
    /// All the time there was is spent.
    NoTimeLeft,
    /// A policy has no form that a solver understands: its id, its line, and what is wrong.
    Policy {
        /// Its id.
        id: String,
        /// The line of the file.
        line: usize,
        /// What the compiler says.
        what: String,
    },
    /// The solver, or the way to it, failed.
    Failed(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Unknown => f.write_str("the solver cannot tell"),
            Why::Time(each) => write!(f, "the solver did not answer within {} s", each.as_secs_f32()),
            Why::NoTimeLeft => f.write_str("no time was left"),
            Why::Policy { id, line, what } => {
                write!(f, "policy `{id}` on line {line} has no form that a solver understands: {what}")
            }
            Why::Failed(what) => write!(f, "the solver failed: {what}"),
        }
    }
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the beginning to the end.
    pub all: Duration,
    /// In the solver, and in making its questions.
    pub solving: Duration,
    /// Questions that were put to it.
    pub asked: usize,
    /// Questions that had been put before.
    pub again: usize,
    /// Pairs of agent and tool of which the rules' own form says it.
    pub settled: usize,
}

/// A solver, and the answers that it has given.
pub(crate) struct Solver {
    program: PathBuf,
    effort: Effort,
    began: Instant,
    runtime: Runtime,
    process: Option<CedarSymCompiler<LocalSolver>>,
    answers: HashMap<String, Answer>,
    pub(crate) timings: Timings,
}

impl Solver {
    /// Looks for the solver; it is started with the first question.
    pub(crate) fn find(effort: &Effort) -> Result<Self, NoSolver> {
        let program = match &effort.solver {
            Some(path) => path.clone(),
            None => program()?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|_| NoSolver::Misnamed(program.clone()))?;
        Ok(Self {
            program,
            effort: effort.clone(),
            began: Instant::now(),
            runtime,
            process: None,
            answers: HashMap::new(),
            timings: Timings::default(),
        })
    }

    /// Asks, if the question has not been asked before.
    pub(crate) fn ask(&mut self, question: &Question) -> Answer {
        let key = question.key();
        if let Some(answer) = self.answers.get(&key) {
            self.timings.again += 1;
            return answer.clone();
        }
        let began = Instant::now();
        self.timings.asked += 1;
        let answer = self.answer(question);
        self.timings.solving += began.elapsed();
        // Whoever asks again after a failure may have more luck.
        if !matches!(answer, Answer::Untold(_)) {
            self.answers.insert(key, answer.clone());
        }
        answer
    }

    /// What the run took so far.
    pub(crate) fn timings(&self) -> Timings {
        Timings { all: self.began.elapsed(), ..self.timings }
    }

    fn answer(&mut self, question: &Question) -> Answer {
        if self.began.elapsed() >= self.effort.all {
            return Answer::Untold(Why::NoTimeLeft);
        }
        let compiled = match question.compiled() {
            Ok(compiled) => compiled,
            Err(why) => return Answer::Untold(why),
        };
        let process = match self.process.take() {
            Some(process) => Ok(process),
            None => self.started(),
        };
        let mut process = match process {
            Ok(process) => process,
            Err(why) => return Answer::Untold(Why::Failed(why)),
        };
        let asked = self.runtime.block_on(async {
            let asking = async {
                let Compiled { allows, denies } = &compiled;
                match denies {
                    None => process.check_always_denies_with_counterexample_opt(allows).await,
                    Some(denies) => process.check_implies_with_counterexample_opt(allows, denies).await,
                }
            };
            tokio::time::timeout(self.effort.each + GRACE, asking).await
        });
        match asked {
            Ok(Ok(None)) => {
                self.process = Some(process);
                Answer::No
            }
            Ok(Ok(Some(found))) => {
                self.process = Some(process);
                match found.request.context() {
                    Some(context) => Answer::Yes(Box::new(context.clone())),
                    None => Answer::Untold(Why::Failed("a counterexample has no context".to_owned())),
                }
            }
            // From here on the process is given up with what it may still be about.
            Ok(Err(Error::SolverUnknown)) => Answer::Untold(Why::Unknown),
            Ok(Err(error)) => Answer::Untold(Why::Failed(error.to_string())),
            Err(_) => Answer::Untold(Why::Time(self.effort.each)),
        }
    }

    fn started(&self) -> Result<CedarSymCompiler<LocalSolver>, String> {
        let each = format!("--tlimit-per={}", self.effort.each.as_millis().max(1));
        // Spawning registers the process with the runtime.
        let _inside = self.runtime.enter();
        let mut command = Command::new(&self.program);
        command.args(["--lang", "smt", &each]).kill_on_drop(true);
        let solver = LocalSolver::from_command(&mut command)
            .map_err(|error| format!("`{}` does not start: {error}", self.program.display()))?;
        CedarSymCompiler::new(solver).map_err(|error| error.to_string())
    }
}

/// The solver's program: what the variable names, or the first on the path.
fn program() -> Result<PathBuf, NoSolver> {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let path = PathBuf::from(named);
        return if is_program(&path) { Ok(path) } else { Err(NoSolver::Misnamed(path)) };
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .map(|folder| folder.join(PACKAGE))
        .find(|path| is_program(path))
        .ok_or(NoSolver::Nowhere)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
