# The commands of pycore for a gdb that was built without Python (12 and newer):
#   gdb -x "$(pycore plugin gdb --no-python)" -p PID
# They run the program `pycore` (or what the environment variable PYCORE names) on the process or the core that gdb has
# open. It reads the process beside gdb, which has stopped it.

define pycore-where
  info inferiors
  thread
  info files
end
document pycore-where
Say what gdb has open, for the other commands of pycore to read.
end

define pycore-run
  pipe pycore-where | where=$(cat); \
    ask() { printf '%s\n' "$where" | sed -n "$1" | head -n 1; }; \
    core=$(ask '/core dump file:/{n;s/^[^/]*\(\/.*\)., file type .*/\1/p;}'); \
    pid=$(ask 's/^\* .* process \([0-9][0-9]*\) .*(native).*/\1/p'); \
    thread=$(ask 's/^.Current thread is .*LWP \([0-9][0-9]*\).*/\1/p'); \
    if [ -n "$core" ]; then set -- "$core"; \
    elif [ -n "$pid" ]; then set -- --pid "$pid" --nonblocking; \
    else echo "pycore: there is no process of this machine and no core here." >&2; exit; fi; \
    if [ $arg0 = this ]; then set -- "$@" --thread "${thread:-0}"; fi; \
    options=$arg1; file=$arg2; \
    if [ -n "$file" ]; then set -- "$@" --output "$file"; fi; \
    exec "${PYCORE:-pycore}" analyze "$@" $options
end
document pycore-run
Run pycore on what gdb has open: pycore-run all|this 'OPTIONS' FILE
`this` is the selected thread. The options are those of `pycore analyze`; FILE is what it writes, '' for the terminal.
end

define py-bt
  pycore-run this '' ''
end
document py-bt
Show the Python traceback of the selected thread, and its exceptions.
end

define py-bt-all
  pycore-run all '' ''
end
document py-bt-all
Show the Python tracebacks of all threads, and their exceptions.
end

define py-locals
  pycore-run this --locals ''
end
document py-locals
Show the Python traceback of the selected thread, with the variables of every frame.
end

define py-dump
  if $argc == 1
    pycore-run all --format=json $arg0
  else
    pycore-run all '--locals --tasks' ''
  end
end
document py-dump
Show all of pycore's report: threads, variables, exceptions, asyncio's tasks. With a file name: write it as JSON.
end

define pycore
  help py-bt
  help py-bt-all
  help py-locals
  help py-dump
end
document pycore
See the Python in the process or core: py-bt, py-bt-all, py-locals, py-dump [FILE].
This gdb runs the program `pycore` for them; a gdb with Python has more: source what `pycore plugin gdb` prints.
end
