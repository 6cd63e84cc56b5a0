//! The `pycore` program.

fn main() -> std::process::ExitCode {
    pycore::cli::main()
}
