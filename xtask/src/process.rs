//! Other programs: run to their end, and stopped with this one.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail};

/// Set once by Ctrl-C or SIGTERM.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The program that is waited for.
static RUNNING: Mutex<Option<u32>> = Mutex::new(None);

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// A file beside this program, wherever cargo builds to.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// The cargo that runs this, without what it tells us of our own package: build scripts would take
/// that for a change, and everything above them would be built again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command.current_dir(root());
    command
}

/// Runs a program to its end; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    check_interrupted()?;
    let shown = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    let status = wait(&mut child)?;
    check_interrupted()?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a program to its end and gives what it printed; its complaints are the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    check_interrupted()?;
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    if !output.status.success() {
        let complaints = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{shown}` failed ({}): {}",
            output.status,
            complaints.trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether the program is there and answers.
pub(crate) fn answers(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// From here on Ctrl-C and SIGTERM stop the program that is waited for instead of this one, so
/// that what was started can be cleaned up.
pub(crate) fn stop_with_signals() {
    thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        else {
            return;
        };
        if runtime.block_on(signalled()).is_ok() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            let running = *RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(id) = running {
                terminate(id);
            }
        }
    });
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

/// Asks a process to stop.
pub(crate) fn terminate(id: u32) {
    answers("kill", &["-TERM", &id.to_string()]);
}

fn wait(child: &mut Child) -> Result<std::process::ExitStatus> {
    let set = |id| *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = id;
    set(Some(child.id()));
    let status = child.wait();
    set(None);
    Ok(status?)
}

fn check_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) {
        bail!("interrupted");
    }
    Ok(())
}

/// The command as one would type it, cut to what a line of an error bears.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let mut text = name.to_string_lossy().into_owned();
    for argument in command.get_args().take(12) {
        let _ = write!(text, " {}", argument.to_string_lossy());
    }
    text
}
