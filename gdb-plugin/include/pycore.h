/* pycore as a C library: the Python inside a process that a debugger holds, that lies in a dump or that is alive.
 *
 * Generated from gdb-plugin/src by cbindgen; docs in gdb-plugin/QUESTIONS.md. Functions return a PycoreStatus.
 */

#ifndef PYCORE_H
#define PYCORE_H

#include <stddef.h>
#include <stdint.h>

// The version of this interface. It changes when a caller that was built for another one would go wrong.
#define PYCORE_ABI_VERSION 1

// What a function returns.
enum PycoreStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // All went well.
  PYCORE_STATUS_OK = 0,
  // It could not be done; the message says why.
  PYCORE_STATUS_FAILED = 1,
  // A callback said that the user interrupted.
  PYCORE_STATUS_INTERRUPTED = 2,
  // The caller was built for another version of this interface; the message names both.
  PYCORE_STATUS_ABI_MISMATCH = 3,
  // A bug in pycore; the message says what happened. The session can be used on.
  PYCORE_STATUS_BUG = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PycoreStatus PycoreStatus;
#else
typedef int32_t PycoreStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A process that answers questions.
typedef struct PycoreSession PycoreSession;

// What lists are given to. Only valid during the call that it was passed to.
typedef struct PycoreSink PycoreSink;

// What a debugger serves. The functions return 0: done; 1: not readable, not known; 2: the user interrupted. After a 2,
// nothing more is read for the same question, which gives 2 as well.
typedef struct PycoreCallbacks {
  // Given to each function.
  void *context;
  // Fills `buffer` with the `size` bytes at `address`: all of them, or it fails.
  int32_t (*read_memory)(void *context, uint64_t address, uint8_t *buffer, size_t size);
  // Gives all modules to `pycore_add_module`, the main program first.
  int32_t (*list_modules)(void *context, struct PycoreSink *sink);
  // Gives all native threads to `pycore_add_thread`.
  int32_t (*list_threads)(void *context, struct PycoreSink *sink);
  // Gives all ranges to `pycore_add_range`. NULL, or 1 as result: derived from the modules; then an interpreter that no
  // symbol and no section names cannot be searched for.
  int32_t (*list_ranges)(void *context, struct PycoreSink *sink);
} PycoreCallbacks;

// A file that is mapped into the process.
typedef struct PycoreModule {
  // The address of its first byte.
  uint64_t base;
  // The first address behind its last mapping; 0: not known, its headers tell.
  uint64_t end;
  // Its path as the process has it, UTF-8; NULL: not known.
  const char *path;
  // Its GNU build id; NULL: read from memory.
  const uint8_t *build_id;
  // The length of the build id, in bytes.
  size_t build_id_size;
} PycoreModule;

// A native thread.
typedef struct PycoreThread {
  // Its id, as the operating system gives it.
  uint32_t tid;
  // `fs_base` on x86-64, `tpidr_el0` on aarch64, the thread environment block on Windows; 0: not known.
  uint64_t thread_pointer;
  // Where the processor is; 0: not known.
  uint64_t instruction_pointer;
  // The top of its stack; 0: not known.
  uint64_t stack_pointer;
  // The operating system's name for it, UTF-8; NULL: not known.
  const char *name;
  // The address of the futex that it waits for (Linux: the first argument of the system call that it is in, if that is
  // futex); 0: none, or not known. It tells who waits for the GIL.
  uint64_t futex;
} PycoreThread;

// A range of addresses that the process has mapped.
typedef struct PycoreRange {
  // The first address.
  uint64_t start;
  // The length, in bytes.
  uint64_t size;
  // 1: readable, 2: writable, 4: executable; their sum.
  uint32_t flags;
} PycoreRange;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the interface that this library has: compare it with `PYCORE_ABI_VERSION`.
uint32_t pycore_abi_version(void);

// The version of pycore, such as `0.1.0`. Not to be freed.
const char *pycore_version(void);

