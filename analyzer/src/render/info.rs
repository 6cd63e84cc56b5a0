//! `pycore info` as text.

use crate::render::TextOptions;
use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::stack::native_place;
use crate::render::text::{field, number_of, process, python, source, warnings};
use crate::report::{Info, InfoModule};
use std::io::{self, Write};

/// Writes `info` as text: the file, the process, the interpreter with all evidence, threads and modules.
///
/// # Errors
/// Those of `out`.
pub fn info_text(info: &Info, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    source(&mut p, &info.source)?;
    process(&mut p, &info.process)?;
    if let Some(directory) = &info.current_directory {
        field(&mut p, "Folder", directory)?;
    }
    if info.python.is_none() {
        field(&mut p, "Python", "none found")?;
    }
    for (index, found) in info.python.iter().chain(&info.other_pythons).enumerate() {
        python(&mut p, found, number_of(index, &info.other_pythons))?;
        heading(&mut p, "Evidence")?;
        for evidence in &found.evidence {
            write!(p, "  {}: {}", line(evidence.method), line(&evidence.detail))?;
            if let Some(address) = evidence.address {
                write!(p, " at {address}")?;
            }
            writeln!(p)?;
        }
    }
    threads(&mut p, info)?;
    modules(&mut p, info)?;
    unloaded(&mut p, info)?;
    environment(&mut p, info)?;
    warnings(&mut p, &info.warnings)?;
    p.flush()
}

fn heading<W: Write>(p: &mut Printer<W>, text: &str) -> io::Result<()> {
    writeln!(p)?;
    p.paint(p.styles.heading, line(text))?;
    writeln!(p)
}

fn threads<W: Write>(p: &mut Printer<W>, info: &Info) -> io::Result<()> {
    heading(p, &format!("Native threads ({})", info.threads.len()))?;
    for thread in &info.threads {
        write!(p, "  {}", thread.tid)?;
        if let Some(name) = &thread.name {
            write!(p, " \"{}\"", line(name))?;
        }
        if let Some(address) = thread.instruction_pointer {
            write!(p, " at {address}")?;
        }
        if let Some(module) = &thread.module {
            write!(p, " in {}", line(module))?;
        }
        if let Some(start) = &thread.start {
            write!(p, ", started at {}", line(&native_place(start)))?;
        }
        if thread.crashed {
            p.paint(p.styles.crashed, " (crashed)")?;
        }
        writeln!(p)?;
    }
    Ok(())
}

fn modules<W: Write>(p: &mut Printer<W>, info: &Info) -> io::Result<()> {
    heading(p, &format!("Modules ({})", info.modules.len()))?;
    for module in &info.modules {
        writeln!(p, "  {}-{} {}", module.base, module.end, line(&module.path))?;
        write!(p, "    {}", line(&identity(module)))?;
        if let Some(file) = &module.file {
            write!(p, ", file {}", line(file))?;
        }
        if let Some(missing) = &module.missing {
            write!(p, ", ")?;
            p.paint(p.styles.warning, "not found")?;
            write!(p, ": {}", line(missing))?;
        }
        writeln!(p)?;
    }
    Ok(())
}

/// What tells one build of a module from another.
fn identity(module: &InfoModule) -> String {
    let is_pe = module.timestamp.is_some() && module.build_id.is_none();
    let build_id = (!is_pe).then(|| module.build_id.as_deref().unwrap_or("unknown"));
    let parts = [
        build_id.map(|id| format!("build id {id}")),
        module.version.as_ref().map(|version| format!("version {version}")),
        module.timestamp.map(|timestamp| format!("timestamp {timestamp:#x}")),
        module.pdb_id.as_ref().map(|id| format!("pdb {id}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn unloaded<W: Write>(p: &mut Printer<W>, info: &Info) -> io::Result<()> {
    let unloaded = &info.process.unloaded_modules;
    if unloaded.is_empty() {
        return Ok(());
    }
    heading(p, &format!("Unloaded modules ({})", unloaded.len()))?;
    for module in unloaded {
        writeln!(p, "  {}-{} {}", module.base, module.end, line(&module.path))?;
    }
    Ok(())
}

fn environment<W: Write>(p: &mut Printer<W>, info: &Info) -> io::Result<()> {
    let Some(variables) = &info.environment else { return Ok(()) };
    heading(p, &format!("Environment ({})", variables.len()))?;
    for variable in variables {
        writeln!(p, "  {}", line(variable))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Address;
    use crate::render::samples::report;
    use crate::report::{InfoModule, InfoThread};

    #[test]
    fn info_tells_what_the_file_is() {
        let report = report(Vec::new());
        let module = |path: &str, base, file: Option<&str>, missing: Option<&str>| InfoModule {
            path: path.into(),
            base: Address(base),
            end: Address(base + 0x1000),
            build_id: file.map(|_| "abcd".to_owned()),
            version: None,
            timestamp: None,
            checksum: None,
            pdb_id: None,
            pdb_path: None,
            file: file.map(str::to_owned),
            missing: missing.map(str::to_owned),
        };
        let info = Info {
            source: report.source,
            process: report.process,
            current_directory: Some(r"C:\work\".to_owned()),
            environment: Some(vec!["PATH=C:\\\u{1b}".to_owned()]),
            python: report.python,
            other_pythons: Vec::new(),
            threads: vec![
                InfoThread {
                    tid: 4711,
                    crashed: true,
                    instruction_pointer: Some(Address(0x1010)),
                    module: Some("/lib/libc.so.6".into()),
                    name: None,
                    start: None,
                    times: None,
                },
                InfoThread {
                    tid: 4712,
                    name: Some("worker".into()),
                    crashed: false,
                    instruction_pointer: None,
                    module: None,
                    start: None,
                    times: None,
                },
            ],
            modules: vec![
                module("/usr/bin/python3.11", 0x1000, Some("/sysroot/usr/bin/python3.11"), None),
                module("/opt/\u{1b}x.so", 0x4000, None, Some("no such file")),
            ],
            warnings: vec!["the file ends early".into()],
        };
        let mut out = Vec::new();
        info_text(&info, &mut out, TextOptions::default()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\
Core     core.4711 (ELF core, x86_64, 52.0 MiB)
Process  4711: python3 app.py --name 'a b'
Program  /usr/bin/python3.11
Signal   SIGSEGV (SEGV_MAPERR) at address 0x10
Folder   C:\\work\\
Python   3.11.7, found by symbol (_PyRuntime in libpython3.11.so.1.0), layout cpython-3.11-x86_64

Evidence
  symbol: _PyRuntime in libpython3.11.so.1.0 at 0x7f001000

Native threads (2)
  4711 at 0x1010 in /lib/libc.so.6 (crashed)
  4712 \"worker\"

Modules (2)
  0x1000-0x2000 /usr/bin/python3.11
    build id abcd, file /sysroot/usr/bin/python3.11
  0x4000-0x5000 /opt/\\x1bx.so
    build id unknown, not found: no such file

Environment (1)
  PATH=C:\\\\x1b

Warning: the file ends early
"
        );
    }
}