// Opens a session with a process that the caller holds, and serves by callbacks. They are first called by the first
// question.
//
// `options` is JSON: `machine` (`x86_64`, `aarch64`), and where it is known `os` (`linux`, `windows`), `pid`, `format`
// (`live`, `elf-core`, `minidump`), `path` of the core or the program, `executable`, `command_line`, `uid`,
// `crashed_tid`, `signal` (`number`, `code`, `address`, `sender_pid`), `layout` (path of a layout table), `source_root`
// (paths), and where files of modules are: `sysroot` (paths of folders), `lib_path` (paths of folders or files).
//
// Gives the session, to be closed by `pycore_close`, or a message, to be freed by `pycore_free`; the other one is NULL.
//
// # Safety
// `callbacks` is NULL or points to callbacks whose functions do as they are described; the struct is copied, what its
// `context` points to has to live until the session is closed. `options` is NULL or a string. `session` and `error` are
// NULL or can be written to.
int32_t pycore_open(uint32_t abi_version,
                    const struct PycoreCallbacks *callbacks,
                    const char *options,
                    struct PycoreSession **session,
                    char **error);

// Opens a session with a dump: the core or minidump at `path`, as `pycore analyze` reads it, packed or not.
//
// `options` is NULL or JSON: `exe`, `sysroot`, `lib_path` (paths), `no_files`, `unpack_limit`, `layout`, `source_root`
// (paths), as on the command line.
//
// Gives the session, to be closed by `pycore_close`, or a message, to be freed by `pycore_free`; the other one is NULL.
//
// # Safety
// `path` and `options` are NULL or strings. `session` and `error` are NULL or can be written to.
int32_t pycore_open_dump(uint32_t abi_version,
                         const char *path,
                         const char *options,
                         struct PycoreSession **session,
                         char **error);

// Answers a question, which is a JSON object such as `{"do": "backtrace", "thread": 4711}`; gdb-plugin/QUESTIONS.md has
// them all. Questions to one session are answered one at a time: a second thread waits. A callback must not ask.
//
// Gives as `response` JSON, `{"text": ..., "data": ...}`, or a message where the status is not 0; both are UTF-8 and to
// be freed by `pycore_free`. `text` is for a terminal, `data` has the names of the report.
//
// # Safety
// `session` is NULL or a session that is open, and not closed before this returns. `request` is NULL or a string.
// `response` is NULL or can be written to.
int32_t pycore_ask(struct PycoreSession *session, const char *request, char **response);

// Says that the process ran: what was read of its memory, its threads and its modules is forgotten. Interpreters are
// only looked for again where they are not any more.
//
// # Safety
// `session` is NULL or a session that is open, and not closed before this returns.
int32_t pycore_refresh(struct PycoreSession *session);

// Closes a session. NULL is no session, and closes nothing.
//
// # Safety
// `session` is NULL or a session that is open and of which nobody uses any more; not from a callback of its own.
void pycore_close(struct PycoreSession *session);

// Frees a message or a response. NULL is neither, and frees nothing.
//
// # Safety
// `text` is NULL or was given by this library and not freed before.
void pycore_free(char *text);

// Adds a module to a list. The module is copied. NULL adds nothing.
//
// # Safety
// `sink` is NULL or what a callback was passed, during its call. `module` is NULL or points to a module whose `path` is
// NULL or a string and whose `build_id` is NULL or `build_id_size` bytes.
void pycore_add_module(struct PycoreSink *sink, const struct PycoreModule *module);

// Adds a thread to a list. The thread is copied. NULL adds nothing.
//
// # Safety
// `sink` is NULL or what a callback was passed, during its call. `thread` is NULL or points to a thread whose `name` is
// NULL or a string.
void pycore_add_thread(struct PycoreSink *sink, const struct PycoreThread *thread);

// Adds a range of addresses to a list. The range is copied. NULL adds nothing.
//
// # Safety
// `sink` is NULL or what a callback was passed, during its call. `range` is NULL or points to a range.
void pycore_add_range(struct PycoreSink *sink, const struct PycoreRange *range);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PYCORE_H */
